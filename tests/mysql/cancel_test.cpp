// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Waits that end before their time: by a stop_token, by an administrator's KILL QUERY, by a limit of the session, by a
// deadlock. The session goes on, and the lock is not held.
#include <dlock/mysql.hpp>

#include <algorithm>
#include <chrono>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <dlock/mysql/killer.hpp>

#include "tests/mysql/client.hpp"
#include "tests/mysql/fixture.hpp"
#include "tests/mysql/middleman.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using mysql::lock;
using clock = std::chrono::steady_clock;

class Cancel : public NamedLock {
protected:
    /// Waits on the trait until the stop; the lock is not to be had.
    static errc wait(soci::session& on, const std::stop_source& stop, deadline until = deadline::never()) {
        return reason_of([&] { (void)mysql::named::acquire_until(on, "k", mode::exclusive, until, stop.get_token()); });
    }
    bool is_usable(soci::session& s) { return ask(s, "SELECT 7") == "7" && lock(s, "j").try_lock(); }
};
INSTANTIATE_ON_BOTH_SERVERS(Cancel);

class MariaDBCancel : public Cancel {};
INSTANTIATE_TEST_SUITE_P(, MariaDBCancel, ::testing::Values(mariadb), [](const auto&) { return "10"; });

class MySQL56Cancel : public Cancel {
    void SetUp() override { NEEDS(GetParam().traits.one_lock_per_session); }
};
INSTANTIATE_TEST_SUITE_P(, MySQL56Cancel, ::testing::Values(genuine_mysql), [](const auto&) { return "6"; });

// --- by a stop_token

TEST_P(Cancel, EndsAWaitInTheServersQueueSoonAndLeavesTheSessionUsable) {
    session a{url()}, b{url()};
    lock mine{a, "k"};
    mine.lock();
    std::vector<clock::duration> times;
    for (int i = 0; i < 20; ++i) {
        std::stop_source stop;
        auto waits = std::async(std::launch::async, [&] { return wait(b, stop); });
        onlooker_.await_waiter(id_of(b));
        const auto begin = clock::now();
        stop.request_stop();
        EXPECT_EQ(waits.get(), errc::cancelled);
        times.push_back(clock::now() - begin);
        EXPECT_TRUE(holds(a));
        EXPECT_TRUE(is_usable(b));
    }
    std::nth_element(times.begin(), times.begin() + 10, times.end());
    EXPECT_LT(times[10], 50ms);
    mine.unlock();
    EXPECT_TRUE(lock(b, "k").try_lock());
}

TEST_P(Cancel, BeforeTheWaitSendsNothing) {
    session a{url()};
    std::stop_source stop;
    stop.request_stop();
    EXPECT_EQ(wait(a, stop), errc::cancelled);
    EXPECT_EQ(wait(a, stop, deadline::after(0s)), errc::cancelled);
    EXPECT_TRUE(is_free());
}

TEST_P(Cancel, ATokenThatIsNeverStoppedChangesNothing) {
    session a{url()}, b{url()};
    std::stop_source stop;
    const auto until = [&](auto d) {
        return mysql::named::acquire_until(b, "k", mode::exclusive, d, stop.get_token());
    };
    lock mine{a, "k"};
    mine.lock();
    EXPECT_FALSE(until(deadline::after(20ms)));
    mine.unlock();
    const auto grant = until(deadline::never());
    ASSERT_TRUE(grant);
    EXPECT_EQ(mysql::named::release(b, "k", mode::exclusive, *grant), released::yes);
}

TEST_P(MySQL56Cancel, EndsAPauseBetweenTwoTriesToo) {
    session a{url()}, b{url()};
    lock mine{a, "k"};
    mine.lock();
    for (int i = 0; i < 20; ++i) {
        std::stop_source stop;
        auto waits = std::async(std::launch::async, [&] { return wait(b, stop, deadline::after(990ms)); });
        std::this_thread::sleep_for(std::chrono::milliseconds{i});
        stop.request_stop();
        EXPECT_EQ(waits.get(), errc::cancelled);
    }
    EXPECT_TRUE(is_usable(b));
    mine.unlock();
}

TEST_P(Cancel, AtTheInstantOfTheGrantLeavesItHeldOrNot) {
    session a{url()}, b{url()};
    lock mine{a, "k"};
    int granted = 0, cancelled = 0;
    for (int i = 0; i < 200; ++i) {
        mine.lock();
        std::stop_source stop;
        auto waits = std::async(std::launch::async, [&]() -> std::optional<mysql::grant> {
            try {
                return mysql::named::acquire_until(b, "k", mode::exclusive, deadline::never(), stop.get_token());
            } catch (const lock_error& error) {
                if (error.reason() != errc::cancelled) throw;
                return std::nullopt;
            }
        });
        onlooker_.await_waiter(id_of(b));
        std::thread canceller{[&] { stop.request_stop(); }};
        std::this_thread::sleep_for(std::chrono::microseconds{i * 10 % 1500});
        mine.unlock();
        canceller.join();
        if (const auto grant = waits.get()) {
            ++granted;
            EXPECT_TRUE(holds(b));
            EXPECT_EQ(mysql::named::release(b, "k", mode::exclusive, *grant), released::yes);
        } else {
            ++cancelled;
            EXPECT_TRUE(is_free());
        }
    }
    EXPECT_GT(cancelled, 0);
    EXPECT_TRUE(is_usable(b));
    RecordProperty("granted", granted);
}

TEST_P(Cancel, AGrantThatWasOnItsWayIsGivenBack) {
    middleman slow{server_};
    session a{slow.url()};
    first_use(a);
    slow.hold_back(true);
    std::stop_source stop;
    auto waits = std::async(std::launch::async, [&] { return wait(a, stop); });
    await([&] { return holds(a); }, "the server has granted");
    stop.request_stop();
    slow.hold_back(false);
    EXPECT_EQ(waits.get(), errc::cancelled);
    EXPECT_TRUE(is_free());
    EXPECT_TRUE(is_usable(a));
}

TEST_P(Cancel, WithoutASecondConnectionEndsTheSession) {
    middleman door{server_};
    session a{url()}, b{door.url()};
    lock mine{a, "k"};
    mine.lock();
    door.turn_away();
    std::stop_source stop;
    auto waits = std::async(std::launch::async, [&] { return wait(b, stop); });
    const auto id = id_of(b);
    onlooker_.await_waiter(id);
    const auto begin = clock::now();
    stop.request_stop();
    EXPECT_EQ(waits.get(), errc::lost);
    EXPECT_LT(clock::now() - begin, 5s);
    onlooker_.await_end(id);
    EXPECT_TRUE(holds(a));
    mine.unlock();
    EXPECT_TRUE(is_free());
}

TEST_P(Cancel, BehindAPoolerOfSessionsFindsItsStatement) {
    middleman pooler{server_};
    pooler.greet_with_own_ids();
    session a{url()}, b{pooler.url()};
    mysql::assume_session_pooling(b);
    const auto id = std::stoul(ask(b, "SELECT CONNECTION_ID()"));
    lock mine{a, "k"};
    mine.lock();
    std::stop_source stop;
    auto waits = std::async(std::launch::async, [&] { return wait(b, stop); });
    onlooker_.await_waiter(id);
    stop.request_stop();
    EXPECT_EQ(waits.get(), errc::cancelled);
    EXPECT_TRUE(is_usable(b));
    mine.unlock();
}

TEST_P(Cancel, NeverEndsAStatementThatIsNotItsOwn) {
    client stranger{server_};
    onlooker_.ask("SELECT GET_LOCK('k', 0)");
    stranger.send("SELECT GET_LOCK('k', 60)");
    onlooker_.await_waiter(stranger.id());
    mysql::killer killer{onlooker_.handle()};
    ASSERT_EQ(killer.connect(), "");
    killer.kill_query(stranger.id(), "SELECT GET_LOCK('k', 61)");
    onlooker_.await_waiter(stranger.id());
    onlooker_.ask("SELECT RELEASE_LOCK('k')");
    EXPECT_EQ(stranger.receive(), "1");
    stranger.ask("SELECT RELEASE_LOCK('k')");
}

// --- from outside

TEST_P(Cancel, ByAnAdministrator) {
    session a{url()}, b{url()};
    lock mine{a, "k"}, theirs{b, "k"};
    mine.lock();
    auto waits = std::async(std::launch::async, [&] { return error_of([&] { theirs.lock(); }); });
    onlooker_.await_waiter(id_of(b));
    onlooker_.kill_query(id_of(b));
    const auto error = waits.get();
    EXPECT_EQ(error.reason(), errc::cancelled);
    EXPECT_NE(std::string{error.what()}.find("KILL QUERY"), std::string::npos);
    EXPECT_FALSE(theirs.owns_lock());
    EXPECT_TRUE(is_usable(b));
    mine.unlock();
}

TEST_P(MariaDBCancel, ByMaxStatementTime) {
    session a{url()}, b{url()};
    lock mine{a, "k"}, theirs{b, "k"};
    mine.lock();
    b << "SET max_statement_time = 0.02";
    EXPECT_EQ(reason_of([&] { theirs.lock(); }), errc::cancelled);
    b << "SET max_statement_time = 0";
    EXPECT_TRUE(is_usable(b));
    mine.unlock();
}

TEST_P(MariaDBCancel, ByADeadlockWhoseVictimKeepsItsOtherLocks) {
    session a{url()}, b{url()};
    lock a_k{a, "k"}, a_j{a, "j"}, b_j{b, "j"}, b_k{b, "k"};
    a_k.lock();
    b_j.lock();
    const auto try_to = [](lock& wanted, lock& held) {
        try {
            wanted.lock();
            wanted.unlock();
            return false;
        } catch (const lock_error& error) {
            EXPECT_EQ(error.reason(), errc::deadlock);
            EXPECT_EQ(error.native(), "1213");
            EXPECT_TRUE(held.owns_lock());
            EXPECT_FALSE(wanted.owns_lock());
            held.unlock();  // lets the other one in
            return true;
        }
    };
    auto first = std::async(std::launch::async, [&] { return try_to(a_j, a_k); });
    onlooker_.await_waiter(id_of(a));
    const bool second = try_to(b_k, b_j);
    EXPECT_NE(first.get(), second) << "one of the two, also the one that came first";
    a_k.unlock();
    b_j.unlock();
}

}  // namespace
}  // namespace dlock::testing
