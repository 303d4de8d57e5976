// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// How long, how often and in which words a wait policy asks. Bounds of time are exact below and generous above.
#include <dlock/wait_policy.hpp>

#include <algorithm>
#include <chrono>
#include <future>
#include <limits>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <dlock/keys/integer_key.hpp>
#include <dlock/lock.hpp>

#include "tests/core/fake_server.hpp"
#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// `limit` lies about `wait` from now.
void expect_about(deadline limit, clock::duration wait) {
    ASSERT_FALSE(limit.is_never());
    EXPECT_GT(limit.time(), clock::now() + wait - 5min);
    EXPECT_LE(limit.time(), clock::now() + wait + 1ns);
}

// --- at_most(), the same for both

template <class Policy>
class AtMost : public ::testing::Test {};
using policies = ::testing::Types<block, poll>;
TYPED_TEST_SUITE(AtMost, policies);

TYPED_TEST(AtMost, IsNeverByDefault) { EXPECT_TRUE(TypeParam{}.limit().is_never()); }

TYPED_TEST(AtMost, GivesACopyWithALimit) {
    const TypeParam endless;
    const TypeParam limited = endless.at_most(1h);
    EXPECT_TRUE(endless.limit().is_never());
    expect_about(limited.limit(), 1h);
    expect_about(limited.at_most(2h).limit(), 2h);
}

TYPED_TEST(AtMost, CountsFromTheStartOfEachLock) {
    const auto limited = TypeParam{}.at_most(1h);
    const auto first = limited.limit();
    EXPECT_GT(limited.limit(), first);
}

TYPED_TEST(AtMost, TakesAnyDuration) {
    EXPECT_TRUE(TypeParam{}.at_most(0s).limit().expired());
    EXPECT_TRUE(TypeParam{}.at_most(-1h).limit().expired());
    EXPECT_TRUE(TypeParam{}.at_most(std::chrono::hours::min()).limit().expired());
    EXPECT_TRUE(TypeParam{}.at_most(std::chrono::hours::max()).limit().is_never());
    EXPECT_TRUE(TypeParam{}.at_most(std::chrono::nanoseconds::max()).limit().is_never());
    EXPECT_TRUE(TypeParam{}.at_most(std::chrono::duration<double>{1e300}).limit().is_never());
    EXPECT_THROW((void)TypeParam{}.at_most(std::chrono::duration<double>{not_a_number}), std::invalid_argument);
}

template <class Policy>
using lock_with = basic_lock<fake, integer_key, Policy>;

TYPED_TEST(AtMost, OfNothingMakesLockATry) {
    fake_session session;
    lock_with<TypeParam> lock{session, 1, TypeParam{}.at_most(0s)};
    session.busy = true;
    EXPECT_EQ(reason_of([&] { lock.lock(); }), errc::timed_out);
    EXPECT_EQ(reason_of([&] { lock.lock_shared(); }), errc::timed_out);
    EXPECT_THAT(session.asked, ElementsAre("try exclusive", "try shared"));
    session.busy = false;
    lock.lock();
    EXPECT_TRUE(lock.owns_lock());
}

TYPED_TEST(AtMost, IsNoLimitForAWaitThatBringsItsOwn) {
    fake_session session;
    lock_with<TypeParam> lock{session, 1, TypeParam{}.at_most(0s)};
    int asked = 0;
    session.busy = true;
    session.when_asked = [&](fake_session& s) { s.busy = ++asked < 2 && std::is_same_v<TypeParam, poll>; };
    EXPECT_TRUE(lock.try_lock_for(1h));
}

// --- block

class Block : public ::testing::Test {
protected:
    fake_session session;
    std::stop_source stop;
};

TEST_F(Block, ForwardsTheWholeWaitToTheServer) {
    lock_with<block> lock{session, 1};
    EXPECT_TRUE(lock.try_lock_for(1h, stop.get_token()));
    EXPECT_THAT(session.take_asked(), ElementsAre("wait exclusive"));
    expect_about(*session.until, 1h);
    EXPECT_EQ(session.stop, stop.get_token());
    lock.unlock();

    EXPECT_TRUE(lock.try_lock_shared_until(clock::now() + 2h, stop.get_token()));
    EXPECT_THAT(session.take_asked(), ElementsAre("release exclusive", "wait shared"));
    expect_about(*session.until, 2h);
}

TEST_F(Block, WaitsForEverWithoutALimit) {
    lock_with<block> lock{session, 1};
    lock.lock(stop.get_token());
    EXPECT_TRUE(session.until->is_never());
    EXPECT_EQ(session.stop, stop.get_token());
}

TEST_F(Block, GivesTheServerItsLimit) {
    lock_with<block> lock{session, 1, block{}.at_most(1h)};
    lock.lock();
    expect_about(*session.until, 1h);
    lock.unlock();
    EXPECT_TRUE(lock.try_lock_for(3h));
    expect_about(*session.until, 3h);
}

TEST_F(Block, LetsTheServerRefuseAStopRequestThatCameBefore) {
    stop.request_stop();
    lock_with<block> lock{session, 1};
    session.failure = errc::cancelled;
    EXPECT_EQ(reason_of([&] { (void)lock.try_lock_for(0s, stop.get_token()); }), errc::cancelled);
    EXPECT_TRUE(session.stop.stop_requested());
}

TEST_F(Block, AWaitWithoutStopTokenCannotBeStopped) {
    lock_with<block> lock{session, 1};
    lock.lock();
    EXPECT_FALSE(session.stop.stop_possible());
}

// --- poll

class Poll : public ::testing::Test {
protected:
    Poll() {
        session.busy = true;
        session.when_asked = [this](fake_session& s) {
            tries.push_back(clock::now());
            s.busy = tries.size() != free_at;
            if (tries.size() == 1) first_try.set_value();
        };
    }

    fake_session session;
    std::size_t free_at = 0;                ///< which try finds it free
    std::vector<clock::time_point> tries;
    std::promise<void> first_try;
    std::stop_source stop;
};

TEST_F(Poll, RefusesAnIntervalBelowItsMinimum) {
    for (const auto interval : {999'999ns, 0ns, -1ns, std::chrono::nanoseconds::min()}) {
        EXPECT_THROW(poll{interval}, std::invalid_argument) << interval.count();
    }
    EXPECT_EQ(poll{1ms}.interval(), poll::minimum);
    EXPECT_EQ(poll{}.interval(), 50ms);
    EXPECT_EQ(poll{2s}.at_most(1s).interval(), 2s) << "the limit changes nothing else";
}

TEST_F(Poll, TriesUntilItIsFree) {
    free_at = 5;
    lock_with<poll> lock{session, 1, poll{1ms}};
    lock.lock_shared();
    EXPECT_THAT(session.asked, ElementsAre("try shared", "try shared", "try shared", "try shared", "try shared"));
}

TEST_F(Poll, DoesNotSleepWhenItIsFree) {
    free_at = 1;
    lock_with<poll> lock{session, 1, poll{1h}};
    lock.lock();
    EXPECT_THAT(tries, SizeIs(1));
}

TEST_F(Poll, SleepsForARandomTimeBetweenHalfAnIntervalAndAWholeOne) {
    constexpr auto interval = 8ms;
    int shorter = 0, longer = 0;  // a busy machine makes a sleep longer, never shorter
    session.when_asked = [&](fake_session& s) {
        tries.push_back(clock::now());
        if (tries.size() < 2) return;
        const auto slept = tries.back() - tries[tries.size() - 2];
        EXPECT_GE(slept, interval / 2);
        ++(slept < interval * 3 / 4 ? shorter : longer);
        const bool both = shorter > 0 && longer > shorter / 4;
        s.busy = tries.size() < 1000 && (tries.size() < 16 || !both);
        EXPECT_TRUE(both || s.busy) << shorter << " shorter sleeps and " << longer << " longer ones";
    };
    lock_with<poll> lock{session, 1, poll{interval}};
    lock.lock();
}

TEST_F(Poll, TriesOnceMoreAtTheDeadlineAndNotLater) {
    lock_with<poll> lock{session, 1, poll{40s}};
    const auto started = clock::now();
    EXPECT_FALSE(lock.try_lock_for(20ms));
    EXPECT_GE(clock::now() - started, 20ms);
    ASSERT_THAT(tries, SizeIs(2));
    EXPECT_GE(tries[1] - started, 20ms);
    EXPECT_LT(tries[1] - started, 10s) << "it slept for the whole interval";

    free_at = 4;
    EXPECT_TRUE(lock.try_lock_for(1ms)) << "the last try counts";
}

TEST_F(Poll, LockThrowsAtItsLimit) {
    lock_with<poll> lock{session, 1, poll{40s}.at_most(20ms)};
    const auto started = clock::now();
    EXPECT_EQ(reason_of([&] { lock.lock(); }), errc::timed_out);
    EXPECT_GE(clock::now() - started, 20ms);
    EXPECT_THAT(tries, SizeIs(2));
}

TEST_F(Poll, AnEnormousIntervalIsNoBusyLoop) {
    lock_with<poll> lock{session, 1, poll{std::chrono::nanoseconds::max()}};
    EXPECT_FALSE(lock.try_lock_for(20ms));
    EXPECT_THAT(tries, SizeIs(2));
}

TEST_F(Poll, AStopRequestWakesItAtOnce) {
    lock_with<poll> lock{session, 1, poll{40s}.at_most(40s)};  // so that a failure ends, too
    auto waiting = std::async(std::launch::async, [&] { return reason_of([&] { lock.lock(stop.get_token()); }); });
    first_try.get_future().wait();
    stop.request_stop();
    EXPECT_EQ(waiting.wait_for(10s), std::future_status::ready);
    EXPECT_EQ(waiting.get(), errc::cancelled);
    EXPECT_THAT(tries, SizeIs(1)) << "it does not try again";
    EXPECT_FALSE(lock.owns_lock());
}

TEST_F(Poll, AStopRequestThatCameBeforeAsksNothing) {
    stop.request_stop();
    lock_with<poll> lock{session, 1};
    EXPECT_EQ(reason_of([&] { lock.lock(stop.get_token()); }), errc::cancelled);
    EXPECT_EQ(reason_of([&] { (void)lock.try_lock_for(0s, stop.get_token()); }), errc::cancelled);
    EXPECT_THAT(session.asked, IsEmpty());
}

TEST_F(Poll, PassesOnWhatTheServerThrows) {
    session.when_asked = [&](fake_session& s) {
        if (s.asked.size() == 2) s.failure = errc::lost;
    };
    lock_with<poll> lock{session, 1, poll{1ms}};
    EXPECT_EQ(reason_of([&] { lock.lock(); }), errc::lost);
    EXPECT_THAT(session.asked, SizeIs(3));
    EXPECT_FALSE(lock.owns_lock());
}

TEST_F(Poll, NeverWaitsInTheServersQueue) {
    lock_with<poll> lock{session, 1, poll{1ms}};
    EXPECT_FALSE(lock.try_lock_for(10ms));
    EXPECT_THAT(session.asked, Each("try exclusive"));
}

}  // namespace
}  // namespace dlock::testing
