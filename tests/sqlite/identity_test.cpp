// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Which database a lock belongs to: a file, and not what it is called. Whatever name a session came by, the locks beside its
// database are the same, or are refused, or are lost; nobody is told that it holds one which excludes nobody.
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <soci/soci.h>

#include <dlock/sqlite.hpp>
#include <dlock/sqlite/sqlite_api.hpp>

#include "tests/sqlite/support.hpp"
#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using sqlite::session_beside;
using ::testing::HasSubstr;

sqlite_api::sqlite3* native(soci::session& s) { return static_cast<soci::sqlite3_session_backend*>(s.get_backend())->conn_; }

std::vector<std::string> files_in(const fs::path& directory) {
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator{directory}) names.push_back(entry.path().filename());
    return names;
}

/// A program that has a database open, and a lock beside it.
struct program {
    explicit program(const std::string& name, const std::string& options = "")
        : db{soci::sqlite3, options + "dbname=\"" + name + "\""}, locks{session_beside(db)} {}

    soci::session db;
    std::shared_ptr<sqlite::session> locks;
    sqlite::lock lock{*locks, "k"};
};

class SqliteIdentity : public SqliteTest {
protected:
    SqliteIdentity() {
        soci::session made{soci::sqlite3, "dbname=\"" + file.string() + "\""};
        made << "CREATE TABLE t (x INTEGER)";
    }

    /// What a program is told that opens the database by this name and wants a lock; nothing is made.
    errc refusal(const std::string& name, const std::string& options = "") const {
        soci::session db;
        try {
            db.open(soci::sqlite3, options + "dbname=\"" + name + "\"");
        } catch (const soci::soci_error&) {
            if (name.empty()) return errc::unsupported;  // SOCI 4.1 refuses it itself
            throw;
        }
        const auto before = files_in(folder);
        const auto reason = reason_of([&] { (void)session_beside(db); });
        EXPECT_EQ(reason_of([&] { (void)sqlite::directory_beside(db); }), reason);
        EXPECT_EQ(files_in(folder), before);
        return reason;
    }

    const fs::path file = folder / "app.db";
};

using SqliteNoFile = SqliteIdentity;
using SqliteVfs = SqliteIdentity;
using SqliteMount = SqliteIdentity;

// --- no file

TEST_F(SqliteNoFile, IsRefusedAndNothingIsMade) {
    const auto name = (folder / "x").string();
    const std::pair<std::string, std::string> all[] = {
        {":memory:", ""},
        {"", ""},
        {"file::memory:?cache=shared", ""},
        {"file:x?mode=memory&cache=shared", ""},
        {"file:" + name + "?vfs=memdb", ""},
        {name, "vfs=memdb "},
        {"x", "vfs=memdb "},
    };
    const auto here = fs::current_path();
    fs::current_path(folder);
    for (const auto& [what, options] : all) EXPECT_EQ(refusal(what, options), errc::unsupported) << options << what;
    fs::current_path(here);
}

TEST_F(SqliteNoFile, IsWhatADatabaseHasThatWasReplacedByOneInMemory) {
    soci::session db{soci::sqlite3, "dbname=\"" + file.string() + "\""};
    auto* const content = static_cast<unsigned char*>(sqlite_api::sqlite3_malloc(4096));
    std::fill_n(content, 4096, '\0');
    ASSERT_EQ(sqlite_api::sqlite3_deserialize(native(db), "main", content, 0, 4096, SQLITE_DESERIALIZE_FREEONCLOSE), SQLITE_OK);
    EXPECT_EQ(reason_of([&] { (void)session_beside(db); }), errc::unsupported);
}

TEST_F(SqliteNoFile, IsMadeByAnAttachedOne) {
    soci::session db{soci::sqlite3, "dbname=:memory:"};
    db << "ATTACH '" + file.string() + "' AS other";
    EXPECT_EQ(reason_of([&] { (void)session_beside(db); }), errc::unsupported);
}

// --- one file, many names

TEST_F(SqliteIdentity, IsTheSameByWhateverNameItWasOpened) {
    const auto here = fs::current_path();
    fs::current_path(folder);
    fs::create_directory(folder / "deep");
    fs::create_symlink("app.db", folder / "link.db");
    fs::create_symlink("link.db", folder / "link to link.db");
    fs::create_directory_symlink(folder, folder / "deep/way");
    fs::permissions(file, fs::perms::owner_all);
    program first{file.string()};
    first.lock.lock();
    const std::pair<std::string, std::string> all[] = {
        {file.string(), ""},
        {"app.db", ""},
        {"./deep/../app.db", ""},
        {"//" + file.string(), ""},
        {"link.db", ""},
        {"link to link.db", ""},
        {"deep/way/app.db", ""},
        {"deep/way/link.db", ""},
        {"/proc/self/cwd/app.db", ""},
        {"file:app.db", ""},
        {"file:" + file.string() + "?mode=ro", ""},
        {"file:%61pp.db?psow=0", ""},
        {"file:app.db?nolock=1", ""},
        {"file:app.db?immutable=1", ""},
        {"app.db", "vfs=unix "},
        {"app.db", "vfs=unix-excl "},
    };
    for (const auto& [name, options] : all) {
        program second{name, options};
        EXPECT_EQ(second.locks->directory(), first.locks->directory()) << options << name;
        EXPECT_FALSE(second.lock.try_lock()) << options << name;
        fs::current_path(fs::temp_directory_path());
        first.lock.unlock();
        EXPECT_TRUE(second.lock.try_lock()) << options << name << ", after a change of directory";
        EXPECT_FALSE(first.lock.try_lock()) << options << name;
        second.lock.unlock();
        first.lock.lock();
        fs::current_path(folder);
    }
    first.db << "PRAGMA journal_mode = WAL";
    program wal{"link.db"};
    EXPECT_FALSE(wal.lock.try_lock());
    EXPECT_TRUE(first.lock.owns_lock());
    fs::current_path(here);
}

TEST_F(SqliteIdentity, OfAHardLinkedFileIsRefused) {
    fs::create_directory(folder / "elsewhere");
    for (const auto& second_name : {folder / "second.db", folder / "elsewhere/app.db"}) {
        program first{file.string()};
        first.lock.lock();
        fs::create_hard_link(file, second_name);
        EXPECT_EQ(refusal(second_name.string()), errc::unsupported);
        EXPECT_EQ(refusal(file.string()), errc::unsupported);
        EXPECT_FALSE(first.lock.owns_lock()) << "the other name may have been the only one for a while";
        EXPECT_EQ(unlock(first.lock), errc::lost);
        const auto e = error_of([&] { first.lock.lock(); });
        EXPECT_EQ(e.reason(), errc::unsupported);
        EXPECT_THAT(e.what(), HasSubstr(file.string() + " has 2 names"));
        fs::remove(second_name);
        EXPECT_TRUE(first.lock.try_lock()) << "it has one name again";
    }
}

/// Ways in which the file of a program gets another name.
const std::pair<const char*, std::function<void(const fs::path&, const fs::path&)>> ways_to_rename[] = {
    {"rename", [](const fs::path& from, const fs::path& to) { fs::rename(from, to); }},
    {"link and remove", [](const fs::path& from, const fs::path& to) {
         fs::create_hard_link(from, to);
         fs::remove(from);
     }},
    {"leave a symbolic link", [](const fs::path& from, const fs::path& to) {
         fs::rename(from, to);
         fs::create_symlink(to, from);
     }},
    {"leave another one", [](const fs::path& from, const fs::path& to) {
         fs::rename(from, to);
         std::ofstream{from};
     }},
};

TEST_F(SqliteIdentity, OfARenamedFileStaysWithTheFile) {
    fs::create_directory(folder / "elsewhere");
    for (const auto& [way, rename] : ways_to_rename) {
        for (const auto& name : {folder / "renamed.db", folder / "elsewhere/app.db"}) {
            auto first = std::make_unique<program>(file.string());
            first->lock.lock();
            rename(file, name);
            program second{name.string()};
            EXPECT_TRUE(second.lock.try_lock()) << way;
            EXPECT_FALSE(first->lock.owns_lock()) << way << ": both own it";
            EXPECT_EQ(first->locks->held(), 0u) << way;
            EXPECT_EQ(unlock(first->lock), errc::lost) << way;
            for (int i = 0; i < 2; ++i) {
                const auto e = error_of([&] { (void)first->lock.try_lock(); });
                EXPECT_EQ(e.reason(), errc::lost) << way;
                EXPECT_THAT(e.what(), HasSubstr(file.string() + " was renamed, replaced or deleted")) << way;
                EXPECT_EQ(reason_of([&] { first->lock.lock(); }), errc::lost) << way;
            }
            if (way != std::string{"leave a symbolic link"}) {
                EXPECT_EQ(reason_of([&] { (void)session_beside(first->db); }), errc::lost) << way << ": SQLite has not noticed, either";
            }
            EXPECT_TRUE(second.lock.owns_lock()) << way;
            first.reset();
            fs::rename(name, file);
        }
    }
}

TEST_F(SqliteIdentity, OfAFileThatIsRenamedEndsAWait) {
    program first{file.string()}, second{file.string()};
    first.lock.lock();
    background waiting{[&] { return reason_of([&] { (void)second.lock.try_lock_for(60s); }); }};
    await_waiters(*second.locks, "k");
    fs::rename(file, folder / "renamed.db");  // and the lock of the first is never given back
    EXPECT_EQ(waiting.get(), errc::lost);
    EXPECT_FALSE(second.lock.owns_lock());
}

TEST_F(SqliteIdentity, ComesBackWithTheName) {
    program first{file.string()};
    fs::rename(file, folder / "renamed.db");
    EXPECT_EQ(reason_of([&] { first.lock.lock(); }), errc::lost);
    fs::rename(folder / "renamed.db", file);
    EXPECT_TRUE(first.lock.try_lock());
}

TEST_F(SqliteIdentity, OfARenamedDirectoryGoesWithIt) {
    const auto before = folder / "before", after = folder / "after";
    fs::create_directory(before);
    program first{before / "app.db"};
    first.lock.lock();
    fs::rename(before, after);
    program second{after / "app.db"};
    EXPECT_FALSE(second.lock.try_lock()) << "the lock files have come with it";
    EXPECT_FALSE(first.lock.owns_lock());
    EXPECT_EQ(reason_of([&] { (void)session_beside(first.db); }), errc::lost);
    EXPECT_EQ(unlock(first.lock), errc::lost);
    EXPECT_TRUE(second.lock.try_lock());
    fs::create_directory_symlink(after, before);  // by which the lock directory is the same, too
    EXPECT_FALSE(first.lock.try_lock());
}

TEST_F(SqliteIdentity, OfAReplacedFileIsThatOfTheNewOne) {  // a restored backup, or VACUUM INTO and mv
    program first{file.string()};
    first.lock.lock();
    first.db << "VACUUM INTO '" + (folder / "new.db").string() + "'";
    fs::rename(folder / "new.db", file);
    program second{file.string()};
    EXPECT_FALSE(second.lock.try_lock()) << "the directory is the same, and who had a lock in it has not given it back";
    EXPECT_FALSE(first.lock.owns_lock());
    EXPECT_EQ(unlock(first.lock), errc::lost);
    EXPECT_TRUE(second.lock.try_lock());
    EXPECT_EQ(reason_of([&] { (void)first.lock.try_lock(); }), errc::lost);
    EXPECT_EQ(reason_of([&] { (void)session_beside(first.db); }), errc::lost);

    first.db.close();
    first.db.open(soci::sqlite3, "dbname=\"" + file.string() + "\"");
    const auto again = session_beside(first.db);
    EXPECT_NE(again, first.locks) << "that one is of the file which is gone";
    EXPECT_FALSE(sqlite::lock(*again, "k").try_lock());
    second.lock.unlock();
    EXPECT_TRUE(sqlite::lock(*again, "k").try_lock());
}

TEST_F(SqliteIdentity, OfADeletedFileIsLost) {
    program first{file.string()};
    first.lock.lock();
    fs::remove(file);
    EXPECT_FALSE(first.lock.owns_lock());
    EXPECT_EQ(unlock(first.lock), errc::lost);
    EXPECT_EQ(reason_of([&] { (void)first.lock.try_lock(); }), errc::lost);
    EXPECT_EQ(reason_of([&] { (void)session_beside(first.db); }), errc::lost);
}

TEST_F(SqliteIdentity, OfACopyIsAnother) {
    program first{file.string()};
    first.lock.lock();
    first.db << "VACUUM INTO '" + (folder / "copy.db").string() + "'";
    EXPECT_TRUE(program{folder / "copy.db"}.lock.try_lock());
    EXPECT_TRUE(first.lock.owns_lock());
}

// --- ways to the disk

TEST_F(SqliteVfs, ThatDoesNotRememberItsFileIsRefused) {
    EXPECT_EQ(refusal(file.string(), "vfs=unix-none "), errc::unsupported);
    EXPECT_EQ(refusal(file.string(), "vfs=unix-dotfile "), errc::unsupported);
    EXPECT_EQ(refusal("file:" + file.string() + "?vfs=unix-none"), errc::unsupported);
}

/// A VFS of the program's, as long as it lives: "unix" with another name. https://www.sqlite.org/vfs.html#vfs_shims
class own_vfs {
public:
    explicit own_vfs(bool is_default) {
        ours_ = *sqlite_api::sqlite3_vfs_find("unix");
        ours_.zName = "own";
        before_ = sqlite_api::sqlite3_vfs_find(nullptr);
        EXPECT_EQ(sqlite_api::sqlite3_vfs_register(&ours_, is_default ? 1 : 0), SQLITE_OK);
    }
    ~own_vfs() {
        sqlite_api::sqlite3_vfs_unregister(&ours_);
        sqlite_api::sqlite3_vfs_register(before_, 1);
    }
    own_vfs(const own_vfs&) = delete;
    own_vfs& operator=(const own_vfs&) = delete;

    sqlite_api::sqlite3_vfs* operator->() noexcept { return &ours_; }

private:
    sqlite_api::sqlite3_vfs ours_;
    sqlite_api::sqlite3_vfs* before_;
};

TEST_F(SqliteVfs, OfTheProgramsOwnIsAskedWhichFileItIs) {
    for (const bool is_default : {false, true}) {
        own_vfs own{is_default};
        program first{file.string(), "vfs=own "}, second{file.string()};
        first.lock.lock();
        EXPECT_FALSE(second.lock.try_lock());
        EXPECT_EQ(second.locks->directory(), first.locks->directory());
        fs::rename(file, folder / "renamed.db");
        EXPECT_FALSE(first.lock.owns_lock());
        EXPECT_EQ(reason_of([&] { (void)session_beside(first.db); }), errc::lost);
        fs::rename(folder / "renamed.db", file);
    }
}

sqlite_api::sqlite3_io_methods silent_methods;

TEST_F(SqliteVfs, ThatDoesNotTellItsFileIsRefused) {
    own_vfs own{false};
    own->xOpen = [](sqlite_api::sqlite3_vfs*, const char* name, sqlite_api::sqlite3_file* opened, int flags, int* given) {
        auto* const real = sqlite_api::sqlite3_vfs_find("unix");
        const int code = real->xOpen(real, name, opened, flags, given);
        if (code != SQLITE_OK) return code;
        silent_methods = *opened->pMethods;
        silent_methods.xFileControl = [](sqlite_api::sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; };
        opened->pMethods = &silent_methods;
        return code;
    };
    EXPECT_EQ(refusal(file.string(), "vfs=own "), errc::unsupported);
}

// --- mounts

/// Whether this process may mount, in a name space of its own from then on.
bool may_mount() {
    static const bool may = ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    return may;
}

class mounted {
public:
    mounted(const fs::path& what, const fs::path& at) : at_{at} {
        EXPECT_EQ(::mount(what.c_str(), at.c_str(), nullptr, MS_BIND, nullptr), 0) << at;
    }
    ~mounted() { ::umount2(at_.c_str(), MNT_DETACH); }
    mounted(const mounted&) = delete;
    mounted& operator=(const mounted&) = delete;

private:
    fs::path at_;
};

TEST_F(SqliteMount, OfTheDirectoryChangesNothing) {
    if (!may_mount()) GTEST_SKIP() << "this process may not mount";
    const auto inside = folder / "data", outside = folder / "seen";
    fs::create_directory(inside);
    fs::create_directory(outside);
    const mounted bind{inside, outside};
    program first{inside / "app.db"}, second{outside / "app.db"};
    EXPECT_NE(first.locks->directory(), second.locks->directory()) << "two paths";
    first.lock.lock();
    EXPECT_FALSE(second.lock.try_lock()) << "of the same files";
    first.lock.unlock();
    EXPECT_TRUE(second.lock.try_lock());
    EXPECT_FALSE(first.lock.try_lock());
}

TEST_F(SqliteMount, OfTheFileAloneIsRefused) {
    if (!may_mount()) GTEST_SKIP() << "this process may not mount";
    const auto other = folder / "other.db";
    std::ofstream{other};
    const mounted bind{file, other};
    program first{file.string()};
    first.lock.lock();
    EXPECT_EQ(refusal(other.string()), errc::unsupported);
    EXPECT_TRUE(first.lock.owns_lock());
}

// --- a lock directory of its own

class SqliteDirectoryIdentity : public SqliteTest {};

TEST_F(SqliteDirectoryIdentity, IsThatOfTheDirectoryAndNotOfItsName) {
    fs::create_directory(locks);
    fs::create_directory(folder / "seen");
    std::vector<fs::path> names{locks, folder / "." / "locks" / ".." / "locks", folder / "link"};
    fs::create_directory_symlink(locks, folder / "link");
    std::unique_ptr<mounted> bind;
    if (may_mount()) {
        bind = std::make_unique<mounted>(locks, folder / "seen");
        names.push_back(folder / "seen");
    }
    sqlite::session a{locks};
    sqlite::lock first{a, "k"};
    for (const auto& name : names) {
        sqlite::session b{name};
        sqlite::lock second{b, "k"};
        first.lock();
        EXPECT_FALSE(second.try_lock()) << name;
        first.unlock();
        EXPECT_TRUE(second.try_lock()) << name;
        EXPECT_FALSE(first.try_lock()) << name;
    }
}

TEST_F(SqliteDirectoryIdentity, OfARenamedOneGoesWithIt) {
    sqlite::session a{locks};
    sqlite::lock first{a, "k"};
    first.lock();
    fs::rename(locks, folder / "renamed");
    sqlite::session b{folder / "renamed"};
    sqlite::lock second{b, "k"};
    EXPECT_FALSE(second.try_lock());
    EXPECT_FALSE(first.owns_lock());
    EXPECT_EQ(unlock(first), errc::lost);
    EXPECT_TRUE(second.try_lock());
}

TEST_F(SqliteDirectoryIdentity, OfAHardLinkedLockFileExcludesUnderBothNames) {
    sqlite::session a{locks}, b{locks};
    sqlite::lock first{a, "k"}, second{b, "other"};
    first.lock();
    first.unlock();
    fs::create_hard_link(a.file("k"), a.file("other"));
    first.lock();
    EXPECT_FALSE(second.try_lock()) << "one file";
    first.unlock();
    EXPECT_TRUE(second.try_lock());
}

}  // namespace
}  // namespace dlock::testing
