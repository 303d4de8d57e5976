// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Waiting: it ends when it should, and leaves nothing behind.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include <dlock/sqlite.hpp>

#include "tests/sqlite/support.hpp"
#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using sqlite::lock;
using sqlite::lock_database;
using sqlite::session;

class SqliteWait : public SqliteTest {
protected:
    session a{locks}, b{locks}, c{locks};
    lock first{a, "k"}, second{b, "k"}, third{c, "k"};
};

/// Holder and waiter in each mode in which the one keeps the other out.
constexpr std::pair<mode, mode> conflicts[] = {
    {mode::exclusive, mode::exclusive}, {mode::exclusive, mode::shared}, {mode::shared, mode::exclusive}};

TEST_F(SqliteWait, StopRequestEndsItWithinFiftyMilliseconds) {
    for (const auto& [held, wanted] : conflicts) {
        const auto grant = lock_database::try_acquire(a, "k", held);
        ASSERT_TRUE(grant);
        std::stop_source stop;
        clock::time_point back;
        background waiting{[&, m = wanted] {
            const auto why = reason_of([&] { (void)lock_database::acquire_until(b, "k", m, deadline::never(), stop.get_token()); });
            back = clock::now();
            return why;
        }};
        await_waiters(b, "k");
        const auto asked = clock::now();
        stop.request_stop();
        EXPECT_EQ(waiting.get(), errc::cancelled);
        EXPECT_LT(back - asked, 50ms);
        EXPECT_EQ(b.held(), 0u);
        EXPECT_TRUE(lock_database::still_held(a, "k", held, *grant));
        if (held == mode::shared) {
            EXPECT_TRUE(third.try_lock_shared()) << "the writer that gave up still keeps readers out";
            third.unlock();
        }
        EXPECT_EQ(lock_database::release(a, "k", held, *grant), released::yes);
        EXPECT_TRUE(third.try_lock()) << "the wait that was cancelled left something held";
        third.unlock();
        EXPECT_TRUE(second.try_lock()) << "the session is usable";
        second.unlock();
    }
}

TEST_F(SqliteWait, RacingWithAStopRequestIsOneOrTheOther) {
    int granted = 0, cancelled = 0;
    for (int i = 0; i < 200; ++i) {
        first.lock();
        std::stop_source stop;
        background waiting{[&] { return lock_database::acquire_until(b, "k", mode::exclusive, deadline::never(), stop.get_token()); }};
        std::this_thread::sleep_for(std::chrono::microseconds{10 * (i % 20)});
        first.unlock();
        stop.request_stop();
        try {
            const auto grant = waiting.get();
            ASSERT_TRUE(grant) << "without a deadline it cannot have passed";
            ++granted;
            EXPECT_EQ(lock_database::release(b, "k", mode::exclusive, *grant), released::yes);
        } catch (const lock_error& e) {
            EXPECT_EQ(e.reason(), errc::cancelled);
            ++cancelled;
        }
        ASSERT_TRUE(third.try_lock()) << "round " << i;
        third.unlock();
    }
    RecordProperty("granted", granted);
    RecordProperty("cancelled", cancelled);
}

TEST_F(SqliteWait, EndsAtItsDeadlineAndLeavesNothing) {
    for (const auto& [held, wanted] : conflicts) {
        const auto grant = lock_database::try_acquire(a, "k", held);
        for (const auto limit : {1ms, 5ms, 80ms}) {
            const auto start = clock::now();
            EXPECT_FALSE(lock_database::acquire_until(b, "k", wanted, deadline::after(limit), {}));
            EXPECT_GE(clock::now() - start, limit);
            EXPECT_LT(clock::now() - start, limit + 5s);
        }
        EXPECT_EQ(b.held(), 0u);
        EXPECT_EQ(lock_database::release(a, "k", held, *grant), released::yes);
        EXPECT_TRUE(third.try_lock());
        third.unlock();
    }
}

TEST_F(SqliteWait, WithoutALimitEndsWithTheLock) {
    for (const auto& [held, wanted] : conflicts) {
        const auto grant = lock_database::try_acquire(a, "k", held);
        background waiting{[&, m = wanted] { return lock_database::acquire_until(b, "k", m, deadline::never(), {}); }};
        await_waiters(b, "k");
        EXPECT_EQ(lock_database::release(a, "k", held, *grant), released::yes);
        const auto got = waiting.get();
        ASSERT_TRUE(got);
        EXPECT_TRUE(lock_database::still_held(b, "k", wanted, *got));
        EXPECT_EQ(lock_database::release(b, "k", wanted, *got), released::yes);
    }
}

TEST_F(SqliteWait, WriterIsNotStarvedByReadersThatTakeTurns) {
    first.lock_shared();
    std::atomic<bool> done = false;
    std::atomic<int> turns = 0;
    std::vector<std::unique_ptr<background<std::function<void()>>>> readers;
    for (int i = 0; i < 3; ++i) {
        readers.push_back(std::make_unique<background<std::function<void()>>>([&] {
            session s{locks};
            lock l{s, "k"};
            while (!done) {
                if (!l.try_lock_shared()) continue;
                ++turns;
                std::this_thread::sleep_for(2ms);
                l.unlock();
            }
        }));
    }
    await([&] { return turns > 5; }, "the readers do not run");
    first.unlock();
    EXPECT_TRUE(second.try_lock_for(30s));
    done = true;
    for (auto& one : readers) one->get();
}

TEST_F(SqliteWait, IsNotStarvedByHoldersThatTakeTurns) {
    // Three sessions that never rest; nobody waits long. Stock busy_timeout made them wait for more than a second.
    std::atomic<bool> done = false;
    std::vector<std::unique_ptr<background<std::function<std::chrono::nanoseconds()>>>> all;
    for (int i = 0; i < 3; ++i) {
        all.push_back(std::make_unique<background<std::function<std::chrono::nanoseconds()>>>([&] {
            session s{locks};
            lock l{s, "k"};
            std::chrono::nanoseconds longest{};
            while (!done) {
                const auto start = clock::now();
                l.lock();
                longest = std::max<std::chrono::nanoseconds>(longest, clock::now() - start);
                l.unlock();
            }
            return longest;
        }));
    }
    std::this_thread::sleep_for(1s);  // how long they compete, not a proof of anything
    done = true;
    std::chrono::nanoseconds longest{};
    for (auto& one : all) longest = std::max(longest, one->get());
    RecordProperty("longest_wait_us", static_cast<int>(longest / 1us));
    EXPECT_LT(longest, 5s);
}

TEST_F(SqliteWait, BeforeWhichAStopWasRequestedTakesNothing) {
    std::stop_source stop;
    stop.request_stop();
    EXPECT_EQ(reason_of([&] { first.lock(stop.get_token()); }), errc::cancelled);
    EXPECT_EQ(a.held(), 0u);
}

}  // namespace
}  // namespace dlock::testing
