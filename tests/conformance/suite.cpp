// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/conformance/suite.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <limits>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <system_error>
#include <thread>
#include <vector>

#include <dlock/error.hpp>
#include <dlock/lockable.hpp>

namespace dlock::testing {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

static_assert(lockable<subject>);

namespace {

/// The reason of the lock_error that `call` throws.
template <class Call>
errc reason_of(Call call) {
    try {
        call();
    } catch (const lock_error& error) {
        EXPECT_NE(std::string{error.what()}.find("dlock: "), std::string::npos) << error.what();
        return error.reason();
    }
    ADD_FAILURE() << "no lock_error was thrown";
    return {};
}

errc unlock_reason(subject& lock) {
    std::error_code ec;
    lock.unlock(ec);
    return static_cast<errc>(ec.value());
}

}  // namespace

void LockConformance::await_waiters(int count) {
    if (!world_->waiters()) return;
    const auto give_up = clock::now() + 30s;
    while (world_->waiters() < count) {
        ASSERT_LT(clock::now(), give_up) << "nobody waits";
        std::this_thread::yield();
    }
}

TEST_P(LockConformance, IsNotHeldWhenConstructed) {
    const auto a = world_->join();
    const auto lock = a->lock();
    EXPECT_FALSE(lock->owns_lock());
    EXPECT_EQ(world_->held(), 0);
    EXPECT_TRUE(lock->holders().empty());
}

TEST_P(LockConformance, LockAndUnlockToggle) {
    const auto a = world_->join();
    const auto lock = a->lock();
    for (int i = 0; i < 3; ++i) {
        lock->lock();
        EXPECT_TRUE(lock->owns_lock());
        EXPECT_EQ(world_->held(), 1);
        std::error_code ec = errc::lost;
        lock->unlock(ec);
        EXPECT_FALSE(ec) << ec.message();
        EXPECT_FALSE(lock->owns_lock());
        EXPECT_EQ(world_->held(), 0);
    }
}

TEST_P(LockConformance, UnlockLetsAnotherSessionIn) {
    const auto a = world_->join(), b = world_->join();
    const auto lock = a->lock(), rival = b->writer();
    ASSERT_TRUE(lock->try_lock());
    EXPECT_FALSE(rival->try_lock());
    EXPECT_FALSE(rival->owns_lock());
    lock->unlock();
    EXPECT_TRUE(rival->try_lock());
    EXPECT_TRUE(rival->owns_lock());
}

TEST_P(LockConformance, AWriterKeepsEveryoneOut) {
    const auto a = world_->join(), b = world_->join();
    const auto writer = a->writer(), lock = b->lock();
    writer->lock();
    EXPECT_FALSE(lock->try_lock());
    EXPECT_FALSE(lock->try_lock_for(10ms));
    EXPECT_TRUE(writer->owns_lock());
    writer->unlock();
    EXPECT_TRUE(lock->try_lock());
}

TEST_P(LockConformance, ReadersShareAndExclusiveLocksDoNot) {
    const auto a = world_->join(), b = world_->join();
    const auto first = a->lock(), second = b->lock();
    first->lock();
    EXPECT_EQ(second->try_lock(), world_->shared());
    EXPECT_GE(world_->held(), 1);
}

TEST_P(LockConformance, TheLastReaderLetsTheWriterIn) {
    if (!world_->shared()) return;
    const auto a = world_->join(), b = world_->join(), c = world_->join();
    const auto first = a->lock(), second = b->lock(), writer = c->writer();
    first->lock();
    second->lock();
    EXPECT_FALSE(writer->try_lock());
    first->unlock();
    EXPECT_FALSE(writer->try_lock());
    second->unlock();
    EXPECT_TRUE(writer->try_lock());
}

TEST_P(LockConformance, StandardGuardsWork) {
    const auto a = world_->join(), b = world_->join();
    const auto lock = a->lock(), rival = b->writer();
    {
        const std::scoped_lock held{*lock};
        EXPECT_FALSE(rival->try_lock());
    }
    {
        const std::unique_lock held{*lock, 10s};
        ASSERT_TRUE(held);
        const std::unique_lock refused{*rival, std::try_to_lock};
        EXPECT_FALSE(refused);
    }
    {
        std::unique_lock deferred{*lock, std::defer_lock};
        EXPECT_FALSE(deferred.owns_lock());
        deferred.lock();
        EXPECT_FALSE(rival->try_lock());
    }
    EXPECT_TRUE(rival->try_lock());
}

TEST_P(LockConformance, StdLockTakesSeveral) {
    const auto a = world_->join();
    const auto one = a->lock(1), two = a->lock(2);
    {
        const std::scoped_lock both{*one, *two};
        EXPECT_EQ(world_->held(), 2);
    }
    EXPECT_EQ(world_->held(), 0);
}

TEST_P(LockConformance, ConditionVariableAnyWaitsWithIt) {
    const auto a = world_->join();
    const auto lock = a->lock();
    std::condition_variable_any condition;
    const std::scoped_lock held{*lock};
    EXPECT_FALSE(condition.wait_for(*lock, 1ms, [] { return false; }));
    EXPECT_TRUE(lock->owns_lock());
}

TEST_P(LockConformance, AnyTimeoutSucceedsOnAFreeLock) {
    const auto a = world_->join();
    const auto lock = a->lock();
    using seconds = std::chrono::duration<double>;
    for (const double wait : {0.05, 0.0, -0.0, -1.0, 1e-9, 1e300, -1e300, std::numeric_limits<double>::infinity(),
                              -std::numeric_limits<double>::infinity(), std::numeric_limits<double>::denorm_min()}) {
        EXPECT_TRUE(lock->try_lock_for(seconds{wait})) << wait;
        lock->unlock();
    }
    EXPECT_TRUE(lock->try_lock_for(std::chrono::hours::max()));
    lock->unlock();
    EXPECT_TRUE(lock->try_lock_until(std::chrono::system_clock::time_point::max()));
    lock->unlock();
    EXPECT_TRUE(lock->try_lock_until(std::chrono::system_clock::time_point::min()));
}

TEST_P(LockConformance, ATimeoutThatIsNotANumberIsRefused) {
    const auto a = world_->join();
    const auto lock = a->lock();
    EXPECT_THROW(lock->try_lock_for(std::chrono::duration<double>{std::numeric_limits<double>::quiet_NaN()}), std::invalid_argument);
    EXPECT_THROW(a->lock(0, std::chrono::duration<double>{std::numeric_limits<double>::quiet_NaN()}), std::invalid_argument);
    EXPECT_EQ(world_->held(), 0);
}

TEST_P(LockConformance, ZeroAndNegativeTimeoutsDoNotWait) {
    const auto a = world_->join(), b = world_->join();
    const auto holder = a->writer(), lock = b->lock();
    holder->lock();
    // had any of these meant "for ever", as it does to some server, the test would not end
    EXPECT_FALSE(lock->try_lock_for(0s));
    EXPECT_FALSE(lock->try_lock_for(-1s));
    EXPECT_FALSE(lock->try_lock_for(std::chrono::duration<double>{1e-9}));
    EXPECT_FALSE(lock->try_lock_until(std::chrono::system_clock::now() - 1h));
    EXPECT_TRUE(holder->owns_lock());
}

TEST_P(LockConformance, ATimedWaitFailsAfterItsTimeoutAndNotBefore) {
    const auto a = world_->join(), b = world_->join();
    const auto holder = a->writer(), lock = b->lock();
    holder->lock();
    const auto started = clock::now();
    EXPECT_FALSE(lock->try_lock_for(15ms));
    const auto took = clock::now() - started;
    EXPECT_GE(took, 15ms);
    EXPECT_LT(took, 10s);  // fifteen seconds, had the unit been taken for another
    EXPECT_FALSE(lock->owns_lock());
    EXPECT_TRUE(holder->owns_lock());
    EXPECT_EQ(world_->held(), 1);
}

TEST_P(LockConformance, ATimedWaitSucceedsWhenTheHolderLetsGo) {
    const auto a = world_->join(), b = world_->join();
    const auto holder = a->writer(), lock = b->lock();
    holder->lock();
    std::atomic<bool> released = false;
    auto waiting = std::async(std::launch::async, [&] {
        const bool got = lock->try_lock_for(60s);
        return std::pair{got, released.load()};
    });
    await_waiters(1);
    released = true;
    holder->unlock();
    const auto [got, after_release] = waiting.get();
    EXPECT_TRUE(got);
    EXPECT_TRUE(after_release) << "two held it";
    EXPECT_TRUE(lock->owns_lock());
}

TEST_P(LockConformance, LockWaitsForTheHolder) {
    const auto a = world_->join(), b = world_->join();
    const auto holder = a->writer(), lock = b->lock();
    holder->lock();
    std::atomic<bool> released = false;
    auto waiting = std::async(std::launch::async, [&] {
        lock->lock();
        return released.load();
    });
    await_waiters(1);
    released = true;
    holder->unlock();
    EXPECT_TRUE(waiting.get()) << "two held it";
    EXPECT_TRUE(lock->owns_lock());
}

TEST_P(LockConformance, LockPastTheLimitOfItsPolicyThrowsTimedOut) {
    const auto a = world_->join(), b = world_->join();
    const auto holder = a->writer(), lock = b->lock(0, 30ms);
    holder->lock();
    const auto started = clock::now();
    EXPECT_EQ(reason_of([&] { lock->lock(); }), errc::timed_out);
    EXPECT_GE(clock::now() - started, 30ms);
    EXPECT_FALSE(lock->owns_lock());
    holder->unlock();
    lock->lock();
    EXPECT_TRUE(lock->owns_lock());
}

TEST_P(LockConformance, AStopRequestEndsTheWait) {
    const auto a = world_->join(), b = world_->join();
    const auto holder = a->writer(), lock = b->lock();
    holder->lock();
    std::stop_source stop;
    auto waiting = std::async(std::launch::async, [&] { return reason_of([&] { lock->lock(stop.get_token()); }); });
    await_waiters(1);
    stop.request_stop();
    EXPECT_EQ(waiting.get(), errc::cancelled);
    EXPECT_FALSE(lock->owns_lock());
    EXPECT_EQ(reason_of([&] { (void)lock->try_lock_for(1h, stop.get_token()); }), errc::cancelled) << "a stop request before the wait";
    holder->unlock();
    EXPECT_EQ(world_->held(), 0);
    EXPECT_TRUE(lock->try_lock()) << "the session is usable";
}

TEST_P(LockConformance, LockingTwiceIsAnError) {
    const auto a = world_->join();
    const auto lock = a->lock();
    lock->lock();
    EXPECT_EQ(reason_of([&] { lock->lock(); }), errc::already_owned);
    EXPECT_EQ(reason_of([&] { (void)lock->try_lock(); }), errc::already_owned);
    EXPECT_EQ(reason_of([&] { (void)lock->try_lock_for(1s); }), errc::already_owned);
    EXPECT_TRUE(lock->owns_lock());
    EXPECT_EQ(world_->held(), 1);
    lock->unlock();
    EXPECT_EQ(world_->held(), 0) << "one unlock was not enough";
}

TEST_P(LockConformance, ASecondObjectForTheSameKeyOnTheSameSessionIsAnError) {
    const auto a = world_->join();
    const auto lock = a->lock(), twin = a->lock(), writer = a->writer();
    lock->lock();
    if (!world_->session_owns()) {
        EXPECT_EQ(twin->try_lock(), world_->shared()) << "just another owner";
        EXPECT_FALSE(writer->try_lock_for(1ms));
        return;
    }
    EXPECT_EQ(reason_of([&] { twin->lock(); }), errc::already_owned);
    EXPECT_EQ(reason_of([&] { (void)twin->try_lock(); }), errc::already_owned);
    EXPECT_EQ(reason_of([&] { (void)writer->try_lock_for(1s); }), errc::already_owned);
    EXPECT_FALSE(twin->owns_lock());
    EXPECT_EQ(unlock_reason(*twin), errc::not_owner);
    EXPECT_TRUE(lock->owns_lock());
    lock->unlock();
    EXPECT_TRUE(twin->try_lock());
}

TEST_P(LockConformance, UnlockingWhatIsNotHeldIsAnError) {
    const auto a = world_->join(), b = world_->join();
    const auto lock = a->lock(), holder = b->writer();
    EXPECT_EQ(unlock_reason(*lock), errc::not_owner);
    lock->unlock();  // quietly
    holder->lock();
    EXPECT_EQ(unlock_reason(*lock), errc::not_owner);
    EXPECT_FALSE(lock->try_lock()) << "unlock() took the holder's lock away";
    EXPECT_TRUE(holder->owns_lock());
}

TEST_P(LockConformance, ASecondUnlockDoesNotTouchTheNextHolder) {
    const auto a = world_->join(), b = world_->join(), c = world_->join();
    const auto lock = a->lock(), next = b->writer(), third = c->writer();
    lock->lock();
    lock->unlock();
    next->lock();
    EXPECT_EQ(unlock_reason(*lock), errc::not_owner);
    EXPECT_FALSE(third->try_lock());
}

TEST_P(LockConformance, DifferentNamesDoNotExcludeEachOther) {
    const auto a = world_->join(), b = world_->join();
    const auto one = a->lock(1), two = a->lock(2), three = b->writer(3);
    one->lock();
    two->lock();
    three->lock();
    EXPECT_EQ(world_->held(), 3);
    const auto rival_of_one = b->writer(1), rival_of_two = b->writer(2);
    one->unlock();  // in the order of locking, not the reverse
    EXPECT_TRUE(rival_of_one->try_lock());
    EXPECT_FALSE(rival_of_two->try_lock());
    EXPECT_TRUE(two->owns_lock());
}

TEST_P(LockConformance, TheDestructorReleases) {
    const auto a = world_->join(), b = world_->join();
    const auto rival = b->writer();
    {
        const auto lock = a->lock();
        lock->lock();
        EXPECT_FALSE(rival->try_lock());
    }
    EXPECT_TRUE(rival->try_lock());
}

TEST_P(LockConformance, AnExceptionReleases) {
    const auto a = world_->join();
    const auto lock = a->lock();
    try {
        const std::scoped_lock held{*lock};
        throw std::runtime_error{"the user's own"};
    } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "the user's own");
    }
    EXPECT_FALSE(lock->owns_lock());
    EXPECT_EQ(world_->held(), 0);
}

TEST_P(LockConformance, TheEndOfTheSessionReleases) {
    const auto a = world_->join();
    const auto lock = a->lock();
    {
        auto b = world_->join();
        auto gone = b->writer();
        gone->lock();
        EXPECT_FALSE(lock->try_lock());
    }
    EXPECT_TRUE(lock->try_lock_for(30s));
}

TEST_P(LockConformance, HoldersNamesWhoHoldsIt) {
    const auto a = world_->join(), b = world_->join();
    const auto lock = a->lock(), onlooker = b->lock();
    EXPECT_TRUE(onlooker->holders().empty());
    lock->lock();
    const auto holders = onlooker->holders();
    ASSERT_EQ(holders.size(), 1U);
    EXPECT_FALSE(holders[0].session.empty());
    EXPECT_FALSE(holders[0].description.empty());
}

TEST_P(LockConformance, NoTwoThreadsAreInside) {
    constexpr int threads = 3, rounds = 15;
    std::atomic<int> writers = 0, readers = 0;
    int unprotected = 0;  // guarded by the writers' lock alone: ThreadSanitizer cannot know, so it is read in the end only
    std::vector<std::future<void>> work;
    for (int t = 0; t < threads; ++t) {
        work.push_back(std::async(std::launch::async, [&, t] {
            const auto session = world_->join();
            const auto lock = session->lock(), writer = session->writer();
            for (int i = 0; i < rounds; ++i) {
                if (world_->shared() && (i + t) % 2 == 0) {
                    const std::scoped_lock held{*lock};
                    ++readers;
                    EXPECT_EQ(writers, 0);
                    --readers;
                } else {
                    const std::scoped_lock held{*writer};
                    EXPECT_EQ(++writers, 1);
                    EXPECT_EQ(readers, 0);
                    std::atomic_ref{unprotected}.store(std::atomic_ref{unprotected}.load() + 1);
                    --writers;
                }
            }
        }));
    }
    for (auto& done : work) done.get();
    if (!world_->shared()) {
        EXPECT_EQ(unprotected, threads * rounds);
    }
}

}  // namespace dlock::testing
