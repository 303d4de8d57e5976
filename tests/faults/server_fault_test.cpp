// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// One fault at a time, of the network or of the server: what the holder, the waiter and the next one are told.
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <ostream>
#include <stop_token>
#include <string>

#include <gtest/gtest.h>
#include <soci/soci.h>

#include <dlock/mysql.hpp>
#include <dlock/mysql/multi_lock.hpp>
#include <dlock/postgresql.hpp>
#include <dlock/soci/pooled_session.hpp>

#include "tests/faults/proxy.hpp"
#include "tests/process/opened_lock.hpp"
#include "tests/servers/mariadb_server.hpp"
#include "tests/servers/pgbouncer.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/postgresql.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;

constexpr auto soon = 30s;

/// A server on TCP that may be restarted.
struct server {
    std::string title;
    int port = 0;
    std::function<std::string(int port)> url;
    std::string waiters;       ///< the query that counts them
    std::string sessions;      ///< the same of clients
    std::string idle_timeout;  ///< the statement after which an idle session is ended after a second at most
    std::string nonsense;      ///< what no driver can go on after
    std::function<void()> crash, start;
};

std::string digits(int number) { return std::to_string(number); }

const server& postgresql_on_tcp() {
    static postgresql_server it{{.settings = {}, .tcp = true}};
    static const server as{.title = "PostgreSql",
                           .port = it.port(),
                           .url = [](int port) { return "postgresql://host=127.0.0.1 user=dlock dbname=postgres port=" + digits(port); },
                           .waiters = "SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
                           .sessions = "SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend'",
                           .idle_timeout = "SET idle_session_timeout = '200ms'",
                           .nonsense = {"Z\0\0\0\0", 5},  // a message shorter than its length
                           .crash = [] { it.stop(postgresql_server::shutdown::immediate); },
                           .start = [] { it.start(); }};
    return as;
}

const server& mariadb_on_tcp() {
    static mariadb_server it{{.settings = {}, .tcp = true}};
    static const server as{.title = "MariaDb",
                           .port = it.port().value(),
                           .url = [](int port) { return "mysql://host=127.0.0.1 user=root dbname=test port=" + digits(port); },
                           .waiters = "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User lock'",
                           .sessions = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'root'",
                           .idle_timeout = "SET SESSION wait_timeout = 1",
                           .nonsense = {"\0\0\0\1", 4},  // a packet of nothing
                           .crash = [] { it.kill(); },
                           .start = [] { it.start(); }};
    return as;
}

class ServerFault : public ::testing::TestWithParam<const server& (*)()> {
protected:
    /// Starts lock() on another thread: the reason why it fails.
    std::future<errc> waits(opened_lock& one) {
        auto reason = std::async(std::launch::async, [&] { return reason_of([&] { one.lock.lock(); }); });
        await_waiter();
        return reason;
    }
    void await_waiter() {
        await(
            [this] {
                int found = 0;
                onlooker_ << on_.waiters, soci::into(found);
                return found == 1;
            },
            "nobody waits");
    }

    static void expect_lost(opened_lock& one) {
        await([&] { return !one.lock.owns_lock(); }, "the loss is not noticed");
        EXPECT_EQ(unlock(one.lock), errc::lost);
    }

    const server& on_ = GetParam()();
    proxy between_{on_.port};
    soci::session onlooker_{on_.url(on_.port)};
    opened_lock near_{on_.url(on_.port), "x"}, far_{on_.url(between_.port()), "x"};
};

INSTANTIATE_TEST_SUITE_P(, ServerFault, ::testing::Values(postgresql_on_tcp, mariadb_on_tcp),
                         [](const auto& of) { return of.param().title; });

TEST_P(ServerFault, AResetOfTheConnectionIsALossAndFreesTheLock) {
    ASSERT_TRUE(far_.lock.try_lock());
    EXPECT_FALSE(near_.lock.try_lock());
    between_.reset();
    expect_lost(far_);
    EXPECT_TRUE(near_.lock.try_lock_for(soon));
    far_.session.reconnect();
    EXPECT_FALSE(far_.lock.try_lock());
}

// lost() is told through a duplicate of the socket. A driver that hangs up by itself does not close that one, and says no
// good-bye: the server would go on with the session.
TEST_P(ServerFault, ADriverThatHangsUpByItselfEndsTheSessionAlsoWhileItIsWatched) {
    ASSERT_TRUE(far_.lock.try_lock());
    const auto lost = far_.lock.lost();
    between_.say(on_.nonsense);
    EXPECT_THROW(far_.session << "SELECT 1", soci::soci_error);
    // libpq tells us of it. MariaDB's client does not: the lock is still held, until somebody asks.
    if (on_.title == "PostgreSql") {
        EXPECT_TRUE(lost.stop_requested());
    }
    EXPECT_FALSE(far_.lock.owns_lock());
    EXPECT_TRUE(lost.stop_requested());
    EXPECT_TRUE(near_.lock.try_lock_for(soon)) << "the server has not seen the end";
    EXPECT_EQ(unlock(far_.lock), errc::lost);
}

TEST_P(ServerFault, ADriverThatHangsUpByItselfEndsTheSessionAlsoWhenItIsClosedNext) {
    ASSERT_TRUE(far_.lock.try_lock());
    const auto lost = far_.lock.lost();
    between_.say(on_.nonsense);
    EXPECT_THROW(far_.session << "SELECT 1", soci::soci_error);
    far_.session.close();
    EXPECT_EQ(unlock(far_.lock), errc::lost);
    EXPECT_TRUE(lost.stop_requested());
    EXPECT_TRUE(near_.lock.try_lock_for(soon)) << "the server has not seen the end";
}

// A cancel request needs a connection of its own, and libpq waits for it without limit.
TEST_P(ServerFault, AStopRequestThatDoesNotGetThroughDoesNotOutlastTheWait) {
    if (on_.title != "PostgreSql") GTEST_SKIP() << "MariaDB's waits are ended by a KILL, which has a limit of its own";
    near_.lock.lock();
    std::stop_source stop;
    auto waiting = std::async(std::launch::async, [&] {
        try {
            return far_.lock.try_lock_for(2s, stop.get_token());
        } catch (const lock_error& error) {
            EXPECT_TRUE(error.reason() == errc::lost || error.reason() == errc::cancelled) << error.what();
            return false;
        }
    });
    await_waiter();
    between_.ignore_newcomers();
    stop.request_stop();
    EXPECT_FALSE(waiting.get());
    EXPECT_FALSE(far_.lock.owns_lock());
    near_.lock.unlock();
    EXPECT_TRUE(near_.lock.try_lock_for(soon)) << "something was left";
}

TEST_P(ServerFault, ADriverThatHangsUpByItselfEndsTheSessionAlsoWhenItWasWatchedBefore) {
    ASSERT_TRUE(far_.lock.try_lock());
    (void)far_.lock.lost();
    EXPECT_FALSE(unlock(far_.lock));
    between_.say(on_.nonsense);
    EXPECT_THROW(far_.session << "SELECT 1", soci::soci_error);
    far_.session.close();
    await(
        [this] {
            int found = 0;
            onlooker_ << on_.sessions, soci::into(found);
            return found == 2;  // this one and the one that is near
        },
        "the server has not seen the end");
}

TEST_P(ServerFault, ADriverThatHangsUpByItselfEndsTheSessionAlsoWhenItGoesBackToItsPool) {
    soci::connection_pool pool{1};
    pool.at(0).open(on_.url(between_.port()));
    std::optional<any_lock> lock;
    {
        pooled_session session{pool};
        if (on_.title == "MariaDb") mysql::accept_one_lock_per_session(session);
        lock.emplace(make_lock(session.session(), "x"));
        ASSERT_TRUE(lock->try_lock());
        const auto lost = lock->lost();
        between_.say(on_.nonsense);
        EXPECT_THROW(session.session() << "SELECT 1", soci::soci_error);
    }
    EXPECT_TRUE(near_.lock.try_lock_for(soon)) << "the server has not seen the end";
    EXPECT_EQ(unlock(*lock), errc::lost);
}

TEST_P(ServerFault, AGrantBeforeAStopRequestThatDoesNotGetThroughIsLostWithTheSession) {
    if (on_.title != "PostgreSql") GTEST_SKIP() << "MariaDB's waits are ended by a KILL, which has a limit of its own";
    postgresql::transaction_lock mine{far_.session, "x"};
    near_.lock.lock();
    far_.session.begin();
    std::stop_source stop;
    auto reason = std::async(std::launch::async, [&] { return reason_of([&] { mine.lock(stop.get_token()); }); });
    await_waiter();
    between_.ignore_newcomers();
    stop.request_stop();
    await([this] { return between_.has_newcomers(); }, "no cancel request");
    near_.lock.unlock();
    EXPECT_EQ(reason.get(), errc::lost);
    EXPECT_FALSE(mine.owns_lock());
    EXPECT_TRUE(near_.lock.try_lock_for(soon)) << "something was left";
}

TEST_P(ServerFault, AGrantBehindAStopRequestThatCannotBeGivenBackIsALoss) {
    near_.lock.lock();
    std::stop_source stop;
    auto reason = std::async(std::launch::async, [&] { return reason_of([&] { far_.lock.lock(stop.get_token()); }); });
    await_waiter();
    between_.keep_answers();
    near_.lock.unlock();
    await([this] { return !near_.lock.try_lock() || (near_.lock.unlock(), false); }, "the server grants it");
    stop.request_stop();
    between_.say_last_answers();
    EXPECT_EQ(reason.get(), errc::lost);
    EXPECT_FALSE(far_.lock.owns_lock());
    EXPECT_TRUE(near_.lock.try_lock_for(soon)) << "something was left";
}

TEST_P(ServerFault, AResetWhileItWaitsIsALossAndLeavesNothing) {
    near_.lock.lock();
    auto reason = waits(far_);
    between_.reset();
    EXPECT_EQ(reason.get(), errc::lost);
    EXPECT_FALSE(far_.lock.owns_lock());
    near_.lock.unlock();
    EXPECT_TRUE(near_.lock.try_lock_for(soon));
}

// What the README does not promise: nobody can know of an end that nobody tells.
TEST_P(ServerFault, TheHolderOnAHalfOpenConnectionDoesNotKnowThatAnotherOneHolds) {
    ASSERT_TRUE(far_.lock.try_lock());
    between_.forsake_clients();
    EXPECT_TRUE(near_.lock.try_lock_for(soon));
    EXPECT_TRUE(far_.lock.owns_lock());
    between_.reset();
    expect_lost(far_);
    EXPECT_TRUE(near_.lock.owns_lock());
    EXPECT_FALSE(unlock(near_.lock));
}

TEST_P(ServerFault, AnIdleTimeoutIsALoss) {
    ASSERT_TRUE(near_.lock.try_lock());
    near_.session << on_.idle_timeout;
    expect_lost(near_);
    EXPECT_TRUE(far_.lock.try_lock_for(soon));
}

TEST_P(ServerFault, ACrashIsALossForTheHolderAndForTheOneWhoWaits) {
    near_.lock.lock();
    auto reason = waits(far_);
    on_.crash();
    EXPECT_EQ(reason.get(), errc::lost);
    expect_lost(near_);
    EXPECT_EQ(reason_of([&] { (void)near_.lock.try_lock(); }), errc::lost);
    on_.start();
    far_.session.reconnect();
    EXPECT_TRUE(far_.lock.try_lock()) << "nobody holds it now";
    near_.session.reconnect();
    EXPECT_FALSE(near_.lock.try_lock());
}

// --- MariaDB, whose driver connects anew by itself (reconnect=1)

class MariaDBFault : public ::testing::Test {
protected:
    /// The driver hangs up; the next statement is the release. \param and_then  in between
    template <class Lock>
    void expect_the_release_to_end_what_the_driver_has_left(Lock& lock, const std::function<void()>& and_then = [] {}) {
        ASSERT_TRUE(lock.try_lock());
        const auto lost = lock.lost();
        between_.say(on_.nonsense);
        EXPECT_THROW(far_ << "SELECT 1", soci::soci_error);
        and_then();
        EXPECT_EQ(unlock(lock), errc::lost);
        EXPECT_TRUE(lost.stop_requested());
        EXPECT_TRUE(near_.lock.try_lock_for(soon)) << "the server has not seen the end";
        near_.lock.unlock();
    }

    const server& on_ = mariadb_on_tcp();
    proxy between_{on_.port};
    soci::session onlooker_{on_.url(on_.port)}, far_{on_.url(between_.port()) + " reconnect=1"};
    opened_lock near_{on_.url(on_.port), "x"};
};

TEST_F(MariaDBFault, ADriverThatReconnectsWithTheReleaseEndsTheSessionThatItHasLeft) {
    mysql::accept_one_lock_per_session(far_);
    mysql::lock x{far_, "x"};
    expect_the_release_to_end_what_the_driver_has_left(x);
    EXPECT_TRUE(x.try_lock()) << "the new session is as good as the old one";
}

TEST_F(MariaDBFault, ADriverThatReconnectsWithTheReleaseOfSeveralEndsTheSessionThatItHasLeft) {
    mysql::multi_lock both{far_, {"x", "y"}};
    mysql::lock z{far_, "z"};
    ASSERT_TRUE(z.try_lock());
    const auto lost = z.lost();
    expect_the_release_to_end_what_the_driver_has_left(both);
    EXPECT_TRUE(lost.stop_requested()) << "another one of the session";
    EXPECT_EQ(unlock(z), errc::lost);
    EXPECT_TRUE(both.try_lock());
}

TEST_F(MariaDBFault, ADriverThatReconnectsToWhoAnswersNonsenseEndsTheSessionThatItHasLeft) {
    mysql::accept_one_lock_per_session(far_);
    mysql::lock x{far_, "x"};
    expect_the_release_to_end_what_the_driver_has_left(x, [this] { onlooker_ << "SET GLOBAL sql_select_limit = 0"; });
    onlooker_ << "SET GLOBAL sql_select_limit = DEFAULT";
}

// --- PostgreSQL with its company

TEST(PostgreSQLFault, APromotedStandbyStartsWithoutLocksAndGoesOnWithTheTokens) {
    postgresql_server primary;
    soci::session before{primary.url()};
    postgresql::create_fence(before);
    postgresql::fenced_lock held{before, "x"};
    postgresql_server standby{postgresql_server::standby_of{primary}};
    soci::session after{standby.url()};
    postgresql::fenced_lock next{after, "x"};
    held.lock();
    const auto token = held.token();
    EXPECT_EQ(reason_of([&] { next.lock(); }), errc::unsupported) << "a standby has locks of its own";
    EXPECT_EQ(granted(after), 0);

    const auto written = ask<std::string>(before, "SELECT pg_current_wal_flush_lsn()::text");
    const auto replicated = "SELECT (pg_last_wal_replay_lsn() >= '" + written + "')::int";
    await([&] { return ask<int>(after, replicated) == 1; }, "nothing is replicated");
    primary.kill();
    await([&] { return !held.owns_lock(); }, "the loss is not noticed");
    EXPECT_EQ(unlock(held), errc::lost);
    ASSERT_EQ(ask<int>(after, "SELECT pg_promote(true, 60)::int"), 1);
    ASSERT_TRUE(next.try_lock()) << "on the session that was refused before";
    EXPECT_GT(next.token(), token);
}

TEST(PostgreSQLFault, TheEndOfAPoolerThatWasDeclaredIsALoss) {
    postgresql_server& server = postgresql_server::shared();
    pgbouncer pooler{server, pool_mode::session};
    soci::session a{pooler.url()}, b{pooler.url()}, direct{server.url()};
    for (auto* each : {&a, &b}) postgresql::assume_session_pooling(*each);
    postgresql::lock held{a, "x"}, waits{b, "x"}, next{direct, "x"};
    held.lock();
    auto reason = std::async(std::launch::async, [&] { return reason_of([&] { waits.lock(); }); });
    await([&] { return waiting(direct) == 1; }, "nobody waits");
    pooler.stop();
    EXPECT_EQ(reason.get(), errc::lost);
    await([&] { return !held.owns_lock(); }, "the loss is not noticed");
    EXPECT_EQ(unlock(held), errc::lost);
    EXPECT_TRUE(next.try_lock_for(soon));
}

}  // namespace
}  // namespace dlock::testing
