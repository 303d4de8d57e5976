// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Losing a lock, and hearing of it without a query.
#include <dlock/any_lock.hpp>
#include <dlock/mysql.hpp>
#include <dlock/postgresql.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <iostream>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/servers/mariadb_server.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/postgresql.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

/// When a token told.
class bell {
public:
    explicit bell(std::stop_token token) : on_stop_{std::move(token), ring{*this}} {}

    /// Waits for it; nullopt: it did not ring within half a minute.
    std::optional<clock::time_point> heard() {
        std::unique_lock guard{mutex_};
        rung_.wait_for(guard, 30s, [&] { return at_.has_value(); });
        return at_;
    }
    bool silent() {
        const std::lock_guard guard{mutex_};
        return !at_;
    }

private:
    struct ring {
        bell& of;
        void operator()() const {
            const std::lock_guard guard{of.mutex_};
            of.at_ = clock::now();
            of.rung_.notify_all();
        }
    };

    std::mutex mutex_;
    std::condition_variable rung_;
    std::optional<clock::time_point> at_;
    std::stop_callback<ring> on_stop_;
};

std::size_t threads() {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator{"/proc/self/task"}, {}));
}

class Loss : public ::testing::Test {
protected:
    postgresql_server& server_ = postgresql_server::shared();
    soci::session onlooker_{server_.url()};
};

TEST_F(Loss, CostsNothingUntilSomebodyAsks) {
    soci::session a{server_.url()};
    postgresql::lock x{a, "x"};
    const auto before = threads();
    x.lock();
    EXPECT_EQ(x.state(), lock_state::held);
    EXPECT_EQ(threads(), before);
    x.unlock();
    EXPECT_EQ(x.state(), lock_state::unlocked);
    EXPECT_TRUE(x.lost().stop_requested()) << "of a lock that is not held";
}

TEST_F(Loss, TheEndOfTheBackendIsToldWithoutAQuery) {
    postgresql_server logging{{.settings = {"log_statement=all"}}};
    soci::session admin{logging.url()};
    std::vector<clock::duration> delays;
    for (int i = 0; i < 50; ++i) {
        soci::session a{logging.url()};
        postgresql::lock x{a, "x"}, y{a, "y"};
        x.lock();
        ASSERT_TRUE(y.try_lock_for(1s));
        bell of_x{x.lost()}, of_y{y.lost()};
        admin << "SELECT 'from here'";
        const auto killed = clock::now();
        admin << "SELECT pg_terminate_backend(" << pid_of(a) << ")";
        const auto told = of_x.heard();
        ASSERT_TRUE(told && of_y.heard());
        delays.push_back(*told - killed);
        EXPECT_EQ(x.state(), lock_state::lost);
        EXPECT_EQ(unlock(x), errc::lost);
        y.unlock();  // quietly
        admin << "SELECT 'to here'";
    }
    std::sort(delays.begin(), delays.end());
    std::cout << "loss told after " << delays[25] / 1us << " µs (median of 50, including the server's own work), " << delays[48] / 1us
              << " µs (p98)\n";
    const std::string log = logging.log();
    const auto from = log.rfind("from here"), to = log.rfind("to here");
    const auto sent = log.substr(from, to - from);
    int statements = 0;
    for (auto at = sent.find("statement: "); at != sent.npos; at = sent.find("statement: ", at + 1)) ++statements;
    EXPECT_EQ(statements, 2) << "only ours, which ended the backend and which comes after: " << sent;
    EXPECT_EQ(sent.find("execute"), std::string::npos) << "a query was sent: " << sent;
}

TEST_F(Loss, ReconnectsAndResetsAreTold) {
    soci::session a{server_.url()};
    postgresql::lock x{a, "x"};
    const auto told_by = [&](auto event) {
        EXPECT_TRUE(x.try_lock_for(30s));
        const auto lost = x.lost();
        EXPECT_FALSE(lost.stop_requested());
        event();
        EXPECT_TRUE(lost.stop_requested()) << "by the thread that did it, before it went on";
        EXPECT_EQ(x.state(), lock_state::lost);
        std::error_code ec;
        x.unlock(ec);
        EXPECT_EQ(ec, errc::lost);
    };
    told_by([&] { a.reconnect(); });
    told_by([&] { PQreset(raw(a)); });
    told_by([&] { a << "DISCARD ALL"; });
    told_by([&] { a.close(); });
}

TEST_F(Loss, WhatIsDoneOnTheSessionIsNoLoss) {
    soci::session a{server_.url()};
    a << "LISTEN news";
    postgresql::lock x{a, "x"};
    x.lock();
    bell told{x.lost()};
    onlooker_ << "NOTIFY news";
    for (int i = 0; i < 100; ++i) a << "SELECT repeat('x', 100000)";
    EXPECT_THROW(a << "SELECT 1/0", soci::soci_error);
    EXPECT_TRUE(x.owns_lock());
    EXPECT_TRUE(told.silent());
    x.unlock();
    end_session(onlooker_, pid_of(a));
    postgresql::lock y{a, "y"};
    EXPECT_EQ(reason_of([&] { y.lock(); }), errc::lost);
    EXPECT_TRUE(told.silent()) << "that lock had been given back before the session ended";
}

TEST_F(Loss, TheEndOfATransactionIsNoLossOfItsLock) {
    soci::session a{server_.url()};
    postgresql::transaction_lock t{a, "t"};
    a.begin();
    t.lock();
    bell told{t.lost()};
    a.commit();
    EXPECT_FALSE(t.owns_lock());
    end_session(onlooker_, pid_of(a));
    EXPECT_TRUE(told.silent());
}

TEST_F(Loss, AnAnyLockTellsToo) {
    soci::session a{server_.url()};
    postgresql::create_fence(a);
    auto lock = any_lock::of<postgresql::fenced_lock>(a, "any");
    lock.lock();
    EXPECT_NE(lock.token().value, 0U);
    bell told{lock.lost()};
    end_session(onlooker_, pid_of(a));
    EXPECT_TRUE(told.heard());
    EXPECT_EQ(lock.state(), lock_state::lost);
}

TEST_F(Loss, AStoppedServerIsTold) {
    postgresql_server doomed;
    soci::session a{doomed.url()}, b{doomed.url()};
    postgresql::lock x{a, "x"}, y{b, "y"};
    x.lock();
    y.lock_shared();
    bell of_x{x.lost()}, of_y{y.lost()};
    doomed.stop(postgresql_server::shutdown::immediate);
    EXPECT_TRUE(of_x.heard());
    EXPECT_TRUE(of_y.heard());
    doomed.start();
    a.reconnect();
    EXPECT_TRUE(x.try_lock());
}

TEST_F(Loss, OnMariaDBTheEndIsToldToo) {
    mariadb_server& maria = mariadb_server::shared();
    soci::session admin{maria.url()};
    std::vector<clock::duration> delays;
    for (int i = 0; i < 50; ++i) {
        soci::session a{maria.url()};
        mysql::lock x{a, "x"};
        EXPECT_TRUE(x.try_lock_for(30s));
        bell told{x.lost()};
        long id = 0;
        a << "SELECT CONNECTION_ID()", soci::into(id);
        EXPECT_TRUE(told.silent());
        const auto killed = clock::now();
        admin << "KILL " << id;
        const auto at = told.heard();
        ASSERT_TRUE(at);
        delays.push_back(*at - killed);
        EXPECT_EQ(x.state(), lock_state::lost);
        EXPECT_EQ(unlock(x), errc::lost);
    }
    std::sort(delays.begin(), delays.end());
    std::cout << "loss told after " << delays[25] / 1us << " µs (median of 50), " << delays[48] / 1us << " µs (p98)\n";
}

}  // namespace
}  // namespace dlock::testing
