// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/sqlite/draft.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <random>
#include <string>
#include <system_error>

#include <dlock/soci/standard_descriptors.hpp>
#include <dlock/sqlite/access.hpp>
#include <dlock/sqlite/error.hpp>
#include <dlock/sqlite/sqlite_api.hpp>

namespace dlock::sqlite {
namespace {

namespace fs = std::filesystem;

std::string random_name(const fs::path& of) {
    std::random_device random;
    return of.string() + "-draft-" + std::to_string(random()) + std::to_string(random());
}

/// What is needed of the directory of a file; nothing that anybody may do where it cannot be asked.
struct stat directory_of(const fs::path& file) noexcept {
    struct stat found {};
    (void)::stat(file.parent_path().c_str(), &found);
    return found;
}

}  // namespace

draft::draft(const fs::path& of) : of_{of}, path_{random_name(of)} {
    const auto like = directory_of(of);
    const int made = soci_support::fill_standard_descriptors() ? ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;
    if (made < 0) throw failure(SQLITE_CANTOPEN, errno, "create " + of.string());
    give(made, like, file_mode(like));
    ::close(made);  // nobody can have locked it
}

draft::~draft() {
    std::error_code ignored;
    fs::remove(path_, ignored);
}

void draft::publish() const {
    if (::link(path_.c_str(), of_.c_str()) == 0 || errno == EEXIST) return;
    const auto like = directory_of(of_);
    if (::mknod(of_.c_str(), S_IFREG | 0600, 0) == 0) {
        (void)::chmod(of_.c_str(), file_mode(like));  // a file system without links has no modes either
    } else if (errno != EEXIST) {
        throw failure(SQLITE_CANTOPEN, errno, "create " + of_.string());
    }
}

}  // namespace dlock::sqlite
