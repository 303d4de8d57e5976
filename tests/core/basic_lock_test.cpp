// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The table in front of dlock/lock.hpp, cell by cell: every state × every call, and what of it reaches the server.
#include <dlock/lock.hpp>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <ostream>
#include <shared_mutex>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <dlock/keys/integer_key.hpp>
#include <dlock/transaction_lock.hpp>

#include "tests/core/fake_server.hpp"
#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

using lock_type = basic_lock<fake, integer_key>;
using transaction_lock_type = basic_transaction_lock<fake_in_transaction, integer_key>;

constexpr auto operation_in_progress = std::errc::operation_in_progress;

/// A member that acquires.
template <class Lock>
struct acquiring {
    std::string title;
    std::string request;  ///< what the server is asked
    std::function<bool(Lock&)> call;
    friend void PrintTo(const acquiring& a, std::ostream* out) { *out << a.title; }
};

template <class Lock>
const std::vector<acquiring<Lock>> every_way{
    {"lock", "wait exclusive", [](Lock& l) { return l.lock(), true; }},
    {"try_lock", "try exclusive", [](Lock& l) { return l.try_lock(); }},
    {"try_lock_for", "wait exclusive", [](Lock& l) { return l.try_lock_for(1h); }},
    {"try_lock_for_nothing", "try exclusive", [](Lock& l) { return l.try_lock_for(0s); }},
    {"try_lock_until", "wait exclusive", [](Lock& l) { return l.try_lock_until(std::chrono::system_clock::now() + 1h); }},
    {"try_lock_until_the_past", "try exclusive", [](Lock& l) { return l.try_lock_until(std::chrono::steady_clock::time_point::min()); }},
    {"lock_shared", "wait shared", [](Lock& l) { return l.lock_shared(), true; }},
    {"try_lock_shared", "try shared", [](Lock& l) { return l.try_lock_shared(); }},
    {"try_lock_shared_for", "wait shared", [](Lock& l) { return l.try_lock_shared_for(1h); }},
    {"try_lock_shared_for_nothing", "try shared", [](Lock& l) { return l.try_lock_shared_for(-1s); }},
    {"try_lock_shared_until", "wait shared", [](Lock& l) { return l.try_lock_shared_until(std::chrono::system_clock::time_point::max()); }},
};

template <class Lock>
class Acquiring : public ::testing::TestWithParam<acquiring<Lock>> {
protected:
    bool acquire() { return this->GetParam().call(*lock); }
    errc refusal() {
        return reason_of([&] { (void)acquire(); });
    }
    const std::string& request() { return this->GetParam().request; }

    fake_session session;
    std::optional<Lock> lock{std::in_place, session, 42};
};

const auto titles = [](const auto& of) { return of.param.title; };

// --- basic_lock

class LockTable : public Acquiring<lock_type> {
protected:
    /// unlock() in a transaction that was aborted after the grant.
    void leave_release_pending() {
        lock->lock();
        session.transaction_aborted = true;
        EXPECT_EQ(unlock(*lock), operation_in_progress);
        session.asked.clear();
    }
};
INSTANTIATE_TEST_SUITE_P(, LockTable, ::testing::ValuesIn(every_way<lock_type>), titles);

TEST_P(LockTable, NotHeldAsksTheServer) {
    EXPECT_TRUE(acquire());
    EXPECT_TRUE(lock->owns_lock());
    EXPECT_THAT(session.take_asked(), ElementsAre(request()));
    lock->unlock();
    EXPECT_FALSE(lock->owns_lock());
    EXPECT_THAT(session.take_asked(), ElementsAre("release" + request().substr(request().find(' '))));
}

TEST_P(LockTable, NotHeldAndBusyIsFalseOrTimedOut) {
    session.busy = true;
    try {
        EXPECT_FALSE(acquire());
    } catch (const lock_error& error) {
        EXPECT_EQ(error.reason(), errc::timed_out);
        EXPECT_THAT(GetParam().title, ::testing::AnyOf("lock", "lock_shared")) << "a lost race is no error";
    }
    EXPECT_FALSE(lock->owns_lock());
    EXPECT_EQ(unlock(*lock), errc::not_owner);
    EXPECT_THAT(session.asked, ElementsAre(request()));
}

TEST_P(LockTable, HeldIsAlreadyOwnedInAnyMode) {
    for (const bool shared : {false, true}) {
        shared ? lock->lock_shared() : lock->lock();
        session.asked.clear();
        EXPECT_EQ(refusal(), errc::already_owned);
        EXPECT_TRUE(lock->owns_lock());
        EXPECT_THAT(session.asked, IsEmpty());
        lock->unlock();
        EXPECT_FALSE(session.holds());
    }
}

TEST_P(LockTable, HeldAndLostSinceAsksTheServerAsIfNotHeld) {
    lock->lock_shared();
    session.reconnect();
    EXPECT_FALSE(lock->owns_lock());
    session.asked.clear();
    EXPECT_TRUE(acquire());
    EXPECT_TRUE(lock->owns_lock());
    EXPECT_THAT(session.asked, ElementsAre(request()));
    EXPECT_EQ(refusal(), errc::already_owned);
}

TEST_P(LockTable, ReleasePendingIsAlreadyOwnedUntilTheTransactionEnds) {
    leave_release_pending();
    EXPECT_EQ(refusal(), errc::already_owned);
    EXPECT_THAT(session.asked, IsEmpty());

    session.transaction_aborted = false;
    EXPECT_TRUE(acquire());
    EXPECT_THAT(session.take_asked(), ElementsAre("release exclusive", request()));
    EXPECT_EQ(refusal(), errc::already_owned);
    EXPECT_THAT(session.asked, IsEmpty()) << "it is held like any other";
    EXPECT_FALSE(unlock(*lock));
}

TEST_P(LockTable, ReleasePendingAndSentByAnotherUseOfTheSessionIsAsNotHeld) {
    leave_release_pending();
    session.transaction_aborted = false;
    session.use();
    EXPECT_FALSE(lock->owns_lock());
    session.asked.clear();

    EXPECT_TRUE(acquire());
    EXPECT_THAT(session.take_asked(), ElementsAre(request()));
    EXPECT_EQ(refusal(), errc::already_owned);
    EXPECT_THAT(session.asked, IsEmpty()) << "a release that was sent long ago must not be sent again";
    EXPECT_TRUE(lock->owns_lock());
}

TEST_P(LockTable, ReleasePendingAndLostSinceIsAsNotHeld) {
    leave_release_pending();
    session.reconnect();
    EXPECT_TRUE(acquire());
    EXPECT_THAT(session.take_asked(), ElementsAre(request()));
    EXPECT_EQ(refusal(), errc::already_owned);
    EXPECT_THAT(session.asked, IsEmpty()) << "the release that was lost must not hit the new lock";
    EXPECT_TRUE(lock->owns_lock());
}

TEST_P(LockTable, AnErrorOfTheServerLeavesNothing) {
    for (const errc reason : {errc::cancelled, errc::deadlock, errc::lost, errc::already_owned, errc::unsupported, errc::exhausted,
                              errc::server_error}) {
        session.failure = reason;
        const auto error = error_of([&] { (void)acquire(); });
        EXPECT_EQ(error.reason(), reason);
        EXPECT_EQ(error.native(), "native");
        EXPECT_FALSE(lock->owns_lock());
        EXPECT_EQ(unlock(*lock), errc::not_owner);
        EXPECT_THAT(session.take_asked(), ElementsAre(request()));
    }
    EXPECT_TRUE(acquire()) << "and the object is usable";
}

TEST_P(LockTable, AnErrorAfterALossLeavesNothing) {
    lock->lock();
    session.reconnect();
    session.failure = errc::deadlock;
    EXPECT_EQ(refusal(), errc::deadlock);
    EXPECT_FALSE(lock->owns_lock());
    EXPECT_EQ(unlock(*lock), errc::not_owner) << "of the old grant nothing is left either";
}

// --- unlock()

class Unlock : public ::testing::Test {
protected:
    fake_session session;
    lock_type lock{session, 42};
};

TEST_F(Unlock, NotHeldIsNotOwner) {
    EXPECT_EQ(unlock(lock), errc::not_owner);
    lock.unlock();
    EXPECT_THAT(session.asked, IsEmpty());
}

TEST_F(Unlock, HeldReleases) {
    lock.lock();
    std::error_code ec = errc::lost;
    lock.unlock(ec);
    EXPECT_FALSE(ec) << "the error of an earlier call is cleared";
    EXPECT_THAT(session.asked, ElementsAre("wait exclusive", "release exclusive"));
    EXPECT_EQ(unlock(lock), errc::not_owner) << "once";
}

TEST_F(Unlock, SharedIsTheSame) {
    std::error_code ec = errc::lost;
    lock.lock_shared();
    lock.unlock_shared(ec);
    EXPECT_FALSE(ec);
    lock.lock_shared();
    lock.unlock_shared();
    EXPECT_THAT(session.asked, ElementsAre("wait shared", "release shared", "wait shared", "release shared"));
    lock.unlock_shared(ec);
    EXPECT_EQ(ec, errc::not_owner);
}

TEST_F(Unlock, HeldAndLostSinceIsLostOnce) {
    lock.lock();
    session.reconnect();
    session.asked.clear();
    EXPECT_EQ(unlock(lock), errc::lost);
    EXPECT_EQ(unlock(lock), errc::not_owner);
    EXPECT_THAT(session.asked, IsEmpty());
}

TEST_F(Unlock, DoesNotTouchTheLockOfAnotherObjectThatWasGrantedAfterTheLoss) {
    lock.lock();
    session.reconnect();
    lock_type next{session, 42};
    next.lock();
    lock.unlock();
    EXPECT_TRUE(next.owns_lock());
}

TEST_F(Unlock, InAnAbortedTransactionIsPendingUntilItEnds) {
    lock.lock();
    session.transaction_aborted = true;
    session.asked.clear();
    EXPECT_EQ(unlock(lock), operation_in_progress);
    EXPECT_EQ(unlock(lock), operation_in_progress);
    EXPECT_TRUE(session.holds());
    EXPECT_THAT(session.asked, IsEmpty());
    session.transaction_aborted = false;
    EXPECT_FALSE(unlock(lock));
    EXPECT_THAT(session.asked, ElementsAre("release exclusive"));
    EXPECT_EQ(unlock(lock), errc::not_owner);
}

TEST_F(Unlock, PendingThenLostIsLost) {
    lock.lock();
    session.transaction_aborted = true;
    lock.unlock();
    session.reconnect();
    EXPECT_EQ(unlock(lock), errc::lost);
}

// --- the destructor

class Destructor : public ::testing::Test {
protected:
    void TearDown() override { EXPECT_FALSE(session.holds()); }

    fake_session session;
    std::optional<lock_type> lock{std::in_place, session, 42};
};

TEST_F(Destructor, OfWhatIsNotHeldDoesNothing) {
    lock.reset();
    EXPECT_THAT(session.asked, IsEmpty());
}

TEST_F(Destructor, OfWhatIsHeldReleases) {
    lock->lock_shared();
    lock.reset();
    EXPECT_THAT(session.asked, ElementsAre("wait shared", "release shared"));
}

TEST_F(Destructor, OfWhatWasLostDoesNothing) {
    lock->lock();
    session.reconnect();
    session.asked.clear();
    lock.reset();
    EXPECT_THAT(session.asked, IsEmpty());
}

TEST_F(Destructor, OfWhatIsHeldInAnAbortedTransactionEndsTheSession) {
    lock->lock();
    session.transaction_aborted = true;
    lock.reset();
    EXPECT_THAT(session.asked, ElementsAre("wait exclusive", "sever"));
}

TEST_F(Destructor, OfAPendingReleaseEndsTheSessionOnlyIfItMust) {
    lock->lock();
    session.transaction_aborted = true;
    lock->unlock();
    session.transaction_aborted = false;
    lock.reset();
    EXPECT_THAT(session.asked, ElementsAre("wait exclusive", "release exclusive"));

    lock.emplace(session, 42);
    lock->lock();
    session.transaction_aborted = true;
    lock->unlock();
    session.asked.clear();
    lock.reset();
    EXPECT_THAT(session.asked, ElementsAre("sever"));
}

TEST_F(Destructor, AfterAnUnlockDoesNothing) {
    lock->lock();
    lock->unlock();
    session.asked.clear();
    lock.reset();
    EXPECT_THAT(session.asked, IsEmpty());
}

// --- making one

struct no_odd_keys {
    using key_type = std::int64_t;
    static key_type key(int name) {
        if (name % 2 != 0) throw lock_error{errc::bad_key, "dlock: this test likes even numbers"};
        return name;
    }
};

TEST(MakingALock, AsksNothing) {
    fake_session session;
    const lock_type lock{session, 42};
    EXPECT_FALSE(lock.owns_lock());
    EXPECT_EQ(lock.key(), 42);
    EXPECT_THAT(session.asked, IsEmpty());
}

TEST(MakingALock, RefusesWhatItsKeyPolicyRefuses) {
    fake_session session;
    EXPECT_EQ(reason_of([&] { basic_lock<fake, no_odd_keys>{session, 43}; }), errc::bad_key);
    EXPECT_EQ((basic_lock<fake, no_odd_keys>{session, 42}.key()), 42);
}

TEST(MakingALock, RefusesWhatItsServerRefuses) {
    fake_session session;
    session.refused_keys.insert(43);
    EXPECT_EQ(reason_of([&] { (lock_type{session, 43}); }), errc::bad_key);
    EXPECT_EQ(reason_of([&] { (transaction_lock_type{session, 43}); }), errc::bad_key);
    const lock_type fine{session, 42};
}

TEST(MakingALock, HoldersAreWhomTheServerNames) {
    fake_session session;
    const auto holders = lock_type{session, 42}.holders();
    ASSERT_EQ(holders.size(), 1U);
    EXPECT_EQ(holders[0].description, "42");
}

// --- what the standard makes of it

TEST(StandardLocks, ReleaseWhatTheyLock) {
    fake_session session, another;
    lock_type lock{session, 1}, other{another, 2};
    { const std::scoped_lock held{lock, other}; }
    { const std::unique_lock held{lock, 1h}; }
    { const std::shared_lock reading{lock, std::try_to_lock}; }
    EXPECT_THAT(session.asked, ElementsAre("wait exclusive", "release exclusive", "wait exclusive", "release exclusive", "try shared",
                                           "release shared"));
    EXPECT_THAT(another.asked, ElementsAre("try exclusive", "release exclusive"));
}

TEST(StandardLocks, ReleaseWhenTheUserThrows) {
    fake_session session;
    lock_type lock{session, 1};
    EXPECT_THROW(
        {
            const std::scoped_lock held{lock};
            throw std::runtime_error{"the user's own"};
        },
        std::runtime_error);
    EXPECT_FALSE(session.holds());
}

TEST(StandardLocks, LetGoOfTheFirstWhenTheSecondFails) {
    fake_session session, another;
    lock_type lock{session, 1}, other{another, 2};
    another.failure = errc::exhausted;
    EXPECT_EQ(reason_of([&] { const std::scoped_lock held{lock, other}; }), errc::exhausted);
    EXPECT_FALSE(session.holds());
}

TEST(StandardLocks, ConditionVariableAnyUnlocksWhileItWaits) {
    fake_session session;
    lock_type lock{session, 1};
    std::condition_variable_any condition;
    const std::scoped_lock held{lock};
    EXPECT_FALSE(condition.wait_for(lock, 1ms, [] { return false; }));
    EXPECT_TRUE(lock.owns_lock());
    EXPECT_THAT(session.asked, ElementsAre("wait exclusive", "release exclusive", "wait exclusive"));
}

// --- basic_transaction_lock: the same table without its unlock column

class TransactionLockTable : public Acquiring<transaction_lock_type> {
protected:
    ~TransactionLockTable() override { end_transaction(); }
    void end_transaction() { session.reconnect(); }  // as far as this lock can tell
};
INSTANTIATE_TEST_SUITE_P(, TransactionLockTable, ::testing::ValuesIn(every_way<transaction_lock_type>), titles);

TEST_P(TransactionLockTable, NotHeldAsksTheServer) {
    EXPECT_TRUE(acquire());
    EXPECT_TRUE(lock->owns_lock());
    EXPECT_THAT(session.asked, ElementsAre(request()));
}

TEST_P(TransactionLockTable, HeldIsAlreadyOwned) {
    lock->lock();
    session.asked.clear();
    EXPECT_EQ(refusal(), errc::already_owned);
    EXPECT_TRUE(lock->owns_lock());
    EXPECT_THAT(session.asked, IsEmpty());
}

TEST_P(TransactionLockTable, TheNextTransactionAsksTheServerAgain) {
    lock->lock();
    end_transaction();
    EXPECT_FALSE(lock->owns_lock());
    session.asked.clear();
    EXPECT_TRUE(acquire());
    EXPECT_THAT(session.asked, ElementsAre(request()));
}

TEST_P(TransactionLockTable, AnErrorOfTheServerLeavesNothing) {
    session.failure = errc::deadlock;
    EXPECT_EQ(refusal(), errc::deadlock);
    EXPECT_FALSE(lock->owns_lock());
    EXPECT_TRUE(acquire());
}

TEST_P(TransactionLockTable, TheDestructorLeavesItToTheTransaction) {
    lock->lock();
    session.asked.clear();
    lock.reset();
    EXPECT_TRUE(session.holds());
    EXPECT_THAT(session.asked, IsEmpty());
}

}  // namespace
}  // namespace dlock::testing
