// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A disk that is full under the lock files. (A directory that goes away: tests/sqlite/loss_test.cpp.)
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>

#include <gtest/gtest.h>

#include <dlock/sqlite.hpp>

#include "tests/servers/temporary_directory.hpp"
#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

namespace fs = std::filesystem;

/// A file system of 64 KiB that only this process sees, and that ends with it. Empty, or why there is none.
std::string mount_small_disk(const fs::path& where) {
    // The second way is for those who are not root; it needs a process with one thread.
    if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
        return std::string{"unshare: "} + std::strerror(errno);
    }
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return std::string{"mount: "} + std::strerror(errno);
    if (::mount("dlock", where.c_str(), "tmpfs", 0, "size=64k") != 0) return std::string{"mount: "} + std::strerror(errno);
    return {};
}

/// Writes until there is no room.
void fill(const fs::path& file) {
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    const std::array<char, 512> bytes{};
    while (::write(fd, bytes.data(), bytes.size()) > 0) {}
    EXPECT_EQ(errno, ENOSPC);
    ::close(fd);
}

std::ptrdiff_t files_in(const fs::path& folder) { return std::distance(fs::directory_iterator{folder}, {}); }

TEST(SqliteDisk, ThatIsFullIsExhaustedAndDoesNotMatterToLocksThatAreThere) {
    const temporary_directory folder;
    const auto disk = folder.path() / "disk";
    fs::create_directory(disk);
    if (const auto why_not = mount_small_disk(disk); !why_not.empty()) GTEST_SKIP() << "no disk of our own: " << why_not;

    sqlite::session a{disk / "locks"}, b{disk / "locks"};
    sqlite::lock held{a, "old"}, wanted{b, "old"}, fresh{a, "new"};
    held.lock();
    const auto before = files_in(disk / "locks");
    fill(disk / "other");

    for (int i = 0; i < 2; ++i) {
        const auto error = error_of([&] { fresh.lock(); });
        EXPECT_EQ(error.reason(), errc::exhausted) << error.what();
        EXPECT_EQ(reason_of([&] { (void)fresh.try_lock(); }), errc::exhausted);
        EXPECT_FALSE(fresh.owns_lock());
        EXPECT_EQ(files_in(disk / "locks"), before) << "something is left behind";
    }
    EXPECT_TRUE(held.owns_lock());
    EXPECT_FALSE(wanted.try_lock());
    EXPECT_FALSE(unlock(held));
    EXPECT_TRUE(wanted.try_lock());
    EXPECT_FALSE(held.try_lock());

    fs::remove(disk / "other");
    EXPECT_TRUE(fresh.try_lock());
    fresh.unlock();
    wanted.unlock();
    ::umount2(disk.c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace dlock::testing
