// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What is not dlock's: modes, groups, limits and disks, and what else the program has told SQLite. None of it decides what is
// locked, and where it gets in the way the error says what it was.
#include <fcntl.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <dlock/sqlite.hpp>

#include "tests/sqlite/support.hpp"
#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

namespace fs = std::filesystem;
using sqlite::fenced_lock;
using sqlite::lock;
using sqlite::session;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string starts_as(errc reason) { return std::to_string(static_cast<int>(reason)) + " "; }

struct stat look_at(const fs::path& file) {
    struct stat found {};
    EXPECT_EQ(::lstat(file.c_str(), &found), 0) << file;
    return found;
}

unsigned mode_of(const fs::path& file) { return look_at(file).st_mode & 07777; }

class umask_for_a_while {
public:
    explicit umask_for_a_while(mode_t mask) : before_{::umask(mask)} {}
    ~umask_for_a_while() { ::umask(before_); }
    umask_for_a_while(const umask_for_a_while&) = delete;
    umask_for_a_while& operator=(const umask_for_a_while&) = delete;

private:
    mode_t before_;
};

/// A database, and where others than its owner can get at it.
class SqliteAccess : public ::testing::Test {
protected:
    SqliteAccess() {
        std::string name = "/tmp/dlock-sqlite.XXXXXX";  // the folder for tests may be in somebody's home
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error{"mkdtemp"};
        folder = fs::canonical(name);
        file = folder / "app.db";
        locks = folder / "app.db-locks";
        fs::permissions(folder, fs::perms::all);
        make(file);
    }
    ~SqliteAccess() override { fs::remove_all(folder); }

    static void make(const fs::path& database) {
        sqlite3* made = nullptr;
        EXPECT_EQ(sqlite3_open(database.c_str(), &made), SQLITE_OK);
        EXPECT_EQ(sqlite3_exec(made, "CREATE TABLE t (x)", nullptr, nullptr, nullptr), SQLITE_OK);
        sqlite3_close(made);
    }

    /// Another process takes a fenced lock beside the database.
    std::string beside(const std::string& as = "itself") const { return process({"beside", file, "k", as}).hear(); }

    fs::path folder, file, locks;
};

fs::path only_lock_in(const fs::path& directory) {
    for (const auto& entry : fs::directory_iterator{directory}) {
        if (entry.path().extension() == ".lock") return entry.path();
    }
    ADD_FAILURE() << "there is none";
    return {};
}

TEST_F(SqliteAccess, IsThatOfTheDatabaseAsItsJournalHasIt) {
    for (const unsigned mode : {0600U, 0640U, 0660U, 0644U, 0664U, 0666U}) {
        ASSERT_EQ(::chmod(file.c_str(), mode), 0);
        EXPECT_EQ(beside(), "yes");  // with umask 077
        sqlite3* writer = nullptr;
        ASSERT_EQ(sqlite3_open(file.c_str(), &writer), SQLITE_OK);
        ASSERT_EQ(sqlite3_exec(writer, "BEGIN; INSERT INTO t VALUES (1)", nullptr, nullptr, nullptr), SQLITE_OK);
        EXPECT_EQ(mode_of(file.string() + "-journal"), mode) << "what SQLite does";
        sqlite3_close(writer);
        EXPECT_EQ(mode_of(locks), mode | (mode & 0444) >> 2 | 0100) << std::oct << mode;
        EXPECT_EQ(mode_of(only_lock_in(locks)), mode) << std::oct << mode;
        EXPECT_EQ(mode_of(locks / "fence.db"), mode) << std::oct << mode;
        fs::remove_all(locks);
    }
}

TEST_F(SqliteAccess, IsThatOfTheDatabaseWhenRootMakesIt) {
    if (::geteuid() != 0 || ::chown(file.c_str(), 1234, 2345) != 0) GTEST_SKIP() << "nobody here may give files away";
    ASSERT_EQ(::chmod(file.c_str(), 0660), 0);
    EXPECT_EQ(beside(), "yes");
    for (const auto& made : {locks, only_lock_in(locks), locks / "fence.db"}) {
        EXPECT_EQ(look_at(made).st_uid, 1234u) << made;
        EXPECT_EQ(look_at(made).st_gid, 2345u) << made;
    }
    EXPECT_EQ(beside("user 1234 1"), "yes") << "its owner";
    EXPECT_EQ(beside("user 4321 2345"), "yes") << "its group";
}

TEST_F(SqliteAccess, IsForAllWhoShareTheDatabase) {
    if (::geteuid() != 0 || ::chown(file.c_str(), 1234, 2345) != 0) GTEST_SKIP() << "nobody here may give files away";
    ASSERT_EQ(::chmod(file.c_str(), 0660), 0);
    process one{{"beside", file, "k", "user 1234 2345"}};
    EXPECT_EQ(one.hear(), "yes");
    EXPECT_EQ(beside("user 4321 2345"), "no") << "another one of the group";
    EXPECT_EQ(beside(), "no") << "root";
    one.kill();
    EXPECT_EQ(beside("user 4321 2345"), "yes");
    EXPECT_EQ(look_at(locks).st_gid, 2345u);
}

TEST_F(SqliteAccess, ToAFileOfAnotherGroupIsRefusedWithItsReason) {
    if (::geteuid() != 0 || ::chown(file.c_str(), 1234, 2345) != 0) GTEST_SKIP() << "nobody here may give files away";
    ASSERT_EQ(::chmod(file.c_str(), 0664), 0);
    EXPECT_EQ(beside("user 1234 2345"), "yes");
    const auto said = beside("user 4321 4321");
    EXPECT_THAT(said, StartsWith(starts_as(errc::server_error)));
    EXPECT_THAT(said, HasSubstr(locks.string()));
    EXPECT_THAT(said, HasSubstr("Permission denied"));
}

TEST_F(SqliteAccess, ToADirectoryOfAnotherUserIsRefusedWithItsReason) {
    fs::permissions(folder, fs::perms::owner_all | fs::perms::others_read | fs::perms::others_exec);
    ASSERT_EQ(::chmod(file.c_str(), 0666), 0);
    process task{{"beside", file, "k", ::geteuid() == 0 ? "user 4321 4321" : "capabilities"}};
    std::string said;
    try {
        said = task.hear();
    } catch (const std::runtime_error&) {
        GTEST_SKIP() << "this process cannot become another user";
    }
    if (::geteuid() != 0) return;  // it is its own directory
    EXPECT_THAT(said, StartsWith(starts_as(errc::server_error)));
    EXPECT_THAT(said, HasSubstr(locks.string()));
    EXPECT_THAT(said, HasSubstr("Permission denied"));
}

TEST_F(SqliteAccess, OfAFileInADirectoryIsThatOfTheDirectory) {
    for (const unsigned mode : {0700U, 0750U, 0770U, 0775U, 0777U, 01777U, 02775U}) {
        fs::create_directory(locks);
        ASSERT_EQ(::chmod(locks.c_str(), mode), 0);
        {
            const umask_for_a_while strict{0077};
            session s{locks};
            fenced_lock l{s, "k"};
            l.lock();
        }
        EXPECT_EQ(mode_of(locks), mode) << "one that was there";
        EXPECT_EQ(mode_of(only_lock_in(locks)), (mode & 0666) | 0600) << std::oct << mode;
        EXPECT_EQ(mode_of(locks / "fence.db"), (mode & 0666) | 0600) << std::oct << mode;
        fs::remove_all(locks);
    }
}

TEST_F(SqliteAccess, ToADirectoryThatMayNotBeSearchedIsRefusedWithItsReason) {
    fs::create_directory(locks);
    fs::permissions(locks, fs::perms::owner_read | fs::perms::owner_write);
    const auto said = process({"refuse", locks, "k", "capabilities"}).hear();
    EXPECT_THAT(said, StartsWith(starts_as(errc::server_error)));
    EXPECT_THAT(said, HasSubstr(locks.string()));
    EXPECT_THAT(said, HasSubstr("Permission denied"));
    fs::permissions(locks, fs::perms::owner_all);
}

TEST_F(SqliteAccess, NeedsNoReadableDirectory) {
    fs::create_directory(locks);
    fs::permissions(locks, fs::perms::owner_write | fs::perms::owner_exec);
    EXPECT_EQ(process({"refuse", locks, "k", "capabilities"}).hear(), "nothing");
    fs::permissions(locks, fs::perms::owner_all);
}

/// A kernel that refuses O_CREAT on a file that is there, as Linux does in directories like /tmp to all but its owner.
/// https://docs.kernel.org/admin-guide/sysctl/fs.html#protected-regular
class protected_regular {
public:
    protected_regular() {
        auto* const vfs = sqlite3_vfs_find("unix");
        real = vfs->xGetSystemCall(vfs, "open");
        vfs->xSetSystemCall(vfs, "open", reinterpret_cast<sqlite3_syscall_ptr>(refuse));
        refused = 0;
    }
    ~protected_regular() {
        auto* const vfs = sqlite3_vfs_find("unix");
        vfs->xSetSystemCall(vfs, "open", nullptr);
    }
    protected_regular(const protected_regular&) = delete;
    protected_regular& operator=(const protected_regular&) = delete;

    static inline int refused = 0;

private:
    static int refuse(const char* file, int flags, int mode) {
        const std::string name{file};
        const bool own = name.find("-draft-") != name.npos || name.ends_with("-journal");
        if ((flags & O_CREAT) != 0 && !own && ::access(file, F_OK) == 0) {
            ++refused;
            return errno = EACCES, -1;
        }
        return reinterpret_cast<int (*)(const char*, int, int)>(real)(file, flags, mode);
    }

    static inline sqlite3_syscall_ptr real = nullptr;
};

TEST_F(SqliteAccess, ToAFileThatIsThereIsNotAskedForAsToANewOne) {
    const protected_regular here;
    for (int i = 0; i < 2; ++i) {
        session s{locks};
        fenced_lock l{s, "k"};
        EXPECT_NO_THROW(l.lock());
    }
    EXPECT_EQ(protected_regular::refused, 0);
    sqlite3* other = nullptr;
    EXPECT_EQ(sqlite3_open(only_lock_in(locks).c_str(), &other), SQLITE_OK);
    EXPECT_GT(protected_regular::refused, 0) << "this refuses nothing";
    sqlite3_close(other);
}

// --- lengths

class SqliteLength : public SqliteTest {
protected:
    /// A folder whose path has so many bytes.
    fs::path of(std::size_t length) const {
        auto made = folder;
        while (made.string().size() + 102 < length) made /= std::string(100, 'd');
        made /= std::string(length - made.string().size() - 1, 'e');
        EXPECT_EQ(made.string().size(), length);
        fs::create_directories(made.parent_path());
        return made;
    }
};

TEST_F(SqliteLength, OfADirectoryIsLimitedByWhatSqliteOpens) {
    const auto longest = of(439);
    session s{longest};
    fenced_lock l{s, "k"};
    EXPECT_NO_THROW(l.lock());
    for (const std::size_t length : {440, 480, 512, 1000}) {
        const auto e = error_of([&] { session{of(length)}; });
        EXPECT_EQ(e.reason(), errc::unsupported);
        EXPECT_THAT(e.what(), HasSubstr("at most 439 bytes"));
        EXPECT_THAT(e.what(), HasSubstr("this one has " + std::to_string(length)));
        EXPECT_FALSE(fs::exists(of(length)));
    }
}

TEST_F(SqliteLength, OfANameIsLimitedByTheFileSystem) {
    const auto e = error_of([&] { session{folder / std::string(256, 'n')}; });
    EXPECT_EQ(e.reason(), errc::server_error);
    EXPECT_THAT(e.what(), HasSubstr("File name too long"));
}

// --- disks

class SqliteDisk : public SqliteTest {
protected:
    /// A small one, in a name space of this process's own from then on. False: this process may not mount.
    bool mount() const {
        static const bool may = ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
        fs::create_directory(locks);
        return may && ::mount("none", locks.c_str(), "tmpfs", 0, "size=64k") == 0;
    }
    void fill() const { std::ofstream{locks / "ballast"} << std::string(1 << 20, 'x'); }
    ~SqliteDisk() override { ::umount2(locks.c_str(), MNT_DETACH); }
};

TEST_F(SqliteDisk, ThatIsFullIsExhaustedAndLeavesNothing) {
    if (!mount()) GTEST_SKIP() << "this process may not mount";
    session s{locks};
    fenced_lock known{s, "k"}, fresh{s, "new"};
    known.lock();
    known.unlock();
    fill();
    for (fenced_lock* const one : {&known, &fresh}) {
        const auto e = error_of([&] { one->lock(); });
        EXPECT_EQ(e.reason(), errc::exhausted) << e.what();
        EXPECT_THAT(e.what(), HasSubstr(locks.string()));
        EXPECT_THAT(e.what(), ::testing::AnyOf(HasSubstr("No space left"), HasSubstr("disk is full")));
        EXPECT_FALSE(one->owns_lock());
    }
    EXPECT_EQ(s.held(), 0u);
    EXPECT_NO_THROW(lock(s, "k").lock()) << "a lock that is there needs no space";
    fs::remove(locks / "ballast");
    EXPECT_NO_THROW(fresh.lock());
    EXPECT_TRUE(std::ranges::none_of(fs::directory_iterator{locks},
                                     [](const auto& entry) { return entry.path().string().find("-draft-") != std::string::npos; }));
}

TEST_F(SqliteDisk, ThatIsReadOnlyIsRefusedWithItsReason) {
    if (!mount()) GTEST_SKIP() << "this process may not mount";
    {
        session s{locks};
        lock{s, "k"}.lock();
    }
    ASSERT_EQ(::mount("none", locks.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
    session s{locks};
    lock known{s, "k"}, fresh{s, "new"};
    for (lock* const one : {&known, &fresh}) {
        const auto e = error_of([&] { one->lock(); });
        EXPECT_EQ(e.reason(), errc::server_error);
        EXPECT_THAT(e.what(), HasSubstr("Read-only file system"));
    }
}

// --- what the program has told SQLite

/// Runs for every connection of the process, as long as it lives. https://www.sqlite.org/c3ref/auto_extension.html
class auto_extension {
public:
    explicit auto_extension(int (*what)(sqlite3*)) {
        current = what;
        sqlite3_auto_extension(reinterpret_cast<void (*)()>(run));
    }
    ~auto_extension() { sqlite3_cancel_auto_extension(reinterpret_cast<void (*)()>(run)); }
    auto_extension(const auto_extension&) = delete;
    auto_extension& operator=(const auto_extension&) = delete;

private:
    static int run(sqlite3* connection, const char**, const void*) { return current(connection); }

    static inline int (*current)(sqlite3*) = nullptr;
};

std::string sql_of_the_program;

using SqliteSettings = SqliteTest;

/// Two sessions, plain and fenced: exclusive, released, told truly. In both modes and with other processes.
void expect_that_locks_mean_something(const fs::path& locks, const std::string& where) {
    session a{locks}, b{locks};
    fenced_lock first{a, "k"}, second{b, "k"};
    fencing_token last{};
    for (int i = 0; i < 2; ++i) {
        for (fenced_lock* const one : {&first, &second}) {
            fenced_lock& other = one == &first ? second : first;
            ASSERT_NO_THROW(one->lock()) << where;
            EXPECT_GT(one->token(), last) << where;
            last = one->token();
            EXPECT_FALSE(other.try_lock()) << where;
            EXPECT_FALSE(other.try_lock_shared()) << where;
            EXPECT_TRUE(one->owns_lock()) << where;
            EXPECT_FALSE(unlock(*one)) << where;
        }
        ASSERT_TRUE(first.try_lock_shared()) << where;
        ASSERT_TRUE(second.try_lock_shared()) << where;
        EXPECT_GT(second.token(), first.token()) << where;
        last = second.token();
        EXPECT_FALSE(unlock(first)) << where;
        EXPECT_FALSE(unlock(second)) << where;
    }
    first.lock();
    EXPECT_EQ(process({"try", locks, "k", "shared"}).hear(), "no") << where;
    first.unlock();
    EXPECT_EQ(process({"try", locks, "k", "exclusive"}).hear(), "yes") << where;
}

TEST_F(SqliteSettings, OfTheProgramsExtensionsDoNotDecideWhatIsLocked) {
    int count = 0;
    for (const char* const sql : {
             "PRAGMA locking_mode = EXCLUSIVE", "PRAGMA locking_mode = EXCLUSIVE; SELECT * FROM sqlite_schema", "PRAGMA query_only = ON", "BEGIN",
             "BEGIN; SELECT * FROM sqlite_schema", "BEGIN EXCLUSIVE", "PRAGMA journal_mode = WAL", "PRAGMA journal_mode = OFF", "PRAGMA journal_mode = MEMORY",
             "PRAGMA journal_mode = PERSIST", "PRAGMA journal_mode = TRUNCATE", "PRAGMA synchronous = OFF", "PRAGMA busy_timeout = 60000", "PRAGMA temp_store = MEMORY",
             "PRAGMA mmap_size = 268435456", "PRAGMA cache_size = 1", "PRAGMA foreign_keys = ON", "PRAGMA read_uncommitted = ON", "PRAGMA defer_foreign_keys = ON",
             "PRAGMA cell_size_check = ON", "PRAGMA trusted_schema = OFF", "PRAGMA writable_schema = ON", "PRAGMA recursive_triggers = ON",
             "PRAGMA auto_vacuum = FULL", "PRAGMA page_size = 65536", "PRAGMA encoding = 'UTF-16'", "PRAGMA secure_delete = ON", "PRAGMA count_changes = ON",
             "PRAGMA full_column_names = ON", "PRAGMA empty_result_callbacks = ON", "PRAGMA case_sensitive_like = ON",
             "ATTACH ':memory:' AS other", "CREATE TEMP TABLE dlock (kind, name, more)", "CREATE TEMP TABLE fence (id, last, more)",
         }) {
        sql_of_the_program = sql;
        const auto_extension here{[](sqlite3* connection) {
            (void)sqlite3_exec(connection, sql_of_the_program.c_str(), nullptr, nullptr, nullptr);
            return sqlite3_exec(connection, "", nullptr, nullptr, nullptr);  // forgets an error, which would be that of opening
        }};
        expect_that_locks_mean_something(locks, sql);
        fs::remove_all(locks);
        ++count;
    }
    RecordProperty("settings", count);
}

TEST_F(SqliteSettings, OfTheProgramsHooksDoNotDecideWhatIsLocked) {
    int (*const all[])(sqlite3*) = {
        [](sqlite3* c) { return sqlite3_set_authorizer(c, [](void*, int, const char*, const char*, const char*, const char*) { return SQLITE_DENY; }, nullptr); },
        [](sqlite3* c) { return sqlite3_progress_handler(c, 1, [](void*) { return 1; }, nullptr), SQLITE_OK; },
        [](sqlite3* c) { return sqlite3_commit_hook(c, [](void*) { return 1; }, nullptr), SQLITE_OK; },
        [](sqlite3* c) { return sqlite3_rollback_hook(c, [](void*) { ADD_FAILURE() << "the program hears of what it has not done"; }, nullptr), SQLITE_OK; },
        [](sqlite3* c) { return sqlite3_busy_handler(c, [](void*, int) { return 1; }, nullptr); },
        [](sqlite3* c) { return sqlite3_limit(c, SQLITE_LIMIT_ATTACHED, 0), SQLITE_OK; },
    };
    for (std::size_t i = 0; i < std::size(all); ++i) {
        const auto_extension here{all[i]};
        expect_that_locks_mean_something(locks, "hook " + std::to_string(i));
        fs::remove_all(locks);
    }
}

TEST_F(SqliteSettings, ThatKeepTheCounterFromCountingAreAnError) {
    session s{locks};
    fenced_lock l{s, "k"};
    l.lock();
    l.unlock();
    sqlite3* counter = nullptr;
    ASSERT_EQ(sqlite3_open((locks / "fence.db").c_str(), &counter), SQLITE_OK);
    ASSERT_EQ(sqlite3_exec(counter, "CREATE TRIGGER no BEFORE UPDATE ON fence BEGIN SELECT RAISE(IGNORE); END", nullptr, nullptr, nullptr), SQLITE_OK);
    const auto e = error_of([&] { l.lock(); });
    EXPECT_EQ(e.reason(), errc::server_error);
    EXPECT_THAT(e.what(), HasSubstr("trigger"));
    EXPECT_FALSE(l.owns_lock());
    EXPECT_EQ(s.held(), 0u);
    ASSERT_EQ(sqlite3_exec(counter, "DROP TRIGGER no", nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(counter);
    EXPECT_TRUE(l.try_lock());
}

TEST_F(SqliteSettings, ThatLeaveNoRoomAreExhausted) {
    const auto_extension here{[](sqlite3* connection) { return sqlite3_exec(connection, "PRAGMA max_page_count = 1", nullptr, nullptr, nullptr); }};
    session s{locks};
    lock l{s, "k"};
    const auto e = error_of([&] { l.lock(); });
    EXPECT_EQ(e.reason(), errc::exhausted) << e.what();
    EXPECT_THAT(e.what(), ::testing::Not(HasSubstr("No such file")));
    EXPECT_FALSE(l.owns_lock());
    EXPECT_TRUE(fs::is_empty(locks));
}

TEST_F(SqliteSettings, ThatForceALockIntoWalModeAreRefused) {
    const auto_extension here{[](sqlite3* connection) {
        return sqlite3_exec(connection, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL", nullptr, nullptr, nullptr);
    }};
    session s{locks};
    lock l{s, "k"};
    EXPECT_EQ(reason_of([&] { l.lock(); }), errc::unsupported);
    EXPECT_FALSE(l.owns_lock());
}

TEST_F(SqliteSettings, OfAnExtensionThatFailsAreNamed) {
    session s{locks};
    lock l{s, "k"};
    {
        const auto_extension here{[](sqlite3*) { return SQLITE_ERROR; }};
        const auto e = error_of([&] { l.lock(); });
        EXPECT_EQ(e.reason(), errc::server_error);
        EXPECT_THAT(e.what(), HasSubstr("automatic extension"));
        EXPECT_FALSE(l.owns_lock());
    }
    EXPECT_TRUE(l.try_lock());
}

TEST_F(SqliteSettings, OfTheEnvironmentDoNotDecideWhatIsLocked) {
    for (const char* const variable : {"SQLITE_TMPDIR", "TMPDIR"}) {
        ::setenv(variable, "/nonexistent", 1);
        expect_that_locks_mean_something(locks, variable);
        ::unsetenv(variable);
    }
}

TEST_F(SqliteSettings, OfMemoryAreExhaustedAndNotHeld) {
    session s{locks};
    lock l{s, "k"};
    const auto before = sqlite3_hard_heap_limit64(sqlite3_memory_used() + 1);
    const auto e = error_of([&] { l.lock(); });
    sqlite3_hard_heap_limit64(before);
    EXPECT_EQ(e.reason(), errc::exhausted) << e.what();
    EXPECT_FALSE(l.owns_lock());
    EXPECT_TRUE(l.try_lock());
}

TEST_F(SqliteSettings, SurviveAShutdownBetweenSessions) {
    expect_that_locks_mean_something(locks, "before");
    ASSERT_EQ(sqlite3_shutdown(), SQLITE_OK);
    expect_that_locks_mean_something(locks, "after");
}

}  // namespace
}  // namespace dlock::testing
