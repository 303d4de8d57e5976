// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The lock directory that belongs to a soci::session of SQLite.
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include <soci/soci.h>

#include <dlock/sqlite.hpp>
#include <dlock/sqlite/sqlite_api.hpp>

#include "tests/sqlite/support.hpp"
#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

namespace fs = std::filesystem;
using sqlite::lock;
using sqlite::session_beside;

class SqliteBeside : public SqliteTest {
protected:
    std::string connect_string(const char* file = "app.db") const { return "dbname=\"" + (folder / file).string() + "\""; }
};

TEST_F(SqliteBeside, IsNextToTheDatabase) {
    soci::session db{soci::sqlite3, connect_string()};
    EXPECT_EQ(sqlite::directory_beside(db), folder / "app.db-locks");
    EXPECT_FALSE(fs::exists(folder / "app.db-locks")) << "asking makes nothing";
    EXPECT_EQ(session_beside(db)->directory(), folder / "app.db-locks");
    EXPECT_TRUE(fs::is_directory(folder / "app.db-locks"));
}

TEST_F(SqliteBeside, IsOneSessionPerSociSession) {
    soci::session db{soci::sqlite3, connect_string()}, same_file{soci::sqlite3, connect_string()}, other{soci::sqlite3, connect_string("b.db")};
    const auto one = session_beside(db), again = session_beside(db), second = session_beside(same_file), third = session_beside(other);
    EXPECT_EQ(one, again);
    EXPECT_NE(one, second);
    lock a{*one, "k"}, b{*again, "k"}, c{*second, "k"}, d{*third, "k"};
    a.lock();
    EXPECT_EQ(reason_of([&] { (void)b.try_lock(); }), errc::already_owned);
    EXPECT_FALSE(c.try_lock());
    EXPECT_TRUE(d.try_lock());
}

TEST_F(SqliteBeside, EndsWithTheLastWhoKeepsIt) {
    soci::session db{soci::sqlite3, connect_string()}, rival{soci::sqlite3, connect_string()};
    auto keeper = session_beside(db);
    const std::weak_ptr<sqlite::session> watched = keeper;
    auto held = std::make_unique<lock>(*keeper, "k");
    held->lock();
    const auto theirs = session_beside(rival);
    lock next{*theirs, "k"};
    EXPECT_FALSE(next.try_lock());
    held.reset();
    keeper.reset();
    EXPECT_TRUE(watched.expired());
    EXPECT_TRUE(next.try_lock());
    EXPECT_NE(session_beside(db), nullptr);
}

TEST_F(SqliteBeside, LeavesTheDatabaseAlone) {
    soci::session db{soci::sqlite3, connect_string()};
    db << "CREATE TABLE t (x INTEGER)";
    soci::transaction work{db};
    db << "INSERT INTO t VALUES (1)";
    const auto s = session_beside(db);
    lock l{*s, "k"};
    l.lock();
    work.rollback();
    EXPECT_TRUE(l.owns_lock()) << "a lock is not part of the caller's transaction";
    int rows = -1;
    db << "SELECT count(*) FROM t", soci::into(rows);
    EXPECT_EQ(rows, 0);
}

TEST_F(SqliteBeside, RefusesWhatNobodyElseCanReach) {
    for (const char* name : {":memory:", "\"\""}) {
        soci::session db;
        try {
            db.open(soci::sqlite3, std::string{"dbname="} + name);
        } catch (const soci::soci_error&) {
            EXPECT_EQ(std::string{name}, "\"\"") << "which SOCI 4.1 refuses itself";
            continue;
        }
        EXPECT_EQ(reason_of([&] { (void)session_beside(db); }), errc::unsupported) << name;
    }
}

TEST_F(SqliteBeside, HasALabelBeforeAndAfterItHasALock) {
    soci::session db{soci::sqlite3, connect_string()}, other{soci::sqlite3, connect_string()};
    sqlite::set_label(db, "night shift");
    const auto shown = [&] {
        const auto mine = session_beside(db), asking = session_beside(other);
        lock held{*mine, "k"};
        held.lock();
        return lock{*asking, "k"}.holders().at(0).description;
    };
    EXPECT_EQ(shown(), "night shift");
    EXPECT_EQ(shown(), "night shift");
    sqlite::set_label(other, "day shift");
    EXPECT_EQ(shown(), "day shift") << "of the process";
    sqlite::set_label(db, "");
    EXPECT_NE(shown(), "day shift");
    EXPECT_TRUE(fs::is_empty(folder / "app.db-locks/labels"));
}

TEST_F(SqliteBeside, RefusesAClosedSession) {
    soci::session db{soci::sqlite3, connect_string()};
    db.close();
    EXPECT_EQ(reason_of([&] { (void)session_beside(db); }), errc::lost);
}

TEST_F(SqliteBeside, MayBeAskedByManyThreads) {
    std::vector<std::future<void>> all;
    for (int t = 0; t < 4; ++t) {
        all.push_back(std::async(std::launch::async, [&] {
            soci::session db{soci::sqlite3, connect_string()};
            for (int i = 0; i < 20; ++i) {
                const auto s = session_beside(db);
                lock l{*s, "k"};
                l.lock();
                EXPECT_TRUE(l.owns_lock());
            }
        }));
    }
    for (auto& one : all) one.get();
}

}  // namespace
}  // namespace dlock::testing
