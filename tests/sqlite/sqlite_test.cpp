// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Lock directories and lock databases: how they come to be, and what is said of bad ones.
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <dlock/keys/hashed_key.hpp>
#include <dlock/keys/hashed_name.hpp>
#include <dlock/keys/integer_key.hpp>
#include <dlock/keys/integer_pair_key.hpp>
#include <dlock/sqlite.hpp>
#include <dlock/sqlite/error.hpp>

#include "tests/sqlite/support.hpp"
#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

namespace fs = std::filesystem;
using sqlite::lock;
using sqlite::lock_database;
using sqlite::session;
using ::testing::HasSubstr;

static_assert(shared_timed_lockable<lock> && timed_lockable<lock>);

/// Runs SQL on a file that nobody in this process holds.
std::string sql(const fs::path& file, const char* text) {
    sqlite3* database = nullptr;
    std::string first;
    EXPECT_EQ(sqlite3_open(file.c_str(), &database), SQLITE_OK);
    const auto keep = [](void* to, int, char** values, char**) {
        *static_cast<std::string*>(to) += values[0];
        return 0;
    };
    EXPECT_EQ(sqlite3_exec(database, text, keep, &first, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
    sqlite3_close(database);
    return first;
}

std::vector<std::string> files_in(const fs::path& directory) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator{directory}) names.push_back(entry.path().filename());
    return names;
}

using SqliteDirectory = SqliteTest;
using SqliteKey = SqliteTest;
using SqliteFile = SqliteTest;
using SqliteWal = SqliteTest;
using SqliteError = SqliteTest;

TEST_F(SqliteDirectory, IsMade) {
    session a{locks}, b{locks};
    EXPECT_EQ(a.directory(), locks);
    lock first{a, "k"}, second{b, "k"};
    EXPECT_TRUE(first.try_lock());
    EXPECT_FALSE(second.try_lock());
}

TEST_F(SqliteDirectory, WithoutAParentIsRefused) {
    const auto e = error_of([&] { session{locks / "deeper"}; });
    EXPECT_EQ(e.reason(), errc::server_error);
    EXPECT_THAT(e.what(), HasSubstr((locks / "deeper").string()));
    EXPECT_THAT(e.what(), HasSubstr("No such file or directory"));
    EXPECT_FALSE(fs::exists(locks));
}

TEST_F(SqliteDirectory, ThatMayNotBeMadeIsRefusedWithItsReason) {
    fs::permissions(folder, fs::perms::owner_read | fs::perms::owner_exec);
    process other{{"refuse", locks, "k", "capabilities"}};
    const auto said = other.hear();
    EXPECT_THAT(said, HasSubstr(locks.string()));
    EXPECT_THAT(said, HasSubstr("Permission denied"));
    fs::permissions(folder, fs::perms::owner_all);
}

TEST_F(SqliteDirectory, ThatIsAFileIsRefused) {
    std::ofstream{locks} << "not a directory";
    const auto e = error_of([&] { session{locks}; });
    EXPECT_EQ(e.reason(), errc::server_error);
    EXPECT_THAT(e.what(), HasSubstr(locks.string()));
    EXPECT_THAT(e.what(), HasSubstr("Not a directory"));
}

TEST_F(SqliteDirectory, WithAnEmptyNameIsRefused) { EXPECT_EQ(reason_of([] { session{""}; }), errc::server_error); }

TEST_F(SqliteDirectory, WithAQuoteIsRefused) {
    const auto quoted = folder / "a \"b";
    const auto e = error_of([&] { session{quoted}; });
    EXPECT_EQ(e.reason(), errc::unsupported);
    EXPECT_THAT(e.what(), HasSubstr("'\"'"));
    EXPECT_FALSE(fs::exists(quoted));
}

TEST_F(SqliteDirectory, MayHaveAnyOtherName) {
    for (const char* name : {"with space", "a=b c=d", "vfs=none", "100%41", "what?#", "file:x", "'", " ", "\xc3\xa9"}) {
        session a{folder / name}, b{folder / name};
        lock first{a, "k"}, second{b, "k"};
        ASSERT_TRUE(first.try_lock()) << name;
        EXPECT_FALSE(second.try_lock()) << name;
        EXPECT_TRUE(fs::exists(a.file("k"))) << name;
    }
}

TEST_F(SqliteDirectory, ThatIsRelativeStaysWhereItWas) {
    const auto before = fs::current_path();
    fs::current_path(folder);
    session a{"locks"};
    fs::current_path(before);
    lock l{a, "k"};
    l.lock();
    EXPECT_EQ(a.directory(), locks);
    EXPECT_EQ(files_in(locks).size(), 1u);
}

TEST_F(SqliteDirectory, BehindASymbolicLinkIsTheSame) {
    session a{locks};
    fs::create_directory_symlink(locks, folder / "link");
    session b{folder / "link"};
    lock first{a, "k"}, second{b, "k"};
    first.lock();
    EXPECT_FALSE(second.try_lock());
}

TEST_F(SqliteDirectory, ThatIsReadOnlyIsRefusedWithItsReason) {
    fs::create_directory(locks);
    fs::permissions(locks, fs::perms::owner_read | fs::perms::owner_exec);
    process other{{"refuse", locks, "k", "capabilities"}};
    const auto said = other.hear();
    EXPECT_THAT(said, ::testing::StartsWith(std::to_string(static_cast<int>(errc::server_error)) + " "));
    EXPECT_THAT(said, HasSubstr(locks.string()));
    EXPECT_THAT(said, HasSubstr("Permission denied"));
    fs::permissions(locks, fs::perms::owner_all);
    EXPECT_TRUE(files_in(locks).empty());
}

TEST_F(SqliteDirectory, ThatIsGoneIsNamed) {
    session a{locks};
    lock l{a, "k"};
    fs::remove_all(locks);
    const auto e = error_of([&] { l.lock(); });
    EXPECT_EQ(e.reason(), errc::server_error);
    EXPECT_THAT(e.what(), HasSubstr(locks.string()));
    EXPECT_THAT(e.what(), HasSubstr("No such file or directory"));
    EXPECT_FALSE(l.owns_lock());
    fs::create_directory(locks);
    EXPECT_TRUE(l.try_lock());
}

TEST_F(SqliteKey, IsAWireFormat) {  // printf 'text:user/001' | b2sum -l 128
    session a{locks};
    EXPECT_EQ(a.file("user/001"), locks / "1cdb47f95890eacd0317762bf260267d.lock");
    EXPECT_EQ(a.file(""), locks / "6a18062c58cbd3be6e049040649bbe20.lock");
    EXPECT_EQ(a.file(std::int64_t{-7}), locks / "a033844f308eadd95701f31b21a7e35f.lock");
    EXPECT_EQ(a.file(integer_pair{1, -2}), locks / "825405551995505a663924be39d5ffb2.lock");
}

TEST_F(SqliteKey, ComesFromEveryPolicyAndKindsNeverMeet) {
    session a{locks}, b{locks};
    basic_lock<lock_database, integer_key> integer{a, 7}, integer_too{b, 7};
    basic_lock<lock_database, integer_pair_key> pair{a, integer_pair{0, 7}}, pair_too{b, integer_pair{0, 7}};
    basic_lock<lock_database, hashed_name> hashed{a, "7"}, hashed_too{b, "7"};
    lock text{a, "7"}, text_too{b, "7"}, similar{a, "0,7"};
    integer.lock();
    pair.lock();
    hashed.lock();
    text.lock();
    similar.lock();
    EXPECT_EQ(a.held(), 5u);
    EXPECT_FALSE(integer_too.try_lock());
    EXPECT_FALSE(pair_too.try_lock());
    EXPECT_FALSE(hashed_too.try_lock());
    EXPECT_FALSE(text_too.try_lock());
}

TEST_F(SqliteKey, KeepsEveryByteOfAText) {
    using namespace std::string_literals;
    session a{locks}, b{locks};
    const std::vector<sqlite::key> keys{"k"s, "k\0"s, "k\0x"s, "K"s, " k"s, "k "s, ""s, "\xff"s, std::string(100'000, 'k'), "../../k"s};
    for (const auto& k : keys) EXPECT_TRUE(lock_database::try_acquire(a, k, mode::exclusive));
    for (const auto& k : keys) EXPECT_FALSE(lock_database::try_acquire(b, k, mode::exclusive));
    EXPECT_EQ(files_in(locks).size(), keys.size());
}

TEST_F(SqliteKey, IsWrittenInItsFile) {
    fs::path text, pair;
    {
        session a{locks};
        lock{a, "user/001"}.lock();
        text = a.file("user/001");
        const integer_pair numbers{3, -4};
        basic_lock<lock_database, integer_pair_key>{a, numbers}.lock_shared();
        pair = a.file(numbers);
    }
    EXPECT_EQ(sql(text, "SELECT kind || ' ' || name FROM dlock"), "text user/001");
    EXPECT_EQ(sql(pair, "SELECT kind || ' ' || name FROM dlock"), "pair 3,-4");
}

TEST_F(SqliteFile, IsMadeOnceWhoeverComesFirst) {
    // A reader that finds the file half made, or locked by its maker, would be refused although there are only readers.
    for (int round = 0; round < 5; ++round) {
        const auto name = "fresh" + std::to_string(round);
        std::vector<std::unique_ptr<process>> all;
        for (int i = 0; i < 6; ++i) all.push_back(std::make_unique<process>(std::vector<std::string>{"meet", locks, name, "shared"}));
        for (auto& one : all) EXPECT_EQ(one->hear(), "ready");
        for (auto& one : all) one->tell();
        for (auto& one : all) EXPECT_EQ(one->hear(), "yes");
    }
    const auto names = files_in(locks);
    EXPECT_EQ(names.size(), 5u);
    EXPECT_TRUE(std::ranges::all_of(names, [](const auto& name) { return name.ends_with(".lock"); })) << "drafts are left";
}

TEST_F(SqliteFile, IsOpenedOnceForManyLocks) {
    session a{locks}, b{locks};
    lock l{a, "k"}, rival{b, "k"};
    l.lock();
    EXPECT_FALSE(rival.try_lock());
    l.unlock();
    const int watch = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    ASSERT_GE(::inotify_add_watch(watch, locks.c_str(), IN_OPEN | IN_CREATE | IN_CLOSE | IN_DELETE | IN_MODIFY), 0);
    for (int i = 0; i < 50; ++i) {
        l.lock();
        EXPECT_FALSE(rival.try_lock_shared());
        l.unlock();
        l.lock_shared();
        EXPECT_FALSE(rival.try_lock());
        l.unlock();
    }
    char event[1000];
    EXPECT_LT(::read(watch, event, sizeof event), 0) << "something was opened, made, closed or written";
    ::close(watch);
}

TEST_F(SqliteFile, IsNotSearchedForAJournal) {  // a question to the file system with each lock, which ours ask in another way
    session a{locks};
    lock l{a, "k"};
    l.lock();
    l.unlock();
    const auto journal = a.file("k").string() + "-journal";
    std::ofstream{journal} << "SQLite would take this for a left-over journal, and delete it";
    l.lock();
    EXPECT_TRUE(fs::exists(journal));
}

TEST_F(SqliteFile, IsAskedForItsSizeOnce) {  // the same
    static sqlite3_syscall_ptr fstat_of_sqlite;
    static int asked;
    session a{locks};
    lock l{a, "k"};
    l.lock();
    l.unlock();
    asked = 0;
    auto* const vfs = sqlite3_vfs_find("unix");
    fstat_of_sqlite = vfs->xGetSystemCall(vfs, "fstat");
    const auto count = [](int file, struct stat* found) { return ++asked, reinterpret_cast<int (*)(int, struct stat*)>(fstat_of_sqlite)(file, found); };
    vfs->xSetSystemCall(vfs, "fstat", reinterpret_cast<sqlite3_syscall_ptr>(+count));
    for (int i = 0; i < 10; ++i) {
        l.lock();
        l.unlock();
        l.lock_shared();
        l.unlock();
    }
    EXPECT_EQ(asked, 0);
    lock{a, "another"}.lock();
    EXPECT_GT(asked, 0) << "this counts nothing";
    vfs->xSetSystemCall(vfs, "fstat", nullptr);
}

TEST_F(SqliteFile, ThatIsCutOffExcludesAllTheSame) {
    session a{locks}, b{locks}, c{locks};
    lock first{a, "k"}, second{b, "k"}, third{c, "k"};
    for (const off_t size : {512, 0}) {
        first.lock();
        EXPECT_FALSE(second.try_lock());
        ASSERT_EQ(::truncate(a.file("k").c_str(), size), 0);  // without opening it, which would free the lock
        EXPECT_TRUE(first.owns_lock());
        EXPECT_FALSE(second.try_lock_shared());
        EXPECT_FALSE(third.try_lock()) << "opened since";
        EXPECT_FALSE(unlock(first));
        for (int round = 0; round < 3; ++round) {
            int held = 0;
            for (lock* one : {&third, &second, &first}) {
                try {
                    held += one->try_lock() ? 1 : 0;
                } catch (const lock_error& e) {
                    EXPECT_EQ(e.reason(), errc::server_error) << e.what();
                    EXPECT_FALSE(one->owns_lock());
                }
            }
            EXPECT_LE(held, 1);
            for (lock* one : {&third, &second, &first}) one->unlock();
        }
        fs::remove(a.file("k"));
    }
}

std::size_t open_in(const fs::path& directory) {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator{"/proc/self/fd"}) {
        std::error_code gone;
        if (fs::read_symlink(entry.path(), gone).parent_path() == directory) ++count;
    }
    return count;
}

TEST_F(SqliteFile, IsClosedWhenManyOthersWereUsedSince) {
    std::optional<session> a{std::in_place, locks}, b{std::in_place, locks};
    for (int i = 0; i < 50; ++i) {
        lock l{*a, "k" + std::to_string(i)}, refused{*b, "k" + std::to_string(i)};
        l.lock();
        EXPECT_FALSE(refused.try_lock());
    }
    EXPECT_LE(open_in(locks), 32u);
    a.reset();
    b.reset();
    EXPECT_EQ(open_in(locks), 0u);
}

TEST_F(SqliteFile, StaysOpenForEveryLockThatIsHeld) {
    session a{locks}, b{locks};
    std::vector<std::unique_ptr<lock>> all;
    for (int i = 0; i < 50; ++i) {
        all.push_back(std::make_unique<lock>(a, "k" + std::to_string(i)));
        all.back()->lock();
    }
    EXPECT_EQ(a.held(), 50u);
    for (int i = 0; i < 50; ++i) EXPECT_FALSE(lock(b, "k" + std::to_string(i)).try_lock());
    for (auto& one : all) EXPECT_FALSE(unlock(*one));
    EXPECT_EQ(a.held(), 0u);
    EXPECT_LE(open_in(locks), 32u) << "16 idle ones for each session";
}

TEST_F(SqliteFile, ThatIsEmptyLocksAsWell) {
    session a{locks}, b{locks};
    std::ofstream{a.file("k")};
    lock first{a, "k"}, second{b, "k"};
    EXPECT_TRUE(first.try_lock());
    EXPECT_FALSE(second.try_lock_shared());
    first.unlock();
    EXPECT_TRUE(first.try_lock_shared());
    EXPECT_TRUE(second.try_lock_shared());
}

TEST_F(SqliteFile, ThatIsNoDatabaseIsNamed) {
    session a{locks};
    std::ofstream{a.file("k")} << std::string(4096, '?');
    lock l{a, "k"};
    for (int i = 0; i < 2; ++i) {
        const auto e = error_of([&] { l.lock(); });
        EXPECT_EQ(e.reason(), errc::server_error);
        EXPECT_EQ(e.native(), std::to_string(SQLITE_NOTADB));
        EXPECT_THAT(e.what(), HasSubstr(a.file("k").string()));
    }
    EXPECT_EQ(reason_of([&] { (void)l.try_lock_shared(); }), errc::server_error);
}

TEST_F(SqliteFile, ThatIsReadOnlyIsRefusedWithItsReason) {
    fs::path file;
    {
        session a{locks};
        lock{a, "k"}.lock();
        file = a.file("k");
    }
    fs::permissions(file, fs::perms::owner_read);
    process other{{"refuse", locks, "k", "capabilities"}};
    const auto said = other.hear();
    EXPECT_THAT(said, ::testing::StartsWith(std::to_string(static_cast<int>(errc::server_error)) + " "));
    EXPECT_THAT(said, HasSubstr(file.string()));
    EXPECT_THAT(said, HasSubstr("Permission denied"));
}

TEST_F(SqliteFile, NeedsNoWritableDirectoryOnceItIsThere) {
    {
        session a{locks};
        for (int i = 0; i < 100; ++i) lock{a, i == 0 ? "k" : "k" + std::to_string(i)}.lock();
    }
    fs::permissions(locks, fs::perms::owner_read | fs::perms::owner_exec);
    process other{{"refuse", locks, "k", "capabilities"}};
    EXPECT_EQ(other.hear(), "nothing");
    fs::permissions(locks, fs::perms::owner_all);
}

TEST_F(SqliteFile, ThatNoDescriptorIsLeftForIsExhausted) {
    process other{{"refuse", locks, "k", "files"}};
    const auto said = other.hear();
    EXPECT_THAT(said, ::testing::StartsWith(std::to_string(static_cast<int>(errc::exhausted)) + " "));
    EXPECT_THAT(said, HasSubstr("Too many open files"));
}

/// A file system that has no locks to give, as NFS has none without its daemon. https://www.sqlite.org/c3ref/vfs.html
class without_locks {
public:
    without_locks() {
        auto* const vfs = sqlite3_vfs_find("unix");
        real = vfs->xGetSystemCall(vfs, "fcntl");
        vfs->xSetSystemCall(vfs, "fcntl", reinterpret_cast<sqlite3_syscall_ptr>(refuse));
    }
    ~without_locks() {
        auto* const vfs = sqlite3_vfs_find("unix");
        vfs->xSetSystemCall(vfs, "fcntl", nullptr);
    }
    without_locks(const without_locks&) = delete;
    without_locks& operator=(const without_locks&) = delete;

private:
    static int refuse(int file, int command, ...) {
        std::va_list arguments;
        va_start(arguments, command);
        void* const argument = va_arg(arguments, void*);
        va_end(arguments);
        if (command == F_SETLK && static_cast<const struct flock*>(argument)->l_type != F_UNLCK) {
            errno = ENOLCK;
            return -1;
        }
        return reinterpret_cast<int (*)(int, int, ...)>(real)(file, command, argument);
    }

    static inline sqlite3_syscall_ptr real = nullptr;
};

TEST_F(SqliteFile, WhereThereAreNoLocksIsExhaustedAndNotWaitedFor) {
    using namespace std::chrono_literals;
    session a{locks}, b{locks};
    lock known{a, "k"}, fresh{a, "new"}, rival{b, "k"};
    known.lock();
    known.unlock();
    {
        const without_locks here;
        for (lock* const one : {&known, &fresh}) {
            const auto e = error_of([&] { (void)one->try_lock_for(5s); });
            EXPECT_EQ(e.reason(), errc::exhausted) << e.what();
            EXPECT_THAT(e.what(), HasSubstr("No locks available"));
            EXPECT_EQ(reason_of([&] { (void)one->try_lock(); }), errc::exhausted);
            EXPECT_EQ(reason_of([&] { (void)one->try_lock_shared(); }), errc::exhausted);
            EXPECT_FALSE(one->owns_lock());
        }
        EXPECT_EQ(a.held(), 0u);
    }
    EXPECT_TRUE(known.try_lock());
    EXPECT_TRUE(fresh.try_lock());
    EXPECT_FALSE(rival.try_lock()) << "one that somebody holds is no error";
}

/// As long as it lives. https://www.sqlite.org/sharedcache.html
class shared_cache {
public:
    shared_cache() { sqlite3_enable_shared_cache(1); }
    ~shared_cache() { sqlite3_enable_shared_cache(0); }
    shared_cache(const shared_cache&) = delete;
    shared_cache& operator=(const shared_cache&) = delete;
};

TEST_F(SqliteFile, InASharedCacheIsRefusedWithItsReason) {
    if (sqlite3_compileoption_used("OMIT_SHARED_CACHE") != 0) GTEST_SKIP() << "this SQLite has no shared cache";
    const shared_cache on;
    session a{locks}, b{locks};
    lock first{a, "k"}, second{b, "k"};
    for (const auto m : {mode::exclusive, mode::shared}) {
        if (m == mode::shared) first.lock_shared();
        else first.lock();
        for (int i = 0; i < 2; ++i) {
            const auto e = error_of([&] { (void)second.try_lock(); });
            EXPECT_EQ(e.reason(), errc::unsupported) << e.what();
            EXPECT_THAT(e.what(), HasSubstr("sqlite3_enable_shared_cache(0)"));
            EXPECT_EQ(reason_of([&] { second.lock(); }), errc::unsupported);
        }
        EXPECT_FALSE(second.owns_lock());
        EXPECT_TRUE(first.owns_lock());
        EXPECT_EQ(process({"try", locks, "k", "exclusive"}).hear(), "no");
        EXPECT_FALSE(unlock(first));
        EXPECT_TRUE(second.try_lock());
        EXPECT_FALSE(unlock(second));
    }
}

TEST_F(SqliteFile, ThatCannotBeWrittenLeavesNothingBehind) {
    process other{{"refuse", locks, "k", "space"}};
    const auto said = other.hear();
    EXPECT_THAT(said, HasSubstr(locks.string()));
    EXPECT_THAT(said, ::testing::StartsWith(std::to_string(static_cast<int>(errc::exhausted)) + " "));
    EXPECT_THAT(said, HasSubstr("disk I/O error (File too large)")) << "and not ended by SIGXFSZ";
    EXPECT_TRUE(files_in(locks).empty());
}

TEST_F(SqliteWal, IsRefusedInBothModesAndNothingIsHeld) {
    session a{locks}, b{locks};
    lock l{a, "k"}, other{b, "k"};
    l.lock();
    l.unlock();
    ASSERT_EQ(sql(a.file("k"), "PRAGMA journal_mode = WAL"), "wal") << "behind the back of a session that has it open";
    for (int i = 0; i < 2; ++i) {
        for (lock* one : {&l, &other}) {
            const auto e = error_of([&] { one->lock(); });
            EXPECT_EQ(e.reason(), errc::unsupported);
            EXPECT_THAT(e.what(), HasSubstr(a.file("k").string()));
            EXPECT_THAT(e.what(), HasSubstr("WAL"));
            EXPECT_EQ(reason_of([&] { (void)one->try_lock_shared(); }), errc::unsupported);
            EXPECT_FALSE(one->owns_lock());
        }
    }
    EXPECT_EQ(a.held(), 0u);
    EXPECT_TRUE(l.holders().empty());
    ASSERT_EQ(sql(a.file("k"), "PRAGMA journal_mode = DELETE"), "delete") << "somebody still holds it";
    EXPECT_TRUE(l.try_lock());
    EXPECT_FALSE(other.try_lock_shared());
}

TEST_F(SqliteError, ReasonsAndCodes) {
    const auto reason = [](int code, int system = 0) { return sqlite::failure(code, system, "lock /x").reason(); };
    EXPECT_EQ(reason(SQLITE_FULL), errc::exhausted);
    EXPECT_EQ(reason(SQLITE_NOMEM), errc::exhausted);
    EXPECT_EQ(reason(SQLITE_IOERR_NOMEM), errc::exhausted);
    EXPECT_EQ(reason(SQLITE_CANTOPEN, EMFILE), errc::exhausted);
    EXPECT_EQ(reason(SQLITE_CANTOPEN, ENFILE), errc::exhausted);
    EXPECT_EQ(reason(SQLITE_CANTOPEN, ENOSPC), errc::exhausted);
    EXPECT_EQ(reason(SQLITE_IOERR_WRITE, EDQUOT), errc::exhausted);
    EXPECT_EQ(reason(SQLITE_IOERR_WRITE, EFBIG), errc::exhausted);
    EXPECT_EQ(reason(SQLITE_IOERR_LOCK, ENOLCK), errc::exhausted);
    EXPECT_EQ(reason(SQLITE_LOCKED_SHAREDCACHE), errc::unsupported);
    EXPECT_EQ(reason(SQLITE_READONLY_DBMOVED), errc::lost);
    EXPECT_EQ(reason(SQLITE_IOERR_VNODE), errc::lost);
    for (const int code : {SQLITE_CANTOPEN, SQLITE_READONLY, SQLITE_PERM, SQLITE_IOERR_LOCK, SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_ERROR}) {
        EXPECT_EQ(reason(code), errc::server_error);
    }
    const auto e = sqlite::failure(SQLITE_IOERR_READ, EIO, "lock /x");
    EXPECT_EQ(e.native(), std::to_string(SQLITE_IOERR_READ));
    EXPECT_STREQ(e.what(), ("dlock: cannot lock /x: disk I/O error (Input/output error): " + e.code().message()).c_str());
}

}  // namespace
}  // namespace dlock::testing
