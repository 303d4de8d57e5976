// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Locks for many threads over a few connections, on real servers.
#include <dlock/lock_manager.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <dlock/any_lock.hpp>
#include <dlock/lockable.hpp>

#include "tests/lock_manager/server_kinds.hpp"
#include "tests/servers/pgbouncer.hpp"
#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;

static_assert(shared_timed_lockable<postgresql::managed_lock> && timed_lockable<mysql::managed_lock>);
static_assert(!shared_lockable<mysql::managed_lock>);

template <class Kind>
class LockManager : public ::testing::Test {
protected:
    using lock = typename Kind::managed_lock;
    using plain = typename Kind::plain_lock;
    using manager = typename Kind::manager;

    void TearDown() override {
        await([&] { return onlooker_.held() == 0; }, "everything was given back");
    }

    /// Somebody of another process, as far as the manager can know.
    struct stranger {
        explicit stranger(const std::string& url, const std::string& name = "k") : db{url}, mine{db, name} {}
        soci::session db;
        plain mine;
    };
    [[nodiscard]] auto somebody_else(const std::string& name = "k") { return std::make_unique<stranger>(url(), name); }

    [[nodiscard]] std::string url() const { return server_.url(); }
    [[nodiscard]] bool is_free(const std::string& name = "k") {
        const auto other = somebody_else(name);
        return other->mine.try_lock();
    }
    void await_waiter(int how_many = 1) {
        await([&] { return onlooker_.waiters() == how_many; }, "somebody waits in the server's queue");
    }

    typename Kind::server& server_ = Kind::server::shared();
    onlooker<Kind> onlooker_{server_.url()};
};

struct kind_name {
    template <class Kind>
    static std::string GetName(int) {
        return Kind::name;
    }
};
using kinds = ::testing::Types<on_postgresql, on_mariadb>;
TYPED_TEST_SUITE(LockManager, kinds, kind_name);

// --- one owner

TYPED_TEST(LockManager, LocksForEverybody) {
    typename TestFixture::manager locks{this->url()};
    typename TestFixture::lock mine{locks, "k"};
    const auto other = this->somebody_else();
    {
        const std::scoped_lock held{mine};
        EXPECT_TRUE(mine.owns_lock());
        EXPECT_EQ(locks.held(), 1U);
        EXPECT_FALSE(other->mine.try_lock());
        EXPECT_EQ(mine.holders().size(), 1U);
    }
    EXPECT_FALSE(mine.owns_lock());
    EXPECT_TRUE(other->mine.try_lock_for(10s));
    EXPECT_FALSE(mine.try_lock());
    other->mine.unlock();
    EXPECT_TRUE(mine.try_lock());
    EXPECT_EQ(unlock(mine), std::error_code{});
    EXPECT_EQ(unlock(mine), errc::not_owner);
}

TYPED_TEST(LockManager, AReleaseThatNobodyAwaitsIsInFrontOfTheNextTry) {
    typename TestFixture::manager locks{this->url()};
    typename TestFixture::lock mine{locks, "k"}, twin{locks, "k"};
    for (int i = 0; i < 1000; ++i) {
        ASSERT_TRUE(mine.try_lock()) << i;
        mine.unlock();
        ASSERT_TRUE(twin.try_lock()) << i;
        twin.unlock();
    }
}

TYPED_TEST(LockManager, AReleaseReachesTheServerWithoutAnybodyAsking) {
    typename TestFixture::manager locks{this->url()};
    typename TestFixture::lock mine{locks, "k"};
    mine.lock();
    mine.unlock();
    await([&] { return this->onlooker_.held() == 0; }, "the server has released it");
}

TYPED_TEST(LockManager, RefusesWhatTheBackendRefuses) {
    EXPECT_EQ(reason_of([] { typename TestFixture::manager locks{"postgresql://host=/nowhere dbname=x"}; }), errc::not_connected);
    EXPECT_THROW((typename TestFixture::manager{this->url(), {.connections = 0}}), std::invalid_argument);
    EXPECT_THROW((typename TestFixture::manager{this->url(), {.turn = -1ms}}), std::invalid_argument);
    typename TestFixture::manager locks{this->url()};
    typename TestFixture::lock mine{locks, "k"};
    mine.lock();
    EXPECT_EQ(reason_of([&] { mine.lock(); }), errc::already_owned);
    mine.unlock();
}

TEST(LockManagerOnMariaDB, RefusesNamesThatTheServerWould) {
    mysql::lock_manager locks{mariadb_server::shared().url()};
    EXPECT_EQ(reason_of([&] { mysql::managed_lock mine{locks, std::string(65, 'x')}; }), errc::bad_key);
}

TYPED_TEST(LockManager, IsALockLikeAnyOther) {
    typename TestFixture::manager locks{this->url()};
    any_lock mine = any_lock::of<typename TestFixture::lock>(locks, "k");
    typename TestFixture::lock a{locks, "a"}, b{locks, "b"};
    const std::scoped_lock all{mine, a, b};
    EXPECT_EQ(locks.held(), 3U);
    EXPECT_EQ(mine.state(), lock_state::held);
    EXPECT_EQ(locks.connections(), 1U) << "what is held shares a connection";
}

// --- many threads

TYPED_TEST(LockManager, NoTwoThreadsHoldAndNobodyElseMeanwhile) {
    typename TestFixture::manager locks{this->url()};
    int inside = 0, count = 0;  // guarded by the lock under test, and by nothing else
    constexpr int rounds = 200;
    std::vector<std::jthread> threads;
    for (int t = 0; t < 6; ++t) {
        threads.emplace_back([&, t] {
            std::optional<typename TestFixture::stranger> other;
            if (t >= 4) other.emplace(this->url());
            typename TestFixture::lock mine{locks, "k"};
            for (int i = 0; i < rounds; ++i) {
                other ? other->mine.lock() : mine.lock();
                EXPECT_EQ(++inside, 1);
                ++count;
                --inside;
                other ? other->mine.unlock() : mine.unlock();
            }
        });
    }
    threads.clear();
    EXPECT_EQ(count, 6 * rounds);
}

TYPED_TEST(LockManager, ATryOfWhatAThreadHereHoldsSendsNothing) {
    typename TypeParam::server server{{.settings = {TypeParam::logs_statements}}};
    typename TestFixture::manager locks{server.url()};
    typename TestFixture::lock mine{locks, "k"}, other{locks, "k"};
    mine.lock();
    const auto before = server.log();
    for (int i = 0; i < 100; ++i) EXPECT_FALSE(other.try_lock());
    EXPECT_FALSE(other.try_lock_for(10ms));
    EXPECT_EQ(server.log(), before);
    mine.unlock();
}

TYPED_TEST(LockManager, OneThreadAsksTheServerForAllThatWait) {
    typename TestFixture::manager locks{this->url()};
    const auto other = this->somebody_else();
    other->mine.lock();
    std::atomic<int> granted = 0;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&] {
            typename TestFixture::lock mine{locks, "k"};
            const std::scoped_lock held{mine};
            ++granted;
        });
    }
    this->await_waiter();
    EXPECT_EQ(locks.connections(), 2U) << "one for what does not wait, one for the wait";
    other->mine.unlock();
    threads.clear();
    EXPECT_EQ(granted, 8);
}

TYPED_TEST(LockManager, ThreadsAreServedInTheOrderInWhichTheyCame) {
    typename TestFixture::manager locks{this->url()};
    typename TestFixture::lock first{locks, "k"};
    first.lock();
    std::vector<int> order;  // guarded by the lock under test
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
        threads.emplace_back([&, i] {
            typename TestFixture::lock mine{locks, "k"};
            const std::scoped_lock held{mine};
            order.push_back(i);
        });
        await([&] { return locks.waiters() == static_cast<std::size_t>(i) + 1; }, "it has queued");
    }
    first.unlock();
    threads.clear();
    EXPECT_EQ(order, (std::vector{0, 1, 2, 3, 4, 5, 6, 7}));
}

TYPED_TEST(LockManager, AHandOverSendsNothingForABoundedNumberOfTimes) {
    typename TypeParam::server server{{.settings = {TypeParam::logs_statements}}};
    constexpr unsigned bound = 5;
    typename TestFixture::manager locks{server.url(), {.hand_overs = bound, .turn = 1h}};
    const auto asked = [&] {
        const auto log = server.log();
        std::size_t found = 0;
        for (auto at = log.find(TypeParam::asks); at != log.npos; at = log.find(TypeParam::asks, at + 1)) ++found;
        return found;
    };
    typename TestFixture::lock first{locks, "k"};
    first.lock();
    const auto before = asked();
    std::vector<std::jthread> threads;
    for (int i = 0; i < 12; ++i) {
        threads.emplace_back([&] {
            typename TestFixture::lock mine{locks, "k"};
            const std::scoped_lock held{mine};
        });
        await([&] { return locks.waiters() == static_cast<std::size_t>(i) + 1; }, "it has queued");
    }
    first.unlock();
    threads.clear();
    EXPECT_EQ(asked() - before, 2U) << "5 hand-overs, the server, 5 hand-overs, the server, the last one";
}

TYPED_TEST(LockManager, WhoWaitsInTheServersQueueIsNotStarvedByHandOvers) {
    typename TestFixture::manager locks{this->url(), {.hand_overs = 20, .turn = 1h}};
    std::atomic<bool> enough = false;
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            typename TestFixture::lock mine{locks, "k"};
            while (!enough) {
                const std::scoped_lock held{mine};
            }
        });
    }
    const auto other = this->somebody_else();
    for (int i = 0; i < 50; ++i) {
        EXPECT_TRUE(other->mine.try_lock_for(10s)) << "starved";
        other->mine.unlock();
    }
    enough = true;
}

TYPED_TEST(LockManager, AWaitDelaysNeitherAnotherWaitNorARelease) {
    typename TestFixture::manager locks{this->url()};
    const auto other = this->somebody_else("a");
    other->mine.lock();
    std::jthread blocked{[&] {
        typename TestFixture::lock mine{locks, "a"};
        const std::scoped_lock held{mine};
    }};
    this->await_waiter();
    typename TestFixture::lock mine{locks, "k"};
    for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE(mine.try_lock());
        mine.unlock();
    }
    await([&] { return this->is_free(); }, "released, although somebody waits for something else");
    other->mine.unlock();
}

TYPED_TEST(LockManager, MoreWaitsThanConnectionsAllComeToAnEnd) {
    typename TestFixture::manager locks{this->url(), {.connections = 2}};
    const std::vector<std::string> names{"k", "a", "b"};
    std::vector<std::unique_ptr<typename TestFixture::stranger>> others;
    for (const auto& name : names) {
        others.push_back(this->somebody_else(name));
        others.back()->mine.lock();
    }
    std::vector<std::jthread> threads;
    for (const auto& name : names) {
        threads.emplace_back([&, name] {
            typename TestFixture::lock mine{locks, name};
            const std::scoped_lock held{mine};
        });
    }
    this->await_waiter();
    for (auto other = others.rbegin(); other != others.rend(); ++other) (*other)->mine.unlock();
    threads.clear();
    EXPECT_LE(locks.connections(), 2U);
}

TYPED_TEST(LockManager, OneConnectionIsEnough) {
    typename TestFixture::manager locks{this->url(), {.connections = 1}};
    const auto other = this->somebody_else();
    other->mine.lock();
    typename TestFixture::lock mine{locks, "k"}, a{locks, "a"};
    EXPECT_FALSE(mine.try_lock_for(30ms));
    auto waiting = std::async([&] { mine.lock(); });
    EXPECT_TRUE(a.try_lock());
    a.unlock();
    other->mine.unlock();
    waiting.get();
    mine.unlock();
}

// --- deadlines and stop requests

TYPED_TEST(LockManager, ATimedOutThreadLeavesTheQueue) {
    typename TestFixture::manager locks{this->url()};
    typename TestFixture::lock mine{locks, "k"}, late{locks, "k"}, later{locks, "k"};
    mine.lock();
    EXPECT_FALSE(late.try_lock_for(5ms));
    EXPECT_EQ(locks.waiters(), 0U);
    auto waiting = std::async([&] { return later.try_lock_for(60s); });
    mine.unlock();
    EXPECT_TRUE(waiting.get());
    later.unlock();
}

TYPED_TEST(LockManager, TheNextThreadTakesOverFromOneThatTimesOutInTheServersQueue) {
    typename TestFixture::manager locks{this->url()};
    const auto other = this->somebody_else();
    other->mine.lock();
    typename TestFixture::lock hasty{locks, "k"}, patient{locks, "k"};
    auto first = std::async([&] { return hasty.try_lock_for(2s); });
    this->await_waiter();
    auto second = std::async([&] { return patient.try_lock_for(60s); });
    EXPECT_FALSE(first.get());
    this->await_waiter();
    other->mine.unlock();
    EXPECT_TRUE(second.get());
    patient.unlock();
}

TYPED_TEST(LockManager, AStopRequestEndsTheWaitHereAndAtTheServer) {
    typename TestFixture::manager locks{this->url()};
    const auto other = this->somebody_else();
    other->mine.lock();
    typename TestFixture::lock first{locks, "k"}, second{locks, "k"};
    std::stop_source stop_first, stop_second;
    auto at_server = std::async([&] { return reason_of([&] { first.lock(stop_first.get_token()); }); });
    this->await_waiter();
    auto here = std::async([&] { return reason_of([&] { second.lock(stop_second.get_token()); }); });
    await([&] { return locks.waiters() == 1; }, "the second thread has queued");
    stop_second.request_stop();
    EXPECT_EQ(here.get(), errc::cancelled);
    stop_first.request_stop();
    EXPECT_EQ(at_server.get(), errc::cancelled);
    this->await_waiter(0);
    EXPECT_EQ(reason_of([&] { first.lock(stop_first.get_token()); }), errc::cancelled) << "before it asks";
    other->mine.unlock();
    EXPECT_TRUE(this->is_free()) << "who was cancelled holds nothing";
}

TYPED_TEST(LockManager, AStatementThatAnAdministratorCancelsLeavesNothingLocked) {
    typename TestFixture::manager locks{this->url()};
    const auto other = this->somebody_else();
    other->mine.lock();
    typename TestFixture::lock mine{locks, "k"};
    std::optional<errc> reason;
    std::jthread waiting{[&] { reason = reason_of([&] { mine.lock(); }); }};
    this->await_waiter();
    for (const auto& session : this->onlooker_.sessions()) this->onlooker_.cancel(session);
    waiting.join();
    EXPECT_EQ(reason, errc::cancelled);
    other->mine.unlock();
    EXPECT_TRUE(this->is_free());
    EXPECT_TRUE(mine.try_lock());
    mine.unlock();
}

// --- loss

TYPED_TEST(LockManager, TheEndOfAConnectionIsTheLossOfEveryLockOnIt) {
    typename TestFixture::manager locks{this->url()};
    constexpr int many = 100;
    std::vector<std::unique_ptr<typename TestFixture::lock>> all;
    std::atomic<int> told = 0;
    struct count {
        std::atomic<int>& in;
        void operator()() const { ++in; }
    };
    std::vector<std::unique_ptr<std::stop_callback<count>>> callbacks;
    for (int i = 0; i < many; ++i) {
        all.push_back(std::make_unique<typename TestFixture::lock>(locks, "many " + std::to_string(i)));
        all.back()->lock();
        callbacks.push_back(std::make_unique<std::stop_callback<count>>(all.back()->lost(), count{told}));
    }
    const auto session = all.front()->holders().at(0).session;
    this->onlooker_.kill(session);
    await([&] { return told == many; }, "every holder is told");
    for (auto& one : all) {
        EXPECT_EQ(one->state(), lock_state::lost);
        EXPECT_EQ(unlock(*one), errc::lost);
    }
    EXPECT_EQ(locks.held(), 0U);
    EXPECT_TRUE(all.front()->try_lock_for(30s)) << "a new lock connects anew; MariaDB frees the old one a little later than it hangs up";
    EXPECT_NE(all.front()->holders().at(0).session, session);
    all.front()->unlock();
}

TYPED_TEST(LockManager, AThreadThatWaitsForALockThatIsLostAsksAnew) {
    typename TestFixture::manager locks{this->url()};
    typename TestFixture::lock mine{locks, "k"}, next{locks, "k"};
    mine.lock();
    auto waiting = std::async([&] { next.lock(); });
    await([&] { return locks.waiters() == 1; }, "the second thread has queued");
    this->onlooker_.kill(mine.holders().at(0).session);
    waiting.get();
    EXPECT_TRUE(next.owns_lock());
    EXPECT_FALSE(mine.owns_lock());
    EXPECT_EQ(unlock(mine), errc::lost);
    EXPECT_FALSE(this->is_free()) << "what the loser gave back was not the next one's";
    next.unlock();
}

TYPED_TEST(LockManager, AReleasedLockIsNotTold) {
    typename TestFixture::manager locks{this->url()};
    typename TestFixture::lock mine{locks, "k"}, next{locks, "k"};
    mine.lock();
    const auto token = mine.lost();
    auto waiting = std::async([&] { next.lock(); });
    await([&] { return locks.waiters() == 1; }, "the second thread has queued");
    mine.unlock();
    waiting.get();
    const auto nexts = next.lost();
    this->onlooker_.kill(next.holders().at(0).session);
    await([&] { return nexts.stop_requested(); }, "the holder is told");
    EXPECT_FALSE(token.stop_requested());
}

TYPED_TEST(LockManager, AConnectionThatHasEndedLeavesWhoHasTheNumberOfItsSocketAlone) {
    using backend = typename TypeParam::backend;
    const auto key_of = [](const char* name) { return TestFixture::lock::key_policy_type::key(name); };
    typename backend::pipeline_type ended{backend::connect(this->url())};
    ASSERT_TRUE(ended.try_acquire(key_of("k"), mode::exclusive));
    this->onlooker_.kill(ended.holders(key_of("k")).at(0).session);
    const auto lost = ended.lost();
    await([&] { return lost.stop_requested(); }, "the end is told");
    for (int i = 0; i < 3; ++i) {  // the driver reads the server's last words, then the end, and closes its socket
        EXPECT_EQ(reason_of([&] { (void)ended.try_acquire(key_of("a"), mode::exclusive); }), errc::lost);
    }
    std::array<std::array<int, 2>, 8> strangers{};
    for (auto& pair : strangers) ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
    ended.sever();
    for (const auto& pair : strangers) {
        for (const int one : pair) EXPECT_EQ(::send(one, "x", 1, MSG_NOSIGNAL), 1) << "it was shut down";
    }
    for (const auto& pair : strangers) {
        for (const int one : pair) ::close(one);
    }
}

TYPED_TEST(LockManager, ACallbackThatHearsOfALossMayWaitForTheNextHolder) {
    typename TestFixture::manager locks{this->url(), {.connections = 2}};
    typename TestFixture::lock mine{locks, "k"}, again{locks, "k"};
    mine.lock();
    auto next = std::async(std::launch::async, [&] {
        typename TestFixture::lock theirs{locks, "k"};
        const std::scoped_lock held{theirs};
    });
    await([&] { return locks.waiters() == 1; }, "somebody waits");
    std::promise<void> had_it;
    const std::stop_callback told{mine.lost(), [&] {
                                      again.lock();
                                      again.unlock();
                                      had_it.set_value();
                                  }};
    for (const auto& session : this->onlooker_.sessions()) this->onlooker_.kill(session);
    had_it.get_future().get();
    next.get();
}

TYPED_TEST(LockManager, AWaitGoesOnOnANewConnection) {
    typename TestFixture::manager locks{this->url()};
    const auto other = this->somebody_else();
    other->mine.lock();
    typename TestFixture::lock mine{locks, "k"};
    auto waiting = std::async([&] { mine.lock(); });
    this->await_waiter();
    const auto keep = other->mine.holders().at(0).session;
    const auto before = this->onlooker_.sessions();
    for (const auto& session : before) {
        if (session != keep) this->onlooker_.kill(session);
    }
    await(
        [&] {
            const auto now = this->onlooker_.sessions();
            return std::ranges::none_of(before, [&](const auto& old) { return old != keep && std::ranges::count(now, old) != 0; });
        },
        "the sessions have ended");
    this->await_waiter();
    other->mine.unlock();
    waiting.get();
    mine.unlock();
}

TYPED_TEST(LockManager, HowLongTheServerMayBeAwayCountsFromWhenItWasMissed) {
    std::atomic<int> failures = 0;
    const auto connect = [&, url = this->url()] {
        if (failures > 0 && failures-- > 0) throw lock_error{failures % 2 == 0 ? errc::not_connected : errc::lost, "away"};
        return TypeParam::backend::connect(url);
    };
    typename TestFixture::manager locks{connect, {.reconnect_for = 200ms}};
    auto other = this->somebody_else();
    other->mine.lock();
    const auto theirs = this->onlooker_.session_of(other->db);
    auto waiting = std::async(std::launch::async, [&] {
        typename TestFixture::lock mine{locks, "k"};
        mine.lock();
        mine.unlock();
    });
    this->await_waiter();
    std::this_thread::sleep_for(300ms);  // longer than that
    failures = 2;
    for (const auto& session : this->onlooker_.sessions()) {
        if (session != theirs) this->onlooker_.kill(session);
    }
    await([&] { return failures == 0; }, "it has tried again");
    this->await_waiter();
    other->mine.unlock();
    waiting.get();
}

TYPED_TEST(LockManager, AServerThatComesBackIsUsedAgainAndOneThatDoesNotIsTold) {
    typename TypeParam::server server;
    typename TestFixture::manager locks{server.url(), {.reconnect_for = 60s}};
    typename TestFixture::manager hasty{server.url(), {.reconnect_for = 20ms}};
    typename TestFixture::lock mine{locks, "k"}, hastes{hasty, "k"};
    mine.lock();
    const auto lost = mine.lost();
    server.stop();
    await([&] { return lost.stop_requested(); }, "the loss is told");
    EXPECT_EQ(reason_of([&] { (void)mine.try_lock(); }), errc::not_connected);
    EXPECT_EQ(reason_of([&] { hastes.lock(); }), errc::not_connected);
    auto waiting = std::async([&] { mine.lock(); });
    server.start();
    waiting.get();
    EXPECT_EQ(mine.holders().size(), 1U);
    mine.unlock();
}

// --- the end

TYPED_TEST(LockManager, CloseReleasesEverythingAndEndsEveryWait) {
    typename TestFixture::manager locks{this->url()};
    const auto other = this->somebody_else("a");
    other->mine.lock();
    typename TestFixture::lock held{locks, "k"}, here{locks, "k"}, there{locks, "a"};
    held.lock();
    const auto lost = held.lost();
    auto waits_here = std::async([&] { return reason_of([&] { here.lock(); }); });
    auto waits_there = std::async([&] { return reason_of([&] { there.lock(); }); });
    await([&] { return locks.waiters() == 1; }, "a thread has queued");
    this->await_waiter();
    locks.close();
    EXPECT_EQ(waits_here.get(), errc::cancelled);
    EXPECT_EQ(waits_there.get(), errc::cancelled);
    EXPECT_TRUE(lost.stop_requested());
    EXPECT_FALSE(held.owns_lock());
    EXPECT_EQ(reason_of([&] { (void)held.try_lock(); }), errc::cancelled);
    other->mine.unlock();
    await([&] { return this->onlooker_.held() == 0; }, "the server has released it");
}

/// A manager that is not closed yet may still grant the lock.
template <class Lock>
bool takes_no_more(Lock& lock) {
    try {
        if (lock.try_lock()) lock.unlock();
        return false;
    } catch (const lock_error& error) {
        return error.reason() == errc::cancelled;
    }
}

TYPED_TEST(LockManager, OneWhoClosesAtOnceCutsShortOneWhoWaitsForTheHolders) {
    typename TestFixture::manager locks{this->url()};
    typename TestFixture::lock mine{locks, "k"}, other{locks, "a"};
    mine.lock();
    auto patient = std::async(std::launch::async, [&] { return locks.close(1h); });
    await([&] { return takes_no_more(other); }, "it is closed");
    locks.close();
    EXPECT_FALSE(patient.get()) << "nobody has given it back";
    EXPECT_EQ(mine.state(), lock_state::lost);
}

TYPED_TEST(LockManager, CloseCanWaitForTheHolders) {
    typename TestFixture::manager locks{this->url()};
    typename TestFixture::lock mine{locks, "k"};
    mine.lock();
    EXPECT_FALSE(locks.close(1ms)) << "it was not given back";
    typename TestFixture::manager others{this->url()};
    typename TestFixture::lock held{others, "k"};
    held.lock();
    const auto lost = held.lost();
    auto closing = std::async([&] { return others.close(60s); });
    typename TestFixture::lock another{others, "a"};
    await([&] { return takes_no_more(another); }, "it has begun to close");
    EXPECT_TRUE(held.owns_lock());
    EXPECT_EQ(unlock(held), std::error_code{});
    EXPECT_TRUE(closing.get());
    EXPECT_FALSE(lost.stop_requested());
}

// --- readers

class SharedLockManager : public LockManager<on_postgresql> {};

TEST_F(SharedLockManager, ReadersOfOneProcessShareOneLockAndAWriterWaitsForAll) {
    manager locks{url()};
    lock a{locks, "k"}, b{locks, "k"}, writer{locks, "k"}, late{locks, "k"};
    a.lock_shared();
    EXPECT_TRUE(b.try_lock_shared());
    EXPECT_EQ(locks.held(), 1U);
    EXPECT_EQ(onlooker_.held(), 1);
    EXPECT_FALSE(writer.try_lock());
    auto writing = std::async([&] { writer.lock(); });
    await([&] { return locks.waiters() == 1; }, "the writer has queued");
    EXPECT_FALSE(late.try_lock_shared()) << "a writer waits in front";
    a.unlock_shared();
    EXPECT_FALSE(a.owns_lock());
    EXPECT_TRUE(b.owns_lock());
    b.unlock_shared();
    writing.get();
    EXPECT_FALSE(late.try_lock_shared());
    writer.unlock();
}

TEST_F(SharedLockManager, ReadersThatComeAndGoDoNotStarveAWriterOfAnotherProcess) {
    manager locks{url(), {.hand_overs = 10, .turn = 1h}};
    std::atomic<bool> enough = false;
    std::vector<std::jthread> readers;
    for (int i = 0; i < 4; ++i) {
        readers.emplace_back([&] {
            lock mine{locks, "k"};
            while (!enough) {
                const std::shared_lock reading{mine};
            }
        });
    }
    const auto other = somebody_else();
    for (int i = 0; i < 20; ++i) {
        EXPECT_TRUE(other->mine.try_lock_for(60s));
        other->mine.unlock();
    }
    enough = true;
}

TEST_F(SharedLockManager, ReadersShareForAsLongAsNobodyWaitsAtTheServer) {
    postgresql::lock_manager locks{url(), {.connections = 3, .turn = 0ms}};  // which is always over
    postgresql::managed_lock a{locks, "k"}, b{locks, "k"}, c{locks, "k"};
    a.lock_shared();
    EXPECT_TRUE(b.try_lock_shared());
    const auto writer = somebody_else();
    auto writes = std::async(std::launch::async, [&] { writer->mine.lock(); });
    await_waiter();
    EXPECT_FALSE(c.try_lock_shared()) << "it is the writer's turn";
    EXPECT_FALSE(c.try_lock_shared_for(1ms));
    a.unlock_shared();
    b.unlock_shared();
    writes.get();
    writer->mine.unlock();
    EXPECT_TRUE(c.try_lock_shared_for(10s));
    c.unlock_shared();
    EXPECT_TRUE(a.try_lock()) << "what had been asked for meanwhile has been given back";
    a.unlock();
}

TEST_F(SharedLockManager, ReadersComeInWhenTheWriterInFrontOfThemGivesUp) {
    postgresql::lock_manager locks{url(), {.turn = 1h}};
    postgresql::managed_lock reader{locks, "k"};
    reader.lock_shared();
    std::stop_source enough;
    auto writer = std::async(std::launch::async, [&] {
        postgresql::managed_lock mine{locks, "k"};
        return reason_of([&] { mine.lock(enough.get_token()); });
    });
    await([&] { return locks.waiters() == 1; }, "the writer waits");
    auto behind = std::async(std::launch::async, [&] {
        postgresql::managed_lock mine{locks, "k"};
        mine.lock_shared();
        mine.unlock_shared();
    });
    await([&] { return locks.waiters() == 2; }, "a reader waits behind it");
    enough.request_stop();
    EXPECT_EQ(writer.get(), errc::cancelled);
    behind.get();
    reader.unlock_shared();
}

TEST_F(SharedLockManager, ReadersBehindAWriterComeTogether) {
    manager locks{url()};
    lock writer{locks, "k"};
    writer.lock();
    std::atomic<int> reading = 0;
    std::vector<std::jthread> readers;
    for (int i = 0; i < 5; ++i) {
        readers.emplace_back([&] {
            lock mine{locks, "k"};
            const std::shared_lock held{mine};
            ++reading;
            await([&] { return reading == 5; }, "all read at once");
        });
    }
    await([&] { return locks.waiters() == 5; }, "all have queued");
    writer.unlock();
    readers.clear();
    EXPECT_EQ(reading, 5);
}

// --- many keys

// --- behind a pooler

/// As a user would make it, whose pooler keeps the promise or not.
postgresql::lock_manager::connector assuming_session_pooling(const pgbouncer& pooler) {
    return [url = pooler.url()] {
        auto session = postgresql::pipelined_advisory::connect(url);
        postgresql::assume_session_pooling(*session);
        return session;
    };
}

TEST(LockManagerBehindPgBouncer, IsRefusedUnlessOneSaysThatEachSessionHasItsOwn) {
    for (const auto how : {pool_mode::session, pool_mode::transaction}) {
        const pgbouncer pooler{postgresql_server::shared(), how};
        EXPECT_EQ(reason_of([&] { postgresql::lock_manager locks{pooler.url()}; }), errc::unsupported);
    }
}

TEST(LockManagerBehindPgBouncer, LocksForEverybodyWhenEachSessionHasItsOwn) {
    const pgbouncer pooler{postgresql_server::shared(), pool_mode::session};
    postgresql::lock_manager here{assuming_session_pooling(pooler)}, there{assuming_session_pooling(pooler)};
    postgresql::managed_lock mine{here, "k"}, theirs{there, "k"};
    soci::session direct{postgresql_server::shared().url()};
    postgresql::lock plain{direct, "k"};
    onlooker<on_postgresql> onlooker{postgresql_server::shared().url()};

    mine.lock();
    EXPECT_FALSE(plain.try_lock());
    auto waiting = std::async([&] { theirs.lock(); });
    await([&] { return onlooker.waiters() == 1; }, "the other process waits in the server's queue");
    mine.unlock();
    waiting.get();
    EXPECT_FALSE(mine.try_lock());
    theirs.unlock();
    await([&] { return onlooker.held() == 0; }, "a release that nobody awaits goes through");
    for (int i = 0; i < 200; ++i) {
        ASSERT_TRUE(mine.try_lock()) << i;
        mine.unlock();
    }

    ASSERT_TRUE(mine.try_lock());
    const auto lost = mine.lost();
    onlooker.kill(mine.holders().at(0).session);
    await([&] { return lost.stop_requested(); }, "the holder is told of its loss");
    EXPECT_TRUE(plain.try_lock_for(10s));
    plain.unlock();
    EXPECT_EQ(unlock(mine), errc::lost);
    mine.lock();
    mine.unlock();
    await([&] { return onlooker.held() == 0; }, "everything was given back");
}

/// With more than one connection it is seen before anything is granted: connections/exclusion_test.
TEST(LockManagerBehindPgBouncer, ABrokenPromiseAboutThePoolerIsSeen) {
    const pgbouncer pooler{postgresql_server::shared(), pool_mode::transaction};
    postgresql::lock_manager locks{assuming_session_pooling(pooler), {.connections = 1}};
    postgresql::managed_lock mine{locks, "k"}, before{locks, "before"};
    onlooker<on_postgresql> onlooker{postgresql_server::shared().url()};
    soci::session other{pooler.url()};
    ASSERT_TRUE(before.try_lock());
    soci::transaction occupies{other};  // the server connection that the manager was introduced to
    int pid = 0;
    other << "SELECT pg_backend_pid()", soci::into(pid);
    EXPECT_EQ(reason_of([&] { (void)mine.try_lock(); }), errc::unsupported) << "another server connection knows no statement of the manager's";
    EXPECT_FALSE(mine.owns_lock());
    EXPECT_FALSE(before.owns_lock()) << "told before the caller is";
    EXPECT_EQ(onlooker.held(), 1) << "the pooler keeps that server connection, and the lock on it: docs/proxies.md";
    soci::session admin{postgresql_server::shared().url()};
    int ended = 0;
    admin << "SELECT pg_terminate_backend(:pid)::int", soci::use(pid), soci::into(ended);
    await([&] { return onlooker.held() == 0; }, "the lock stays");
}

TEST(LockManagerOnPostgreSQL, TenThousandKeysAtOnceAndTheLossOfAll) {
    postgresql_server server{{.settings = {"max_locks_per_transaction=256"}}};
    soci::session onlooker{server.url()};
    postgresql::lock_manager locks{server.url()};
    constexpr std::size_t many = 10'000;
    std::vector<std::unique_ptr<postgresql::managed_lock>> all;
    std::vector<std::stop_token> tokens;
    for (std::size_t i = 0; i < many; ++i) {
        all.push_back(std::make_unique<postgresql::managed_lock>(locks, "key " + std::to_string(i)));
        ASSERT_TRUE(all.back()->try_lock());
        tokens.push_back(all.back()->lost());
    }
    EXPECT_EQ(locks.held(), many);
    EXPECT_LE(locks.connections(), 4U);
    std::string unused;
    onlooker << on_postgresql::kill(all.front()->holders().at(0).session), soci::into(unused);
    await([&] { return std::ranges::all_of(tokens, [](const auto& token) { return token.stop_requested(); }); }, "all are told");
    EXPECT_EQ(locks.held(), 0U);
}

}  // namespace
}  // namespace dlock::testing
