// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Locks and transactions: session-level locks inside the caller's, and transaction-level locks.
#include <dlock/postgresql.hpp>

#include <future>
#include <limits>
#include <memory>
#include <mutex>
#include <string>

#include <gtest/gtest.h>

#include "tests/servers/postgresql_server.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/postgresql.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using postgresql::lock;
using postgresql::transaction_lock;

class Transaction : public ::testing::Test {
protected:
    Transaction() {
        onlooker_ << "DROP TABLE IF EXISTS work";
        onlooker_ << "CREATE TABLE work (n int)";
    }
    void TearDown() override { EXPECT_EQ(granted(onlooker_), 0) << "the test left something locked"; }

    int rows() { return ask<int>(onlooker_, "SELECT count(*)::int FROM work"); }

    postgresql_server& server_ = postgresql_server::shared();
    soci::session onlooker_{server_.url()};
    soci::session a_{server_.url()}, b_{server_.url()};
};

// --- a session-level lock inside the caller's transaction

TEST_F(Transaction, AWaitThatTimesOutLeavesTheTransactionAsItWas) {
    lock mine{a_, "x"}, theirs{b_, "x"};
    mine.lock();
    {
        soci::transaction work{b_};
        b_ << "SET LOCAL lock_timeout = '9s'";
        b_ << "INSERT INTO work VALUES (1)";
        EXPECT_FALSE(theirs.try_lock_for(20ms));
        EXPECT_FALSE(theirs.try_lock());
        EXPECT_EQ(ask<std::string>(b_, "SHOW lock_timeout"), "9s");
        b_ << "INSERT INTO work VALUES (2)";
        work.commit();
    }
    EXPECT_EQ(rows(), 2);
    EXPECT_EQ(ask<std::string>(b_, "SHOW lock_timeout"), "0");
    mine.unlock();
}

TEST_F(Transaction, AGrantLeavesTheTransactionAsItWas) {
    lock x{a_, "x"}, y{a_, "y"}, z{a_, "z"};
    soci::transaction work{a_};
    a_ << "SET LOCAL lock_timeout = '9s'";
    a_ << "SAVEPOINT dlock";  // even under our own savepoint's name
    a_ << "INSERT INTO work VALUES (1)";
    EXPECT_TRUE(x.try_lock_for(5s));
    y.lock();
    z.lock_shared();
    EXPECT_EQ(ask<std::string>(a_, "SHOW lock_timeout"), "9s");
    a_ << "ROLLBACK TO SAVEPOINT dlock";
    EXPECT_EQ(ask<int>(a_, "SELECT count(*)::int FROM work"), 0);
    EXPECT_TRUE(x.owns_lock() && y.owns_lock() && z.owns_lock()) << "session-level";
    work.commit();
    EXPECT_TRUE(x.owns_lock());
    EXPECT_EQ(granted(onlooker_), 3);
}

TEST_F(Transaction, ASessionLockOutlivesCommitAndRollback) {
    lock x{a_, "x"};
    soci::transaction one{a_};
    x.lock();
    one.rollback();
    EXPECT_TRUE(x.owns_lock());
    soci::transaction two{a_};
    x.unlock();
    EXPECT_EQ(granted(onlooker_), 0) << "an unlock does not wait for the commit";
    two.rollback();
    EXPECT_FALSE(x.owns_lock());
    EXPECT_EQ(granted(onlooker_), 0);
}

TEST_F(Transaction, AnAbortedTransactionIsRefused) {
    lock x{a_, "x"};
    transaction_lock t{a_, "t"};
    soci::transaction work{a_};
    EXPECT_THROW(a_ << "SELECT 1/0", soci::soci_error);
    for (const auto& error : {error_of([&] { x.lock(); }), error_of([&] { (void)x.try_lock(); }), error_of([&] { t.lock(); })}) {
        EXPECT_EQ(error.reason(), errc::unsupported);
        EXPECT_EQ(error.native(), "25P02");
    }
    work.rollback();
    EXPECT_TRUE(x.try_lock());
}

TEST_F(Transaction, InAnAbortedTransactionTheReleaseWaitsForItsEnd) {
    lock x{a_, "x"}, y{a_, "y"};
    try {
        soci::transaction work{a_};
        const std::scoped_lock held{x};
        a_ << "SELECT 1/0";
    } catch (const soci::soci_error& error) {
        EXPECT_NE(std::string{error.what()}.find("division by zero"), std::string::npos) << "the user's own error was masked";
    }
    EXPECT_EQ(granted(onlooker_), 1) << "nothing has been sent since";
    EXPECT_TRUE(x.owns_lock()) << "and owns_lock() says so";
    EXPECT_TRUE(y.try_lock()) << "the next use of the session";
    EXPECT_FALSE(x.owns_lock());
    EXPECT_EQ(granted(onlooker_), 1);
    y.unlock();
    EXPECT_TRUE(x.try_lock());
}

TEST_F(Transaction, APendingReleaseIsReportedAndSentByTheSameLock) {
    lock x{a_, "x"};
    soci::transaction work{a_};
    x.lock();
    EXPECT_THROW(a_ << "SELECT 1/0", soci::soci_error);
    EXPECT_EQ(unlock(x), std::errc::operation_in_progress);
    EXPECT_EQ(unlock(x), std::errc::operation_in_progress);
    EXPECT_EQ(reason_of([&] { x.lock(); }), errc::already_owned);
    work.rollback();
    EXPECT_FALSE(unlock(x));
    EXPECT_EQ(granted(onlooker_), 0);
}

TEST_F(Transaction, ALockWhoseReleaseIsPendingIsReleasedByItsDestructor) {
    {
        lock x{a_, "x"};
        soci::transaction work{a_};
        x.lock();
        EXPECT_THROW(a_ << "SELECT 1/0", soci::soci_error);
        x.unlock();
        work.rollback();
    }
    EXPECT_EQ(granted(onlooker_), 0);
    EXPECT_EQ(ask<int>(a_, "SELECT 1"), 1);
}

TEST_F(Transaction, ALockThatCannotBeReleasedBeforeItsDestructorEndsItsSession) {
    soci::transaction work{a_};
    {
        lock x{a_, "x"};
        x.lock();
        EXPECT_THROW(a_ << "SELECT 1/0", soci::soci_error);
    }
    await([&] { return granted(onlooker_) == 0; }, "held by nobody's knowledge");
    EXPECT_THROW(a_ << "SELECT 1", soci::soci_error);
    EXPECT_NO_THROW(a_.reconnect());
}

TEST_F(Transaction, AStaleSnapshotIsRefused) {
    for (const char* level : {"REPEATABLE READ", "SERIALIZABLE"}) {
        lock x{a_, "x"};
        transaction_lock t{a_, "t"};
        soci::transaction work{a_};
        a_ << "SET TRANSACTION ISOLATION LEVEL " << level;
        for (const auto& error : {error_of([&] { x.lock(); }), error_of([&] { (void)x.try_lock(); }), error_of([&] { t.lock_shared(); })}) {
            EXPECT_EQ(error.reason(), errc::unsupported);
            EXPECT_NE(std::string{error.what()}.find("READ COMMITTED"), std::string::npos) << error.what();
        }
        EXPECT_EQ(granted(onlooker_), 0);
        EXPECT_EQ(ask<int>(a_, "SELECT 1"), 1) << "the transaction is usable";
    }
    a_ << "SET default_transaction_isolation = 'serializable'";
    lock before{a_, "x"};
    before.lock();  // outside a transaction there is no snapshot to be stale
    soci::transaction work{a_};
    EXPECT_EQ(ask<int>(a_, "SELECT 1"), 1);
}

TEST_F(Transaction, AWaiterSeesWhatTheHolderCommitted) {
    lock mine{a_, "x"}, theirs{b_, "x"};
    mine.lock();
    soci::transaction reads{b_};
    auto got = std::async(std::launch::async, [&] { theirs.lock(); });
    await([&] { return waiting(onlooker_) == 1; }, "nobody waits");
    a_ << "INSERT INTO work VALUES (1)";
    mine.unlock();
    got.get();
    EXPECT_EQ(ask<int>(b_, "SELECT count(*)::int FROM work"), 1);
}

// --- a transaction-level lock

TEST_F(Transaction, ATransactionLockNeedsATransaction) {
    transaction_lock t{a_, "t"};
    EXPECT_EQ(reason_of([&] { t.lock(); }), errc::unsupported);
    EXPECT_EQ(reason_of([&] { (void)t.try_lock(); }), errc::unsupported);
    EXPECT_EQ(reason_of([&] { (void)t.try_lock_shared_for(1s); }), errc::unsupported);
    EXPECT_EQ(granted(onlooker_), 0);
}

TEST_F(Transaction, ATransactionLockIsHeldUntilTheTransactionEnds) {
    transaction_lock mine{a_, "t"}, theirs{b_, "t"};
    for (const bool commit : {true, false}) {
        soci::transaction one{a_}, two{b_};
        mine.lock();
        EXPECT_TRUE(mine.owns_lock());
        EXPECT_FALSE(theirs.try_lock());
        EXPECT_FALSE(theirs.try_lock_shared());
        EXPECT_EQ(reason_of([&] { mine.lock(); }), errc::already_owned);
        commit ? one.commit() : one.rollback();
        EXPECT_FALSE(mine.owns_lock());
        EXPECT_TRUE(theirs.try_lock());
        two.commit();
        EXPECT_FALSE(theirs.owns_lock());
    }
}

TEST_F(Transaction, ATransactionLockWaits) {
    transaction_lock mine{a_, "t"}, theirs{b_, "t"};
    soci::transaction one{a_}, two{b_};
    mine.lock();
    auto got = std::async(std::launch::async, [&] { return theirs.try_lock_for(60s); });
    await([&] { return waiting(onlooker_) == 1; }, "nobody waits");
    one.commit();
    EXPECT_TRUE(got.get());
    EXPECT_TRUE(theirs.owns_lock());
}

TEST_F(Transaction, ReadersShareATransactionLock) {
    transaction_lock mine{a_, "t"}, theirs{b_, "t"}, writer{b_, "t"};
    soci::transaction one{a_}, two{b_};
    mine.lock_shared();
    EXPECT_FALSE(writer.try_lock_for(5ms));
    EXPECT_TRUE(theirs.try_lock_shared());
    EXPECT_EQ(reason_of([&] { (void)writer.try_lock(); }), errc::already_owned) << "an upgrade is a second lock on the key";
}

TEST_F(Transaction, ATransactionLockThatTimesOutLeavesTheTransactionAsItWas) {
    transaction_lock mine{a_, "t"}, theirs{b_, "t"};
    soci::transaction one{a_}, two{b_};
    mine.lock();
    b_ << "SET LOCAL lock_timeout = '9s'";
    b_ << "INSERT INTO work VALUES (1)";
    EXPECT_FALSE(theirs.try_lock_for(20ms));
    EXPECT_EQ(ask<std::string>(b_, "SHOW lock_timeout"), "9s");
    one.commit();
    EXPECT_TRUE(theirs.try_lock_for(1s));
    EXPECT_EQ(ask<std::string>(b_, "SHOW lock_timeout"), "9s") << "nor does a grant change the settings";
    b_ << "INSERT INTO work VALUES (2)";
    two.commit();
    EXPECT_EQ(rows(), 2);
}

TEST_F(Transaction, RollingBackToASavepointReleasesWhatCameAfterIt) {
    transaction_lock before{a_, "before"}, after{a_, "after"};
    soci::transaction work{a_};
    before.lock();
    a_ << "SAVEPOINT here";
    after.lock();
    EXPECT_TRUE(before.owns_lock() && after.owns_lock());
    a_ << "ROLLBACK TO SAVEPOINT here";
    EXPECT_TRUE(before.owns_lock());
    EXPECT_FALSE(after.owns_lock());
    EXPECT_TRUE(after.try_lock());
    a_ << "RELEASE SAVEPOINT here";
    EXPECT_TRUE(after.owns_lock());
    EXPECT_EQ(granted(onlooker_), 2);
}

TEST_F(Transaction, AnErrorReleasesAtOnceWhatTheTransactionHolds) {
    transaction_lock mine{a_, "t"}, before{a_, "before"};
    a_.begin();
    mine.lock();
    EXPECT_THROW(a_ << "SELECT 1/0", soci::soci_error);
    EXPECT_FALSE(mine.owns_lock()) << "the transaction has not been rolled back yet";
    soci::session b{server_.url()};
    lock theirs{b, "t"};
    EXPECT_TRUE(theirs.try_lock());
    a_.rollback();
    EXPECT_FALSE(mine.owns_lock());

    a_.begin();
    before.lock();
    a_ << "SAVEPOINT here";
    EXPECT_THROW(a_ << "SELECT 1/0", soci::soci_error);
    EXPECT_FALSE(before.owns_lock()) << "nobody can say before it is rolled back";
    a_ << "ROLLBACK TO SAVEPOINT here";
    EXPECT_TRUE(before.owns_lock());
    EXPECT_FALSE(lock(b, "before").try_lock());
    a_.rollback();
}

TEST_F(Transaction, TheNextTransactionIsNotTheOneThatHeldIt) {
    transaction_lock t{a_, "t"};
    a_.begin();
    t.lock();
    execute(raw(a_), "COMMIT; BEGIN");  // in one string
    EXPECT_FALSE(t.owns_lock());
    EXPECT_TRUE(t.try_lock());
    a_.rollback();
}

TEST_F(Transaction, TheTwoLevelsShareTheirKeys) {
    lock session_level{a_, "x"}, elsewhere{b_, "x"};
    transaction_lock transaction_level{a_, "x"};
    soci::transaction work{a_};
    transaction_level.lock();
    EXPECT_FALSE(elsewhere.try_lock());
    EXPECT_EQ(reason_of([&] { (void)session_level.try_lock(); }), errc::already_owned);
    work.commit();
    EXPECT_TRUE(session_level.try_lock());
    soci::transaction more{a_};
    EXPECT_EQ(reason_of([&] { (void)transaction_level.try_lock(); }), errc::already_owned);
}

TEST_F(Transaction, PreparingATransactionForATwoPhaseCommitEndsOurPartInIt) {
    postgresql_server two_phase{{.settings = {"max_prepared_transactions=5"}}};
    soci::session a{two_phase.url()};
    transaction_lock t{a, "t"};
    a.begin();
    t.lock();
    execute(raw(a), "PREPARE TRANSACTION 'p'");
    EXPECT_FALSE(t.owns_lock());
    execute(raw(a), "ROLLBACK PREPARED 'p'");
}

TEST_F(Transaction, TimeoutsAreRefusedOrHarmlessInATransaction) {
    transaction_lock t{a_, "t"};
    soci::transaction work{a_};
    EXPECT_THROW((void)t.try_lock_for(std::chrono::duration<double>{std::numeric_limits<double>::quiet_NaN()}), std::invalid_argument);
    EXPECT_TRUE(t.try_lock_for(std::chrono::hours::max()));
    EXPECT_EQ(ask<std::string>(a_, "SHOW lock_timeout"), "0");
}

}  // namespace
}  // namespace dlock::testing
