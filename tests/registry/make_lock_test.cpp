// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// make_lock(): on every server the lock of that server, which the typed lock of the same name excludes.
#include <dlock/make_lock.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <ostream>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>
#include <soci/soci.h>

#include <dlock/memory.hpp>
#include <dlock/mysql.hpp>
#include <dlock/postgresql.hpp>
#include <dlock/set_label.hpp>
#include <dlock/soci/pooled_session.hpp>
#include <dlock/sqlite.hpp>

#include "tests/registry/fake_soci_backend.hpp"
#include "tests/servers/mariadb_server.hpp"
#include "tests/servers/mysql_server.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/servers/temporary_directory.hpp"
#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

struct server {
    std::string title;
    std::function<std::string()> url;
    std::function<bool(soci::session&, const std::string&)> typed_try_lock;  ///< of the type make_lock() should choose
    bool shares;
    bool tells_loss;

    friend void PrintTo(const server& s, std::ostream* out) { *out << s.title; }
};

const temporary_directory& folder() {
    static const temporary_directory made;
    return made;
}

const server servers[] = {
    {"PostgreSql", [] { return postgresql_server::shared().url(); },
     [](soci::session& db, const std::string& name) { return postgresql::lock{db, name}.try_lock(); }, true, true},
    {"MariaDb", [] { return mariadb_server::shared().url(); },
     [](soci::session& db, const std::string& name) { return mysql::lock{db, name}.try_lock(); }, false, true},
    {"Sqlite", [] { return "sqlite3://dbname=" + (folder().path() / "app.db").string(); },
     [](soci::session& db, const std::string& name) {
         sqlite::session session{sqlite::directory_beside(db)};
         return sqlite::lock{session, name}.try_lock();
     },
     true, false},
};

class MakeLock : public ::testing::TestWithParam<server> {
protected:
    const std::string url = GetParam().url();
    soci::session db{url}, other{url};
};

INSTANTIATE_TEST_SUITE_P(, MakeLock, ::testing::ValuesIn(servers), [](const auto& of) { return of.param.title; });

TEST_P(MakeLock, MakesTheLockOfTheServer) {
    auto lock = make_lock(db, "user/001");
    EXPECT_FALSE(lock.owns_lock());
    EXPECT_TRUE(GetParam().typed_try_lock(other, "user/001"));
    lock.lock();
    EXPECT_TRUE(lock.owns_lock());
    EXPECT_FALSE(GetParam().typed_try_lock(other, "user/001"));
    EXPECT_TRUE(GetParam().typed_try_lock(other, "user/002"));
    lock.unlock();
    EXPECT_TRUE(GetParam().typed_try_lock(other, "user/001"));
}

TEST_P(MakeLock, ExcludesAnotherSession) {
    auto lock = make_lock(db, "user/001"), rival = make_lock(other, "user/001");
    {
        const std::scoped_lock held{lock};
        EXPECT_FALSE(rival.try_lock());
        EXPECT_EQ(rival.holders().size(), 1U);
    }
    EXPECT_TRUE(rival.try_lock());
}

TEST_P(MakeLock, TwiceOnOneSessionIsAlreadyOwned) {
    auto lock = make_lock(db, "user/001"), twin = make_lock(db, "user/001"), another = make_lock(db, "user/002");
    lock.lock();
    EXPECT_EQ(reason_of([&] { twin.lock(); }), errc::already_owned);
    EXPECT_EQ(reason_of([&] { (void)twin.try_lock(); }), errc::already_owned);
    EXPECT_EQ(unlock(twin), errc::not_owner);
    EXPECT_TRUE(another.try_lock());
    lock.unlock();
    EXPECT_TRUE(twin.try_lock());
}

TEST_P(MakeLock, SharesWhereTheServerDoes) {
    auto lock = make_lock(db, "user/001"), second = make_lock(other, "user/001");
    if (GetParam().shares) {
        const std::shared_lock reading{lock};
        EXPECT_TRUE(second.try_lock_shared());
        second.unlock_shared();
        EXPECT_FALSE(second.try_lock());
    } else {
        EXPECT_EQ(reason_of([&] { lock.lock_shared(); }), errc::unsupported);
        EXPECT_FALSE(lock.owns_lock());
    }
}

TEST_P(MakeLock, ALabelIsWhatHoldersShows) {
    set_label(db, "night shift");
    auto lock = make_lock(db, "labelled");
    ASSERT_TRUE(lock.try_lock());
    const auto found = make_lock(other, "labelled").holders();
    ASSERT_EQ(found.size(), 1U);
    // MariaDB tells of it only where performance_schema is on: mysql_test.
    if (GetParam().title != "MariaDb") {
        EXPECT_NE(found[0].description.find("night shift"), std::string::npos) << found[0].description;
    }
    lock.unlock();
    set_label(db, "");
}

TEST_P(MakeLock, SaysBeforeTheWorkWhetherItWillTellOfALoss) {
    auto lock = make_lock(db, "user/001");
    EXPECT_EQ(lock.can_tell_loss(), GetParam().tells_loss);
    lock.lock();
    EXPECT_EQ(lock.can_tell_loss(), GetParam().tells_loss);
    if (GetParam().tells_loss) EXPECT_FALSE(lock.lost().stop_requested());
    else EXPECT_EQ(reason_of([&] { (void)lock.lost(); }), errc::unsupported);
    EXPECT_EQ(lock.state(), lock_state::held);
}

TEST_P(MakeLock, WorksOnASessionOfAPool) {
    soci::connection_pool pool{1};
    pool.at(0).open(url);
    auto rival = make_lock(other, "user/001");
    {
        pooled_session lease{pool};
        auto lock = make_lock(lease, "user/001");
        lock.lock();
        EXPECT_FALSE(rival.try_lock());
    }
    {
        soci::session lease{pool};
        auto lock = make_lock(lease, "user/001");
        EXPECT_TRUE(lock.try_lock());
    }
    EXPECT_TRUE(rival.try_lock());
}

TEST_P(MakeLock, OnAClosedSessionIsLost) {
    db.close();
    EXPECT_EQ(reason_of([&] { (void)make_lock(db, "user/001"); }), errc::lost);
    soci::session never_opened;
    EXPECT_EQ(reason_of([&] { (void)make_lock(never_opened, "user/001"); }), errc::lost);
}

TEST_P(MakeLock, DoesNotTouchTheCallersTransaction) {
    const auto ask = [](soci::session& session) {
        int rows = -1;
        session << "SELECT COUNT(*) FROM make_lock_test", soci::into(rows);
        return rows;
    };
    db << "CREATE TABLE IF NOT EXISTS make_lock_test (x INTEGER)";
    if (db.get_backend_name() == "mysql") db << "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";  // or it would be refused
    soci::transaction transaction{db};
    db << "INSERT INTO make_lock_test VALUES (1)";
    auto lock = make_lock(db, "user/001");
    lock.lock();
    EXPECT_EQ(ask(db), 1);
    transaction.rollback();
    EXPECT_TRUE(lock.owns_lock()) << "the session holds it, not the transaction";
    EXPECT_EQ(ask(db), 0);
    lock.unlock();
    db << "DROP TABLE make_lock_test";
}

// --- names that the server's own lock refuses

TEST(MakeLockNames, AreThoseOfTheServersDefaultLock) {
    const std::string long_name(65, 'x');
    soci::session postgresql{postgresql_server::shared().url()}, mariadb{mariadb_server::shared().url()};
    EXPECT_NO_THROW((void)make_lock(postgresql, long_name)) << "hashed";
    EXPECT_EQ(reason_of([&] { (void)make_lock(mariadb, long_name); }), errc::bad_key) << "verbatim";
    EXPECT_EQ(reason_of([&] { (void)make_lock(mariadb, ""); }), errc::bad_key);
}

TEST(MakeLockOnMySql, RefusesAServerThatKeepsOneLockPerSession) {
    soci::session db{mysql_server::shared().url()};
    auto lock = make_lock(db, "user/001");
    EXPECT_EQ(reason_of([&] { lock.lock(); }), errc::unsupported);
    mysql::accept_one_lock_per_session(db);
    EXPECT_TRUE(lock.try_lock());
}

TEST(MakeLockOnSqlite, IsBesideTheDatabaseFile) {
    const auto file = (folder().path() / "beside.db").string();
    soci::session db{"sqlite3://dbname=" + file};
    auto lock = make_lock(db, "user/001");
    lock.lock();
    EXPECT_TRUE(std::filesystem::is_directory(file + "-locks"));
    db << "CREATE TABLE untouched (x INTEGER)";
    EXPECT_TRUE(lock.owns_lock());
}

TEST(MakeLockOnSqlite, NeedsAFileToBeBeside) {
    const auto name = (folder().path() / "x").string();
    for (const auto& in_memory : {"dbname=:memory:", "dbname=\"\"", "dbname=file::memory:?cache=shared"}) {
        soci::session db{std::string{"sqlite3://"} + in_memory};
        EXPECT_EQ(reason_of([&] { (void)make_lock(db, "user/001"); }), errc::unsupported) << in_memory;
    }
    soci::session db{"sqlite3://vfs=memdb dbname=" + name};  // any thread of the process may open it, by what looks like a path
    EXPECT_EQ(reason_of([&] { (void)make_lock(db, "user/001"); }), errc::unsupported);
    EXPECT_FALSE(std::filesystem::exists(name + "-locks"));
}

TEST(MakeLockOnSqlite, BelongsToTheFileAndNotToItsName) {
    const auto file = (folder().path() / "named.db").string(), later = (folder().path() / "renamed.db").string();
    soci::session db{"sqlite3://dbname=" + file};
    auto lock = make_lock(db, "user/001");
    lock.lock();
    std::filesystem::rename(file, later);
    soci::session other{"sqlite3://dbname=" + later};
    auto rival = make_lock(other, "user/001");
    EXPECT_TRUE(rival.try_lock());
    EXPECT_FALSE(lock.owns_lock());
    EXPECT_EQ(lock.state(), lock_state::lost);
    EXPECT_EQ(unlock(lock), errc::lost);
    EXPECT_EQ(reason_of([&] { (void)lock.try_lock(); }), errc::lost);
    std::filesystem::create_hard_link(later, file);
    soci::session third{"sqlite3://dbname=" + file};
    EXPECT_EQ(reason_of([&] { (void)make_lock(third, "user/001"); }), errc::unsupported);
}

TEST(MakeLockOnSqlite, OutlivesOtherLocksOfItsSession) {
    soci::session db{"sqlite3://dbname=" + (folder().path() / "several.db").string()};
    auto lock = make_lock(db, "user/001");
    {
        auto other = make_lock(db, "user/002");
        other.lock();
        lock.lock();
    }
    EXPECT_TRUE(lock.owns_lock());
    EXPECT_EQ(reason_of([&] { make_lock(db, "user/001").lock(); }), errc::already_owned);
}

// --- servers that dlock does not know

class MakeLockOnAToy : public ::testing::Test {
protected:
    soci::session db{toy, ""};
};

memory::session& toy_session() {
    static memory::session made;
    return made;
}

struct toy_entry {
    static constexpr std::string_view backend = "toy";
    static any_lock make(soci::session&, std::string_view name) { return any_lock::of<memory::lock>(toy_session(), name); }
};

TEST_F(MakeLockOnAToy, IsUnsupportedAndNamesWhatIsSupported) {
    const auto error = error_of([&] { (void)make_lock(db, "user/001"); });
    EXPECT_EQ(error.reason(), errc::unsupported);
    EXPECT_STREQ(error.what(), "dlock: no lock is registered for 'toy'; there are: postgresql mysql sqlite3: unsupported");
}

TEST_F(MakeLockOnAToy, WorksWithAnEntryOfTheUsersOwn) {
    constexpr auto mine = default_registry.with<toy_entry>();
    auto lock = make_lock(db, "user/001", mine);
    lock.lock();
    memory::session other;
    EXPECT_FALSE((memory::lock{other, "user/001"}.try_lock()));
    soci::session postgresql{postgresql_server::shared().url()};
    EXPECT_TRUE(make_lock(postgresql, "user/001", mine).try_lock());
}

/// Locks with another key than the default.
struct billing_entry {
    static constexpr std::string_view backend = "postgresql";
    using lock = basic_lock<postgresql::advisory, in_namespace<"billing", hashed_key>>;
    static any_lock make(soci::session& db, std::string_view name) { return any_lock::of<lock>(db, name); }
};

TEST(MakeLockWithAnotherRegistry, AsksNoOtherEntries) {
    soci::session db{postgresql_server::shared().url()}, other{postgresql_server::shared().url()};
    constexpr registry<billing_entry> mine;
    auto lock = make_lock(db, "42", mine);
    lock.lock();
    EXPECT_FALSE(make_lock(other, "billing:42").try_lock());
    EXPECT_TRUE(make_lock(other, "42").try_lock());
    EXPECT_FALSE(make_lock(other, "billing:42", default_registry.with<billing_entry>()).try_lock()) << "the first entry is asked";
    soci::session mariadb{mariadb_server::shared().url()};
    EXPECT_EQ(reason_of([&] { (void)make_lock(mariadb, "42", mine); }), errc::unsupported);
}

}  // namespace
}  // namespace dlock::testing
