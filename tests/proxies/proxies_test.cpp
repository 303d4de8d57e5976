// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The same dozen checks through everything that stands between a program and its server. The onlooker asks the server itself.
//
// The default run knows PgBouncer; the other roads are the matrix's (BUILD.bazel says which servers each needs).
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <iostream>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <gtest/gtest.h>
#include <mysql.h>
#include <soci/mysql/soci-mysql.h>
#include <sys/socket.h>

#include <dlock/mysql.hpp>
#include <dlock/mysql/leased_lock.hpp>
#include <dlock/mysql/lock_manager.hpp>
#include <dlock/mysql/multi_lock.hpp>
#include <dlock/postgresql.hpp>
#include <dlock/postgresql/leased_lock.hpp>
#include <dlock/postgresql/lock_manager.hpp>
#include <dlock/postgresql/multi_lock.hpp>

#include "tests/servers/haproxy.hpp"
#include "tests/servers/mariadb_server.hpp"
#include "tests/servers/mysql_router.hpp"
#include "tests/servers/mysql_server.hpp"
#include "tests/servers/odyssey.hpp"
#include "tests/servers/pgbouncer.hpp"
#include "tests/servers/pgpool.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/servers/server_traits.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/postgresql.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;

// --- the two kinds of server

struct postgresql_kind {
    using lock = postgresql::lock;
    using multi_lock = postgresql::multi_lock;
    using fenced_lock = postgresql::fenced_lock;
    using leased_lock = postgresql::leased_lock;
    using manager = postgresql::lock_manager;
    using managed_lock = postgresql::managed_lock;
    using pipeline = postgresql::pipelined_advisory;

    static void promise_session_pooling(soci::session& on) { postgresql::assume_session_pooling(on); }
    static void prepare(soci::session& onlooker) { postgresql::create_fence(onlooker); }
    static int socket_of(soci::session& of) { return PQsocket(raw(of)); }
    static int held(soci::session& onlooker) { return granted(onlooker); }
    static int waiters(soci::session& onlooker) { return waiting(onlooker); }
    static void end(soci::session& onlooker, const std::string& session) { end_session(onlooker, std::stoi(session)); }
};

struct mysql_kind {
    using lock = mysql::lock;
    using multi_lock = mysql::multi_lock;
    using fenced_lock = mysql::fenced_lock;
    using leased_lock = mysql::leased_lock;
    using manager = mysql::lock_manager;
    using managed_lock = mysql::managed_lock;
    using pipeline = mysql::pipelined_named;

    static void promise_session_pooling(soci::session& on) { mysql::assume_session_pooling(on); }
    static void prepare(soci::session&) {}
    static int socket_of(soci::session& of) {
        return static_cast<int>(mysql_get_socket(static_cast<soci::mysql_session_backend*>(of.get_backend())->conn_));
    }
    /// Of the names that the tests use.
    static int held(soci::session& onlooker) {
        return std::stoi(ask<std::string>(
            onlooker, "SELECT CAST((IS_USED_LOCK('j') IS NOT NULL) + (IS_USED_LOCK('k') IS NOT NULL) AS CHAR)"));
    }
    static int waiters(soci::session& onlooker) {
        return std::stoi(ask<std::string>(
            onlooker, "SELECT CAST(COUNT(*) AS CHAR) FROM information_schema.processlist WHERE state = 'User lock'"));
    }
    static void end(soci::session& onlooker, const std::string& session) { onlooker << "KILL " + session; }
};

// --- the roads

std::string at_port(const char* scheme, int port, const std::string& more) {
    return scheme + std::string{"://host=127.0.0.1 port="} + std::to_string(port) + more;
}
std::string postgresql_at(int port) { return at_port("postgresql", port, " user=dlock dbname=postgres"); }
std::string mysql_at(int port) { return at_port("mysql", port, " user=root dbname=test"); }

struct PgBouncerSession : postgresql_kind {
    static constexpr const auto& traits = server_traits::pgbouncer_session;
    static std::string direct() { return postgresql_server::shared().url(); }
    static std::string url() {
        static const pgbouncer proxy{postgresql_server::shared(), pool_mode::session, {.settings = {"default_pool_size=40"}}};
        return proxy.url();
    }
};

struct PgBouncerTransaction : postgresql_kind {
    static constexpr const auto& traits = server_traits::pgbouncer_transaction;
    static std::string direct() { return postgresql_server::shared().url(); }
    static std::string url() {
        static const pgbouncer proxy{postgresql_server::shared(), pool_mode::transaction};
        return proxy.url();
    }
};

struct OdysseySession : postgresql_kind {
    static constexpr const auto& traits = server_traits::odyssey_session;
    static std::string direct() { return postgresql_server::shared().url(); }
    static std::string url() {
        static const odyssey proxy{postgresql_server::shared(), pool_mode::session};
        return postgresql_at(proxy.port());
    }
};

struct OdysseyTransaction : postgresql_kind {
    static constexpr const auto& traits = server_traits::odyssey_transaction;
    static std::string direct() { return postgresql_server::shared().url(); }
    static std::string url() {
        static const odyssey proxy{postgresql_server::shared(), pool_mode::transaction};
        return postgresql_at(proxy.port());
    }
};

struct Pgpool : postgresql_kind {
    static constexpr const auto& traits = server_traits::pgpool;
    static std::string direct() { return postgresql_server::shared().url(); }
    static std::string url() {
        static const pgpool proxy{postgresql_server::shared()};
        return postgresql_at(proxy.port());
    }
};

struct HAProxyPostgreSQL : postgresql_kind {
    static constexpr const auto& traits = server_traits::haproxy_postgresql;
    static std::string direct() { return postgresql_server::shared().url(); }
    static std::string url() {
        static const haproxy proxy{postgresql_server::shared().socket()};
        return postgresql_at(proxy.port());
    }
};

struct HAProxyMariaDB : mysql_kind {
    static constexpr const auto& traits = server_traits::haproxy_mariadb;
    static std::string direct() { return mariadb_server::shared().url(); }
    static std::string url() {
        static const haproxy proxy{mariadb_server::shared().socket()};
        return mysql_at(proxy.port());
    }
};

struct HAProxyMySQL : mysql_kind {
    static constexpr const auto& traits = server_traits::haproxy_mysql;
    static std::string direct() { return mysql_server::shared().url(); }
    static std::string url() {
        static const haproxy proxy{mysql_server::shared().socket()};
        return mysql_at(proxy.port());
    }
};

const mysql_server& behind_router() {
    static const mysql_server server{{.tcp = true}};
    return server;
}

struct RouterPassing : mysql_kind {
    static constexpr const auto& traits = server_traits::router_passing;
    static std::string direct() { return behind_router().url(); }
    static std::string url() {
        static const mysql_router proxy{behind_router(), mysql_router::tls::passed_through};
        return mysql_at(proxy.port());
    }
};

struct RouterTerminating : mysql_kind {
    static constexpr const auto& traits = server_traits::router_terminating;
    static std::string direct() { return behind_router().url(); }
    static std::string url() {
        static const mysql_router proxy{behind_router(), mysql_router::tls::terminated};
        return mysql_at(proxy.port());
    }
};

struct RouterSharing : mysql_kind {
    static constexpr const auto& traits = server_traits::router_sharing;
    static std::string direct() { return behind_router().url(); }
    static std::string url() {
        static const mysql_router proxy{behind_router(), mysql_router::tls::shared};
        return mysql_at(proxy.port());
    }
};

// --- the checks

template <class Road>
class Proxy : public ::testing::Test {
protected:
    Proxy() { Road::prepare(onlooker_); }
    void TearDown() override {
        await([this] { return Road::held(onlooker_) == 0; }, "the test left a lock");
    }

    /// A session through the proxy, of which is said what makes the library lock there.
    static std::unique_ptr<soci::session> open() {
        auto session = std::make_unique<soci::session>(Road::url());
        if (Road::traits.wants_a_promise) Road::promise_session_pooling(*session);
        return session;
    }
    static auto connect() {
        auto session = Road::pipeline::connect(Road::url());
        if (Road::traits.wants_a_promise) Road::promise_session_pooling(*session);
        return session;
    }

    using lock = typename Road::lock;

    soci::session onlooker_{Road::direct()};
};

struct road_name {
    template <class Road>
    static std::string GetName(int) {
        return Road::traits.name;
    }
};
using roads = ::testing::Types<PgBouncerSession, PgBouncerTransaction, OdysseySession, OdysseyTransaction, Pgpool, HAProxyPostgreSQL,
                               HAProxyMariaDB, HAProxyMySQL, RouterPassing, RouterTerminating, RouterSharing>;
TYPED_TEST_SUITE(Proxy, roads, road_name);

TYPED_TEST(Proxy, WithoutAPromiseIsRefusedWithASentenceThatNamesTheWayOut) {
    soci::session a{TypeParam::url()};
    typename TypeParam::lock mine{a, "k"};
    if (!TypeParam::traits.wants_a_promise && TypeParam::traits.keeps_sessions) {
        EXPECT_TRUE(mine.try_lock()) << "the client talks to the very server";
        mine.unlock();
        return;
    }
    typename TypeParam::fenced_lock fenced{a, "k"};
    typename TypeParam::multi_lock several{a, {"k", "j"}};
    const auto refused = [](const lock_error& error, bool owns_its_sessions, bool or_transaction = false) {
        EXPECT_EQ(error.reason(), errc::unsupported) << error.what();
        const std::string text{error.what()};
        EXPECT_NE(text.find("assume_session_pooling()"), text.npos) << text;
        EXPECT_EQ(text.find("transaction_lock") != text.npos, (or_transaction && std::is_base_of_v<postgresql_kind, TypeParam>)) << text;
        EXPECT_EQ(text.find("function that opens") != text.npos, owns_its_sessions) << text;
    };
    refused(error_of([&] { (void)mine.try_lock(); }), false, true);
    refused(error_of([&] { mine.lock(); }), false, true);
    refused(error_of([&] { (void)fenced.try_lock(); }), false);
    refused(error_of([&] { (void)several.try_lock(); }), false);
    refused(error_of([] { typename TypeParam::manager locks{TypeParam::url()}; }), true);
    refused(error_of([] {
                typename TypeParam::leased_lock leased{TypeParam::url(), "k", 1s};
                leased.lock();
            }),
            true);
    EXPECT_EQ(TypeParam::held(this->onlooker_), 0);
}

TYPED_TEST(Proxy, OneExcludesTheOthers) {
    NEEDS(TypeParam::traits.keeps_sessions);
    const auto a = this->open(), b = this->open();
    typename TypeParam::lock mine{*a, "k"}, theirs{*b, "k"}, beside{this->onlooker_, "k"};
    for (int i = 0; i < 20; ++i) {
        mine.lock();
        EXPECT_FALSE(theirs.try_lock());
        EXPECT_FALSE(beside.try_lock()) << "nor who goes to the server itself";
        EXPECT_TRUE(mine.owns_lock());
        mine.unlock();
        ASSERT_TRUE(theirs.try_lock());
        EXPECT_FALSE(mine.try_lock());
        theirs.unlock();
    }
}

TYPED_TEST(Proxy, OfSixOneOwns) {
    NEEDS(TypeParam::traits.keeps_sessions);
    std::vector<std::unique_ptr<soci::session>> sessions;
    std::vector<std::unique_ptr<typename TypeParam::lock>> locks;
    for (int i = 0; i < 6; ++i) {
        sessions.push_back(this->open());
        locks.push_back(std::make_unique<typename TypeParam::lock>(*sessions.back(), "k"));
    }
    for (std::size_t round = 0; round < locks.size(); ++round) {
        for (std::size_t i = 0; i < locks.size(); ++i) EXPECT_EQ(locks[(round + i) % locks.size()]->try_lock(), i == 0);
        locks[round]->unlock();
    }
}

TYPED_TEST(Proxy, AReleaseLetsTheWaiterIn) {
    NEEDS(TypeParam::traits.keeps_sessions);
    const auto a = this->open(), b = this->open();
    typename TypeParam::lock mine{*a, "k"}, theirs{*b, "k"};
    mine.lock();
    auto waits = std::async(std::launch::async, [&] { theirs.lock(); });
    await([&] { return TypeParam::waiters(this->onlooker_) == 1; }, "nobody waits");
    mine.unlock();
    waits.get();
    EXPECT_TRUE(theirs.owns_lock());
    EXPECT_FALSE(mine.try_lock());
    theirs.unlock();
}

TYPED_TEST(Proxy, TheEndOfTheHoldersConnectionLetsTheWaiterIn) {
    NEEDS(TypeParam::traits.keeps_sessions);
    const auto a = this->open(), b = this->open();
    typename TypeParam::lock mine{*a, "k"}, theirs{*b, "k"};
    mine.lock();
    auto waits = std::async(std::launch::async, [&] { return theirs.try_lock_for(30s); });
    await([&] { return TypeParam::waiters(this->onlooker_) == 1; }, "nobody waits");
    ASSERT_EQ(::shutdown(TypeParam::socket_of(*a), SHUT_RDWR), 0) << "as the kernel does for a process that is killed";
    EXPECT_TRUE(waits.get());
    EXPECT_FALSE(mine.owns_lock());
    EXPECT_EQ(unlock(mine), errc::lost);
    theirs.unlock();
}

TYPED_TEST(Proxy, TheEndOfTheServersSessionIsALossAndLetsTheWaiterIn) {
    NEEDS(TypeParam::traits.keeps_sessions);
    const auto a = this->open(), b = this->open();
    typename TypeParam::lock mine{*a, "k"}, theirs{*b, "k"};
    mine.lock();
    const auto holders = mine.holders();
    ASSERT_EQ(holders.size(), 1U);
    auto waits = std::async(std::launch::async, [&] { return theirs.try_lock_for(30s); });
    await([&] { return TypeParam::waiters(this->onlooker_) == 1; }, "nobody waits");
    TypeParam::end(this->onlooker_, holders.front().session);
    EXPECT_TRUE(waits.get());
    await([&] { return !mine.owns_lock(); }, "the holder is not told");
    EXPECT_EQ(unlock(mine), errc::lost);
    EXPECT_TRUE(theirs.owns_lock());
    theirs.unlock();
}

TYPED_TEST(Proxy, AStopRequestEndsTheWaitAndNothingIsHeld) {
    NEEDS(TypeParam::traits.keeps_sessions);
    const auto a = this->open(), b = this->open();
    typename TypeParam::lock mine{*a, "k"}, theirs{*b, "k"};
    mine.lock();
    std::stop_source stop;
    auto waits = std::async(std::launch::async, [&] { return reason_of([&] { theirs.lock(stop.get_token()); }); });
    await([&] { return TypeParam::waiters(this->onlooker_) == 1; }, "nobody waits");
    stop.request_stop();
    const auto reason = waits.get();
    EXPECT_EQ(reason, errc::cancelled);
    EXPECT_FALSE(theirs.owns_lock());
    EXPECT_TRUE(mine.owns_lock());
    mine.unlock();
    EXPECT_TRUE(theirs.try_lock()) << "the session goes on";
    theirs.unlock();
}

TYPED_TEST(Proxy, AWaitEndsAtItsLimitAndNothingIsHeld) {
    NEEDS(TypeParam::traits.keeps_sessions);
    const auto a = this->open(), b = this->open();
    typename TypeParam::lock mine{*a, "k"}, theirs{*b, "k"};
    mine.lock();
    for (int i = 0; i < 5; ++i) {
        const auto begin = std::chrono::steady_clock::now();
        EXPECT_FALSE(theirs.try_lock_for(50ms));
        EXPECT_GE(std::chrono::steady_clock::now() - begin, 50ms);
        EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
    }
    mine.unlock();
    EXPECT_TRUE(theirs.try_lock_for(50ms));
    theirs.unlock();
}

TYPED_TEST(Proxy, AManagersLocksExcludeEverybody) {
    NEEDS(TypeParam::traits.keeps_sessions);
    typename TypeParam::manager here{[] { return TestFixture::connect(); }}, there{[] { return TestFixture::connect(); }};
    typename TypeParam::managed_lock mine{here, "k"}, theirs{there, "k"};
    typename TypeParam::lock beside{this->onlooker_, "k"};
    for (int i = 0; i < 100; ++i) {
        mine.lock();
        EXPECT_FALSE(theirs.try_lock());
        EXPECT_FALSE(beside.try_lock());
        mine.unlock();
        theirs.lock();
        EXPECT_FALSE(beside.try_lock());
        theirs.unlock();
    }
}

/// $DLOCK_SOAK_SECONDS: for that long.
TYPED_TEST(Proxy, ManyThreadsOfAManagerGetNoError) {
    NEEDS(TypeParam::traits.keeps_sessions);
    typename TypeParam::manager locks{[] { return TestFixture::connect(); }};
    const char* const soak = std::getenv("DLOCK_SOAK_SECONDS");
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{soak != nullptr ? std::atoi(soak) : 0};
    std::atomic<int> cycles = 0;
    std::array<int, 4> turns{};  // each guarded by a lock
    {
        std::vector<std::jthread> threads;
        for (int thread = 0; thread < 8; ++thread) {
            threads.emplace_back([&, thread] {
                for (int i = 0; i < 200 || std::chrono::steady_clock::now() < end; ++i) {
                    const auto name = static_cast<std::size_t>(i + thread) % turns.size();
                    typename TypeParam::managed_lock mine{locks, "k" + std::to_string(name)};
                    try {
                        mine.lock();
                        ++turns[name];
                        mine.unlock();
                        ++cycles;
                    } catch (const lock_error& error) {
                        ADD_FAILURE() << error.what();
                        return;
                    }
                }
            });
        }
    }
    int counted = 0;
    for (const int of_one : turns) counted += of_one;
    EXPECT_EQ(counted, cycles) << "two held one";
    EXPECT_GE(cycles, 1600);
    std::cout << cycles << " cycles\n";
}

TYPED_TEST(Proxy, SeveralNamesAreLockedTogether) {
    NEEDS(TypeParam::traits.keeps_sessions);
    const auto a = this->open(), b = this->open();
    typename TypeParam::multi_lock mine{*a, {"k", "j"}};
    typename TypeParam::lock one{*b, "j"};
    mine.lock();
    EXPECT_FALSE(one.try_lock());
    mine.unlock();
    EXPECT_TRUE(one.try_lock());
    EXPECT_FALSE(mine.try_lock());
    EXPECT_EQ(TypeParam::held(this->onlooker_), 1) << "and none of them stays";
    one.unlock();
}

TYPED_TEST(Proxy, TokensRise) {
    NEEDS(TypeParam::traits.keeps_sessions);
    const auto a = this->open(), b = this->open();
    typename TypeParam::fenced_lock mine{*a, "k"}, theirs{*b, "k"};
    fencing_token last{};
    for (int i = 0; i < 10; ++i)
        for (auto* const each : {&mine, &theirs}) {
            each->lock();
            EXPECT_GT(each->token(), last);
            last = each->token();
            each->unlock();
        }
}

TYPED_TEST(Proxy, ALeaseIsKept) {
    NEEDS(TypeParam::traits.keeps_sessions);
    if constexpr (std::is_base_of_v<postgresql_kind, TypeParam>) NEEDS(server_traits::of_postgresql().leases);
    typename TypeParam::leased_lock leased{[] { return TestFixture::connect(); }, "k", 1s};
    typename TypeParam::lock beside{this->onlooker_, "k"};
    leased.lock();
    EXPECT_FALSE(beside.try_lock_for(1500ms)) << "it breathes";
    EXPECT_TRUE(leased.owns_lock());
    leased.unlock();
    EXPECT_TRUE(beside.try_lock());
    beside.unlock();
    ASSERT_TRUE(leased.try_lock());
    TypeParam::end(this->onlooker_, leased.holders().at(0).session);
    await([&] { return !leased.owns_lock(); }, "the holder is not told");
    EXPECT_TRUE(leased.try_lock()) << "over another session, of which the same is promised";
    leased.unlock();
}

TYPED_TEST(Proxy, ATransactionsLockIsHeldUntilItsEnd) {
    if constexpr (std::is_base_of_v<postgresql_kind, TypeParam>) {
        soci::session a{TypeParam::url()}, b{TypeParam::url()};
        postgresql::transaction_lock mine{a, "k"}, theirs{b, "k"};
        soci::transaction one{a}, two{b};
        mine.lock();
        EXPECT_FALSE(theirs.try_lock());
        EXPECT_FALSE(theirs.try_lock_for(50ms));
        one.commit();
        EXPECT_TRUE(theirs.try_lock());
        two.commit();
    } else {
        GTEST_SKIP() << "MySQL and MariaDB have no locks of a transaction";
    }
}

}  // namespace
}  // namespace dlock::testing
