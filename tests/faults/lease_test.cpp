// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Leases: the server takes the lock from who has stopped breathing, and who comes back knows it.
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <iostream>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>
#include <soci/soci.h>

#include <dlock/mysql.hpp>
#include <dlock/mysql/leased_lock.hpp>
#include <dlock/postgresql.hpp>
#include <dlock/postgresql/leased_lock.hpp>
#include <dlock/soci/stop_event.hpp>

#include "tests/faults/diary.hpp"
#include "tests/servers/child_process.hpp"
#include "tests/servers/mariadb_server.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/servers/server_traits.hpp"
#include "tests/servers/temporary_directory.hpp"
#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;

static_assert(lockable<postgresql::leased_lock> && timed_lockable<mysql::leased_lock>);
static_assert(shared_timed_lockable<postgresql::leased_lock> && !shared_timed_lockable<mysql::leased_lock>);

bool eventually(auto condition) {
    for (int i = 0; i < 3000; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(10ms);
    }
    return false;
}

struct OnPostgreSQL {
    using lock = postgresql::lock;
    using leased_lock = postgresql::leased_lock;
    static constexpr const char* name = "postgresql";
    static std::string url() { return postgresql_server::shared().url(); }
};

struct OnMariaDB {
    using lock = mysql::lock;
    using leased_lock = mysql::leased_lock;
    static constexpr const char* name = "mysql";
    static std::string url() { return mariadb_server::shared().url(); }
};

template <class Server>
class Lease : public ::testing::Test {
protected:
    void SetUp() override {
        if constexpr (std::is_same_v<Server, OnPostgreSQL>) NEEDS(server_traits::of_postgresql().leases);
    }
    soci::session onlooker_{Server::url()};
};

struct names {
    template <class Server>
    static std::string GetName(int) {
        return Server::name;
    }
};
using Servers = ::testing::Types<OnPostgreSQL, OnMariaDB>;
TYPED_TEST_SUITE(Lease, Servers, names);

TYPED_TEST(Lease, IsKeptAliveForAsLongAsItIsHeld) {
    typename TypeParam::leased_lock leased{TypeParam::url(), "kept", 1s};
    typename TypeParam::lock other{this->onlooker_, "kept"};
    for (int i = 0; i < 2; ++i) {
        leased.lock();
        EXPECT_THROW(leased.lock(), lock_error);
        EXPECT_FALSE(other.try_lock_for(2500ms)) << "the server freed it although it was breathing";
        EXPECT_EQ(leased.state(), lock_state::held);
        EXPECT_GT(leased.valid_until(), boot_clock::now());
        EXPECT_FALSE(leased.lost().stop_requested());
        leased.unlock();
        EXPECT_EQ(leased.state(), lock_state::unlocked);
        EXPECT_TRUE(other.try_lock());
        EXPECT_FALSE(leased.try_lock());
        other.unlock();
    }
    std::error_code ec;
    leased.unlock(ec);
    EXPECT_EQ(ec, errc::not_owner);
}

TYPED_TEST(Lease, BadOnesAreRefused) {
    using leased_lock = typename TypeParam::leased_lock;
    EXPECT_THROW(leased_lock(TypeParam::url(), "k", 99ms), std::invalid_argument);
    EXPECT_THROW(leased_lock(TypeParam::url(), "k", std::chrono::hours{24 * 25}), std::invalid_argument);
    EXPECT_EQ(reason_of([] { leased_lock(std::string{TypeParam::name} + "://host=127.0.0.1 port=1", "k", 1s); }), errc::not_connected);
}

TYPED_TEST(Lease, AnEndedSessionIsToldAndReplaced) {
    typename TypeParam::leased_lock leased{TypeParam::url(), "ended", 1s};
    leased.lock();
    const auto lost = leased.lost();
    const auto session = leased.holders().at(0).session;
    this->onlooker_ << (std::string{TypeParam::name} == "mysql" ? "KILL " + session : "SELECT pg_terminate_backend(" + session + ")");
    EXPECT_TRUE(eventually([&] { return lost.stop_requested(); }));
    EXPECT_EQ(leased.state(), lock_state::lost);
    EXPECT_FALSE(leased.owns_lock());
    EXPECT_TRUE(leased.lost().stop_requested());
    std::error_code ec;
    leased.unlock(ec);
    EXPECT_EQ(ec, errc::lost);
    EXPECT_TRUE(leased.try_lock()) << "on a new session";
    EXPECT_TRUE(leased.owns_lock());
}

TYPED_TEST(Lease, AStoppedHolderLosesTheLockInTimeAndKnowsIt) {
    constexpr auto lease = 1s;
    constexpr int holders = 50, at_once = 25;
    const temporary_directory folder;
    std::vector<std::chrono::nanoseconds> waits;
    const auto one = [&](int i) {
        const std::string name = "stopped/" + std::to_string(i), file = (folder.path() / std::to_string(i)).string();
        diary diary{file};
        child_process child{{.command = {"tests/faults/lease_holder", TypeParam::name, TypeParam::url(), name,
                                         std::to_string(std::chrono::milliseconds{lease}.count()), file}}};
        if (!eventually([&] { return diary.believed() != boot_clock::time_point{}; })) throw std::runtime_error{"no holder"};
        child.signal(SIGSTOP);
        const auto stopped = boot_clock::now();
        soci::session session{TypeParam::url()};
        typename TypeParam::lock next{session, name};
        if (!next.try_lock_for(30s)) throw std::runtime_error{"the lock was never freed"};
        const auto in = boot_clock::now();
        child.signal(SIGCONT);
        if (!eventually([&] { return diary.was_told_lost(); })) throw std::runtime_error{"the holder was not told"};
        if (diary.believed() >= in) throw std::runtime_error{"the holder believed to hold what another held"};
        return in - stopped;
    };
    for (int started = 0; started < holders; started += at_once) {
        std::vector<std::future<boot_clock::duration>> running;
        for (int i = 0; i < at_once; ++i) running.push_back(std::async(std::launch::async, one, started + i));
        for (auto& each : running) {
            try {
                waits.push_back(each.get());
            } catch (const std::exception& e) {
                ADD_FAILURE() << e.what();
            }
        }
    }
    ASSERT_EQ(waits.size(), holders);
    std::sort(waits.begin(), waits.end());
    std::cout << "next holder in after " << waits[holders / 2] / 1ms << " ms (median), " << waits.back() / 1ms << " ms (longest of " << holders
              << ")\n";
    EXPECT_LE(waits.back(), 2s);
}

TEST(LeaseOnPostgreSQL, NeedsAServerThatEndsIdleSessions) {
    postgresql::leased_lock leased{postgresql_server::shared().url(), "idle", 1s};
    if (server_traits::of_postgresql().leases) {
        leased.lock();
        leased.unlock();
    } else {
        const auto error = error_of([&] { leased.lock(); });
        EXPECT_EQ(error.reason(), errc::unsupported);
        EXPECT_NE(std::string{error.what()}.find("PostgreSQL 14 or newer"), std::string::npos) << error.what();
    }
}

TEST(LeaseOnPostgreSQL, ASilentServerMakesItSuspectThenLost) {
    NEEDS(server_traits::of_postgresql().leases);
    postgresql_server& server = postgresql_server::shared();
    postgresql::leased_lock leased{server.url(), "silent", 900ms};
    leased.lock();
    const auto lost = leased.lost();
    const pid_t backend = std::atoi(leased.holders().at(0).session.c_str());
    ASSERT_EQ(::kill(backend, SIGSTOP), 0);
    EXPECT_TRUE(eventually([&] { return leased.state() == lock_state::suspect; }));
    EXPECT_TRUE(eventually([&] { return leased.state() == lock_state::lost; }));
    EXPECT_TRUE(eventually([&] { return lost.stop_requested(); }));
    leased.unlock();  // does not wait for who does not answer
    EXPECT_EQ(::kill(backend, SIGCONT), 0);
    EXPECT_TRUE(leased.try_lock_for(30s));
}

/// On a server that the kernel answers for, and that says nothing.
template <class Lock, class Stop, class Go>
void expect_calls_to_end_with_the_lease(Lock& leased, Stop stop, Go go_on) {
    leased.lock();
    auto lost = leased.lost();
    stop();
    EXPECT_EQ(reason_of([&] { (void)leased.holders(); }), errc::lost);
    EXPECT_GE(boot_clock::now(), leased.valid_until());
    EXPECT_TRUE(eventually([&] { return lost.stop_requested(); }));
    EXPECT_EQ(leased.state(), lock_state::lost);
    EXPECT_EQ(unlock(leased), errc::lost);
    go_on();
    ASSERT_TRUE(leased.try_lock_for(30s));
    lost = leased.lost();
    EXPECT_FALSE(lost.stop_requested());
    stop();
    EXPECT_EQ(unlock(leased), errc::lost);
    EXPECT_TRUE(lost.stop_requested());
    go_on();
    ASSERT_TRUE(leased.try_lock_for(30s));
    EXPECT_TRUE(leased.owns_lock());
    EXPECT_FALSE(unlock(leased));
}

TEST(LeaseOnPostgreSQL, TheOwnersCallsEndWithTheLease) {
    NEEDS(server_traits::of_postgresql().leases);
    postgresql::leased_lock leased{postgresql_server::shared().url(), "calls", 900ms};
    pid_t backend = 0;
    expect_calls_to_end_with_the_lease(
        leased,
        [&] {
            backend = std::atoi(leased.holders().at(0).session.c_str());
            ASSERT_EQ(::kill(backend, SIGSTOP), 0);
        },
        [&] { ASSERT_EQ(::kill(backend, SIGCONT), 0); });
}

TEST(LeaseOnMariaDB, TheOwnersCallsEndWithTheLease) {
    mariadb_server server;
    mysql::leased_lock leased{server.url(), "calls", 900ms};
    expect_calls_to_end_with_the_lease(
        leased, [&] { ASSERT_EQ(::kill(server.pid(), SIGSTOP), 0); }, [&] { ASSERT_EQ(::kill(server.pid(), SIGCONT), 0); });
}

// The driver would connect anew with the first statement after the end, and the server would never end that session.
TEST(LeaseOnMariaDB, TheDriverDoesNotConnectAnewByItself) {
    mariadb_server& server = mariadb_server::shared();
    soci::session onlooker{server.url()};
    mysql::leased_lock leased{server.url() + " reconnect=1", "anew", 10min};
    leased.lock();
    const auto session = leased.holders().at(0).session;
    leased.unlock();
    onlooker << "KILL " + session;
    ASSERT_TRUE(eventually([&] {
        int left = 0;
        onlooker << "SELECT COUNT(*) FROM information_schema.processlist WHERE id = " + session, soci::into(left);
        return left == 0;
    }));
    EXPECT_EQ(reason_of([&] { (void)leased.holders(); }), errc::lost);
}

std::atomic<int> interruptions = 0;

TEST(Silence, ASignalIsNone) {
    struct sigaction counts {}, before {};
    counts.sa_handler = [](int) { ++interruptions; };
    ASSERT_EQ(::sigaction(SIGUSR1, &counts, &before), 0);
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    std::atomic<pthread_t> waiter{};
    auto spoken = std::async(std::launch::async, [&] {
        waiter = ::pthread_self();
        return soci_support::stop_event::wait_for(ends[0], 30s);
    });
    while (interruptions < 100) {  // most of them find it waiting
        if (spoken.wait_for(1ms) == std::future_status::ready) break;
        if (waiter != pthread_t{}) ::pthread_kill(waiter, SIGUSR1);
    }
    EXPECT_EQ(::write(ends[1], "x", 1), 1);
    EXPECT_TRUE(spoken.get());
    for (const int end : ends) ::close(end);
    ::sigaction(SIGUSR1, &before, nullptr);
}

}  // namespace
}  // namespace dlock::testing
