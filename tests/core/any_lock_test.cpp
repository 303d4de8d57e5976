// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/any_lock.hpp>

#include <chrono>
#include <limits>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <stop_token>
#include <utility>
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
using ::testing::ElementsAre;
using ::testing::IsEmpty;

using reader_writer = basic_lock<fake, integer_key>;
using exclusive_only = basic_lock<fake_without_shared, integer_key>;

class AnyLock : public ::testing::Test {
protected:
    fake_session session;
};

TEST_F(AnyLock, DoesWhatTheLockInsideDoes) {
    auto lock = any_lock::of<reader_writer>(session, 42);
    EXPECT_FALSE(lock.owns_lock());
    lock.lock();
    EXPECT_TRUE(lock.owns_lock());
    lock.unlock();
    EXPECT_TRUE(lock.try_lock());
    lock.unlock();
    EXPECT_TRUE(lock.try_lock_for(1h));
    lock.unlock();
    EXPECT_TRUE(lock.try_lock_until(std::chrono::system_clock::now() + 1h));
    EXPECT_FALSE(unlock(lock));
    EXPECT_EQ(unlock(lock), errc::not_owner);
    EXPECT_THAT(session.take_asked(), ElementsAre("wait exclusive", "release exclusive", "try exclusive", "release exclusive",
                                                  "wait exclusive", "release exclusive", "wait exclusive", "release exclusive"));
    EXPECT_EQ(lock.holders().at(0).description, "42");
}

TEST_F(AnyLock, SharesWhatTheLockInsideShares) {
    auto lock = any_lock::of<reader_writer>(session, 42);
    lock.lock_shared();
    lock.unlock_shared();
    EXPECT_TRUE(lock.try_lock_shared());
    lock.unlock_shared();
    EXPECT_TRUE(lock.try_lock_shared_for(1h));
    lock.unlock_shared();
    EXPECT_TRUE(lock.try_lock_shared_until(clock::now() + 1h));
    std::error_code ec = errc::lost;
    lock.unlock_shared(ec);
    EXPECT_FALSE(ec);
    EXPECT_THAT(session.asked, ElementsAre("wait shared", "release shared", "try shared", "release shared", "wait shared",
                                           "release shared", "wait shared", "release shared"));
}

TEST_F(AnyLock, RefusesToShareWhereTheBackendDoesNot) {
    auto lock = any_lock::of<exclusive_only>(session, 42);
    EXPECT_EQ(reason_of([&] { lock.lock_shared(); }), errc::unsupported);
    EXPECT_EQ(reason_of([&] { (void)lock.try_lock_shared(); }), errc::unsupported);
    EXPECT_EQ(reason_of([&] { (void)lock.try_lock_shared_for(1h); }), errc::unsupported);
    EXPECT_EQ(reason_of([&] { (void)lock.try_lock_shared_until(clock::now()); }), errc::unsupported);
    EXPECT_EQ(reason_of([&] { const std::shared_lock reading{lock}; }), errc::unsupported);
    EXPECT_FALSE(lock.owns_lock());
    EXPECT_THAT(session.asked, IsEmpty());
    lock.lock();
    EXPECT_TRUE(lock.owns_lock());
}

TEST_F(AnyLock, HandsDeadlinesThrough) {
    auto lock = any_lock::of<reader_writer>(session, 42);
    const auto started = clock::now();
    EXPECT_TRUE(lock.try_lock_for(1h));
    EXPECT_GE(session.until->time(), started + 1h);
    EXPECT_LE(session.until->time(), clock::now() + 1h + 2ns);
    lock.unlock();
    EXPECT_TRUE(lock.try_lock_for(std::chrono::hours::max()));
    EXPECT_TRUE(session.until->is_never());
    lock.unlock();
    EXPECT_TRUE(lock.try_lock_shared_until(std::chrono::system_clock::time_point::max()));
    EXPECT_TRUE(session.until->is_never());
    lock.unlock();
    session.asked.clear();
    EXPECT_TRUE(lock.try_lock_for(-1s));
    lock.unlock();
    EXPECT_TRUE(lock.try_lock_shared_until(std::chrono::system_clock::time_point::min()));
    EXPECT_THAT(session.asked, ElementsAre("try exclusive", "release exclusive", "try shared"));
    EXPECT_THROW((void)lock.try_lock_for(std::chrono::duration<double>{std::numeric_limits<double>::quiet_NaN()}), std::invalid_argument);
}

TEST_F(AnyLock, HandsStopTokensThrough) {
    auto lock = any_lock::of<reader_writer>(session, 42);
    const std::stop_source stop;
    const auto expect_handed = [&](auto call) {
        session.stop = {};
        call();
        EXPECT_EQ(session.stop, stop.get_token());
        lock.unlock();
    };
    expect_handed([&] { lock.lock(stop.get_token()); });
    expect_handed([&] { EXPECT_TRUE(lock.try_lock_for(1h, stop.get_token())); });
    expect_handed([&] { EXPECT_TRUE(lock.try_lock_until(clock::now() + 1h, stop.get_token())); });
    expect_handed([&] { lock.lock_shared(stop.get_token()); });
    expect_handed([&] { EXPECT_TRUE(lock.try_lock_shared_for(1h, stop.get_token())); });
    expect_handed([&] { EXPECT_TRUE(lock.try_lock_shared_until(clock::now() + 1h, stop.get_token())); });
}

TEST_F(AnyLock, TellsStatesAndRefusesWhatTheLockInsideCannot) {
    auto lock = any_lock::of<reader_writer>(session, 42);
    EXPECT_EQ(lock.state(), lock_state::unlocked);
    lock.lock();
    EXPECT_EQ(lock.state(), lock_state::held);
    static_assert(noexcept(lock.can_tell_loss()));
    EXPECT_FALSE(lock.can_tell_loss());
    EXPECT_EQ(reason_of([&] { (void)lock.lost(); }), errc::unsupported);
    EXPECT_EQ(reason_of([&] { (void)lock.token(); }), errc::unsupported);
}

TEST_F(AnyLock, SaysFalseOnALostRace) {
    session.busy = true;
    auto lock = any_lock::of<reader_writer>(session, 42);
    EXPECT_FALSE(lock.try_lock());
    EXPECT_FALSE(lock.try_lock_for(1h));
    EXPECT_FALSE(lock.try_lock_shared());
    EXPECT_FALSE(lock.try_lock_shared_until(clock::now() + 1h));
    EXPECT_FALSE(lock.owns_lock());
}

TEST_F(AnyLock, TakesTheLockInsideAlongWhenItMoves) {
    auto first = any_lock::of<reader_writer>(session, 42);
    first.lock();
    auto second = std::move(first);
    EXPECT_TRUE(second.owns_lock());
    std::vector<any_lock> several;
    several.push_back(std::move(second));
    several.push_back(any_lock::of<exclusive_only>(session, 43));
    EXPECT_TRUE(several[0].owns_lock());
    EXPECT_THAT(session.take_asked(), ElementsAre("wait exclusive"));
    several.clear();
    EXPECT_THAT(session.asked, ElementsAre("release exclusive"));
}

TEST_F(AnyLock, ReleasesWhatItIsAssignedOver) {
    auto lock = any_lock::of<reader_writer>(session, 42);
    lock.lock();
    lock = any_lock::of<exclusive_only>(session, 43);
    EXPECT_FALSE(session.holds());
    EXPECT_FALSE(lock.owns_lock());
    EXPECT_EQ(lock.holders().at(0).description, "43");
}

TEST_F(AnyLock, AMovedFromOneCanBeAssigned) {
    auto lock = any_lock::of<reader_writer>(session, 42);
    const auto away = std::move(lock);
    lock = any_lock::of<reader_writer>(session, 43);
    EXPECT_TRUE(lock.try_lock());
    EXPECT_FALSE(away.owns_lock());
}

TEST_F(AnyLock, IsLockedByTheStandardsLocks) {
    auto lock = any_lock::of<reader_writer>(session, 42);
    { const std::scoped_lock held{lock}; }
    { const std::unique_lock held{lock, 1h}; }
    { const std::shared_lock reading{lock, std::try_to_lock}; }
    EXPECT_THAT(session.asked, ElementsAre("wait exclusive", "release exclusive", "wait exclusive", "release exclusive", "try shared",
                                           "release shared"));
}

TEST_F(AnyLock, PassesOnWhatTheLockInsideThrows) {
    session.refused_keys.insert(43);
    EXPECT_EQ(reason_of([&] { (void)any_lock::of<reader_writer>(session, 43); }), errc::bad_key);
    auto lock = any_lock::of<reader_writer>(session, 42, block{}.at_most(0s));
    session.failure = errc::deadlock;
    EXPECT_EQ(reason_of([&] { lock.lock(); }), errc::deadlock);
    session.busy = true;
    EXPECT_EQ(reason_of([&] { lock.lock(); }), errc::timed_out);
}

}  // namespace
}  // namespace dlock::testing
