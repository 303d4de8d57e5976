// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Servers whose role changes while sessions are open, and a pooler over a primary and its standby: what was true of the server when a
// session was opened need not be true when it asks for a lock. The onlooker asks the server itself.
#include <chrono>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <soci/soci.h>

#include <dlock/mysql.hpp>
#include <dlock/mysql/leased_lock.hpp>
#include <dlock/mysql/lock_manager.hpp>
#include <dlock/mysql/multi_lock.hpp>
#include <dlock/postgresql.hpp>
#include <dlock/postgresql/leased_lock.hpp>
#include <dlock/postgresql/lock_manager.hpp>
#include <dlock/postgresql/multi_lock.hpp>

#include "tests/servers/mariadb_server.hpp"
#include "tests/servers/mysql_server.hpp"
#include "tests/servers/pgbouncer.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/servers/server_traits.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/postgresql.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;

// --- PostgreSQL

TEST(PostgreSQLRoleChange, ATransactionsLockOverPrimaryAndStandbyIsThePrimarys) {
    const postgresql_server primary, standby{postgresql_server::standby_of{primary}};
    const pgbouncer pooler{{&primary, &standby}, pool_mode::transaction, {.settings = {"server_round_robin=1", "default_pool_size=4"}}};
    soci::session a{pooler.url()}, b{pooler.url()}, c{pooler.url()};
    postgresql::transaction_lock mine{a, "k"}, theirs{b, "k"};
    int owners = 0, refusals = 0;
    const auto take = [&](postgresql::transaction_lock& lock, bool waits) {
        try {
            return waits ? lock.try_lock_for(1ms) : lock.try_lock();
        } catch (const lock_error& error) {
            EXPECT_EQ(error.reason(), errc::unsupported) << error.what();
            EXPECT_NE(std::string{error.what()}.find("standby"), std::string::npos) << error.what();
            ++refusals;
            return false;
        }
    };
    int number = 0;
    for (int pair = 0; pair < 500; ++pair) {
        if (pair % 3 == 0) c << "SELECT 1", soci::into(number);  // or the same one would always get the primary
        soci::transaction one{a}, two{b};
        const bool i_own = take(mine, pair % 2 == 0), they_own = take(theirs, pair % 3 == 0);
        EXPECT_FALSE(i_own && they_own) << "pair " << pair;
        owners += i_own + they_own;
        a << "SELECT 1", soci::into(number);  // the transactions are usable
        b << "SELECT 1", soci::into(number);
        one.rollback();
        two.rollback();
    }
    EXPECT_GT(owners, 0) << "the primary has answered";
    EXPECT_GT(refusals, 0) << "the standby has answered";
    std::cout << "500 pairs: " << owners << " grants, " << refusals << " refusals by the standby, 0 pairs that both own\n";
}

/// A primary becomes a standby by a restart, which ends its sessions; and whoever connects anew looks anew.
TEST(PostgreSQLRoleChange, APrimaryThatBecomesAStandbyGrantsNothingMore) {
    postgresql_server server{{.tcp = true}};
    soci::session a{server.url()};
    postgresql::lock mine{a, "k"};
    postgresql::multi_lock several{a, {"k", "j"}};
    postgresql::lock_manager locks{server.url()};
    postgresql::managed_lock managed{locks, "m"};
    mine.lock();
    managed.lock();
    managed.unlock();
    server.stop();
    std::ofstream{server.directory() / "data" / "standby.signal"};
    server.start();
    await([&] { return !mine.owns_lock(); }, "the loss is not told");
    EXPECT_EQ(reason_of([&] { (void)several.try_lock(); }), errc::lost);
    EXPECT_EQ(reason_of([&] { (void)managed.try_lock(); }), errc::unsupported);
    EXPECT_EQ(reason_of([&] { managed.lock(); }), errc::unsupported);
    a.reconnect();
    EXPECT_EQ(reason_of([&] { (void)mine.try_lock(); }), errc::unsupported);
    EXPECT_EQ(reason_of([&] { mine.lock(); }), errc::unsupported);
    EXPECT_EQ(granted(a), 0);
}

// --- MariaDB and MySQL

struct on_mariadb {
    static mysql_family& server() { return mariadb_server::shared(); }
    static const server_traits::mysql& traits() { return server_traits::of_mariadb(); }
};
struct on_mysql {
    static mysql_family& server() { return mysql_server::shared(); }
    static const server_traits::mysql& traits() { return server_traits::of_mysql(); }
};

struct server_name {
    template <class Server>
    static std::string GetName(int) {
        return Server::traits().is_mariadb ? "MariaDB" : "MySQL";
    }
};

template <class Server>
class ReadOnly : public ::testing::Test {
protected:
    /// A session that may hold a lock on any version.
    struct session : soci::session {
        session() : soci::session{Server::server().url()} { mysql::accept_one_lock_per_session(*this); }
    };

    ReadOnly() { set(false); }
    void TearDown() override {
        set(false);
        EXPECT_TRUE(is_free("k")) << "the test left the lock";
    }

    void set(bool read_only) { onlooker_ << (read_only ? "SET GLOBAL read_only = 1" : "SET GLOBAL read_only = 0"); }
    bool is_free(const std::string& name) {
        std::string free;
        onlooker_ << "SELECT CAST(IS_USED_LOCK('" + name + "') IS NULL AS CHAR)", soci::into(free);
        return free == "1";
    }
    bool waits() {
        std::string count;
        onlooker_ << "SELECT CAST(COUNT(*) AS CHAR) FROM information_schema.processlist WHERE state = 'User lock'", soci::into(count);
        return count != "0";
    }
    /// Every way to ask for the lock.
    template <class Lock>
    void expect_refused(Lock& lock) {
        for (const auto& way : std::vector<std::function<void()>>{[&] { lock.lock(); }, [&] { (void)lock.try_lock(); },
                                                                  [&] { (void)lock.try_lock_for(1s); }}) {
            const auto error = error_of(way);
            EXPECT_EQ(error.reason(), errc::unsupported) << error.what();
            EXPECT_NE(std::string{error.what()}.find("read-only"), std::string::npos) << error.what();
            EXPECT_FALSE(lock.owns_lock());
            EXPECT_TRUE(is_free("k"));
        }
    }

    soci::session onlooker_{Server::server().url()};
};

using Servers = ::testing::Types<on_mariadb, on_mysql>;
TYPED_TEST_SUITE(ReadOnly, Servers, server_name);

/// A session that has locked before, which was looked at then.
TYPED_TEST(ReadOnly, AnOpenSessionGetsNoNewLock) {
    typename TestFixture::session a, b;
    mysql::lock mine{a, "k"};
    mysql::fenced_lock fenced{b, "k"};
    ASSERT_TRUE(mine.try_lock());
    mine.unlock();
    ASSERT_TRUE(fenced.try_lock());
    fenced.unlock();
    for (int round = 0; round < 2; ++round) {  // the first statement of a session has another text than the others
        this->set(true);
        this->expect_refused(mine);
        this->expect_refused(fenced);
        this->set(false);
        EXPECT_TRUE(mine.try_lock()) << "it was promoted";
        mine.unlock();
        fenced.lock();
        EXPECT_GT(fenced.token().value, 5U);
        fenced.unlock();
    }
}

TYPED_TEST(ReadOnly, NorSeveralNamesNorAManagerNorALease) {
    if (TypeParam::traits().one_lock_per_session) GTEST_SKIP() << "this server keeps one lock per session";
    typename TestFixture::session a;
    mysql::multi_lock several{a, {"k", "j"}};
    mysql::lock_manager locks{TypeParam::server().url()};
    mysql::managed_lock managed{locks, "k"};
    mysql::leased_lock leased{TypeParam::server().url(), "k", 10s};
    for (int round = 0; round < 2; ++round) {
        several.lock();
        several.unlock();
        managed.lock();
        managed.unlock();
        leased.lock();
        leased.unlock();
        await([&] { return this->is_free("k"); }, "the manager does not release");
        this->set(true);
        this->expect_refused(several);
        this->expect_refused(managed);
        this->expect_refused(leased);
        EXPECT_TRUE(this->is_free("j"));
        this->set(false);
    }
}

TYPED_TEST(ReadOnly, AWaiterIsNotGrantedWhatComesAfterTheChange) {
    typename TestFixture::session a, b;
    mysql::lock mine{a, "k"}, theirs{b, "k"};
    mysql::fenced_lock fenced{b, "k"};
    mysql::multi_lock several{b, {"k"}};
    const std::vector<std::function<void()>> ways{[&] { theirs.lock(); }, [&] { (void)theirs.try_lock_for(30s); }, [&] { fenced.lock(); }, [&] { several.lock(); }};
    for (const auto& way : ways) {
        mine.lock();
        auto waits = std::async(std::launch::async, [&] { return error_of(way); });
        await([&] { return this->waits(); }, "nobody waits");
        this->set(true);
        EXPECT_TRUE(mine.owns_lock()) << "what was granted before stays";
        mine.unlock();
        const auto error = waits.get();
        EXPECT_EQ(error.reason(), errc::unsupported) << error.what();
        EXPECT_TRUE(this->is_free("k"));
        this->set(false);
    }
}

TYPED_TEST(ReadOnly, InATransactionToo) {
    typename TestFixture::session a;
    mysql::lock mine{a, "k"};
    a << "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
    soci::transaction work{a};
    a << "SELECT 1";
    ASSERT_TRUE(mine.try_lock());
    mine.unlock();
    this->set(true);
    this->expect_refused(mine);
}

TYPED_TEST(ReadOnly, WhoSaidThatLocksOfThisServerAreMeantGetsThem) {
    typename TestFixture::session a;
    mysql::lock mine{a, "k"};
    this->set(true);
    EXPECT_EQ(reason_of([&] { (void)mine.try_lock(); }), errc::unsupported);
    mysql::accept_local_locks(a);
    EXPECT_TRUE(mine.try_lock());
    mine.unlock();
    if (TypeParam::traits().one_lock_per_session) return;
    const auto open = [] {
        auto opened = mysql::pipelined_named::connect(TypeParam::server().url());
        mysql::accept_local_locks(*opened);
        return opened;
    };
    mysql::lock_manager locks{open};
    mysql::managed_lock managed{locks, "k"};
    mysql::leased_lock leased{open, "k", 10s};
    EXPECT_TRUE(managed.try_lock());
    EXPECT_FALSE(leased.try_lock());
    managed.unlock();
    leased.lock();
    EXPECT_FALSE(managed.try_lock());
    leased.unlock();
}

}  // namespace
}  // namespace dlock::testing
