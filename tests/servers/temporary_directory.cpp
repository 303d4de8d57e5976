// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/servers/temporary_directory.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>

#include "tests/servers/server_user.hpp"

namespace dlock::testing {
namespace {

namespace fs = std::filesystem;

const fs::path parent = "/tmp";
constexpr auto prefix = "dlock-server.";

/// Opens and locks the folder. -1 when that is not possible, or when the folder was removed before we had the lock.
int hold(const fs::path& folder, int wait) {
    const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd == -1) return -1;
    struct stat seen {};
    if (::flock(fd, LOCK_EX | wait) == 0 && ::fstat(fd, &seen) == 0 && seen.st_nlink > 0) return fd;
    ::close(fd);
    return -1;
}

void remove_abandoned() {
    std::error_code ignored;  // another test may be sweeping, too
    for (const auto& entry : fs::directory_iterator{parent, ignored}) {
        if (!entry.path().filename().string().starts_with(prefix)) continue;
        const int fd = hold(entry.path(), LOCK_NB);
        if (fd == -1) continue;
        fs::remove_all(entry.path(), ignored);
        ::close(fd);
    }
}

}  // namespace

temporary_directory::temporary_directory() : owner_{::getpid()} {
    [[maybe_unused]] static const bool swept = (remove_abandoned(), true);
    while (held_ == -1) {  // again when a sweeper took the folder between its creation and our lock
        std::string name = (parent / prefix).string() + "XXXXXX";
        if (::mkdtemp(name.data()) == nullptr)
            throw std::system_error{errno, std::generic_category(), "mkdtemp " + name};
        path_ = name;
        held_ = hold(path_, 0);
        if (held_ == -1 && fs::exists(path_)) throw std::system_error{errno, std::generic_category(), "open " + name};
    }
    if (const auto owner = server_user::get().owner; owner && ::fchown(held_, *owner, static_cast<gid_t>(*owner)) != 0)
        throw std::system_error{errno, std::generic_category(), "chown " + path_.string()};
}

temporary_directory::~temporary_directory() {
    if (std::error_code ignored; owner_ == ::getpid()) std::filesystem::remove_all(path_, ignored);
    ::close(held_);
}

}  // namespace dlock::testing
