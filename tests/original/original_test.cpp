// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What sqlalchemy-dlock, which dlock succeeds, got wrong: one test for each defect. What it got right is held by the
// conformance suite and by the backends' own tests; README.md beside this file says which test holds what.
#include <dlock/mysql.hpp>
#include <dlock/postgresql.hpp>

#include <chrono>
#include <future>
#include <limits>
#include <mutex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <dlock/deadline.hpp>

#include "tests/servers/mariadb_server.hpp"
#include "tests/servers/pgbouncer.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/postgresql.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;

class OriginalsDefect : public ::testing::Test {
protected:
    void TearDown() override { EXPECT_EQ(granted(onlooker_), 0); }

    postgresql_server& server_ = postgresql_server::shared();
    soci::session onlooker_{server_.url()}, a_{server_.url()}, b_{server_.url()};
};

TEST_F(OriginalsDefect, OneTheUntimedAcquireFailedOnMariaDB) {
    soci::session a{mariadb_server::shared().url()};
    mysql::lock lock{a, "untimed"};
    EXPECT_NO_THROW(lock.lock());
    EXPECT_TRUE(lock.owns_lock());
}

TEST_F(OriginalsDefect, TwoATimedWaitPolled) {
    postgresql::lock mine{a_, "x"}, theirs{b_, "x"};
    mine.lock();
    auto got = std::async(std::launch::async, [&] { return theirs.try_lock_for(60s); });
    await([&] { return waiting(onlooker_, pid_of(b_)) == 1; }, "a timed wait does not stand in the server's queue");
    mine.unlock();
    EXPECT_TRUE(got.get());
}

TEST_F(OriginalsDefect, TwoAShortTimeoutTookAWholeSecond) {
    postgresql::lock mine{a_, "x"}, theirs{b_, "x"};
    mine.lock();
    for (int i = 0; i < 5; ++i) {  // a second each, had it slept its interval out; the fastest counts, the machine may be busy
        const auto started = std::chrono::steady_clock::now();
        EXPECT_FALSE(theirs.try_lock_for(20ms));
        if (std::chrono::steady_clock::now() - started < 900ms) return;
    }
    ADD_FAILURE() << "a timeout of 20 ms took a second, five times";
}

/// A wall clock that an administrator sets back.
struct stepped_clock {
    using duration = std::chrono::system_clock::duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<stepped_clock>;
    [[maybe_unused]] static constexpr bool is_steady = false;
    static inline duration step{};
    static time_point now() noexcept { return time_point{std::chrono::system_clock::now().time_since_epoch() + step}; }
};

TEST_F(OriginalsDefect, ThreeTheWallClockWasTrusted) {
    static_assert(deadline::clock::is_steady);
    const auto until = deadline::at(stepped_clock::now() + 50ms);
    stepped_clock::step = -1h;
    EXPECT_LE(until.remaining<std::chrono::milliseconds>(), 50ms);
    postgresql::lock mine{a_, "x"}, theirs{b_, "x"};
    mine.lock();
    EXPECT_FALSE(theirs.try_lock_until(stepped_clock::now() + 20ms));
    stepped_clock::step = {};
}

TEST_F(OriginalsDefect, ThreeATimeoutThatIsNotANumberNeverReturned) {
    postgresql::lock mine{a_, "x"}, theirs{b_, "x"};
    mine.lock();
    EXPECT_THROW((void)theirs.try_lock_for(std::chrono::duration<double>{std::numeric_limits<double>::quiet_NaN()}), std::invalid_argument);
}

TEST_F(OriginalsDefect, FourLockedLiedAfterAKillAReconnectACommitAndARollback) {
    postgresql::lock killed{a_, "x"};
    killed.lock();
    onlooker_ << "SELECT pg_terminate_backend(" << pid_of(a_) << ")";
    await([&] { return !killed.owns_lock(); }, "it still says that it is locked");
    a_.reconnect();
    EXPECT_TRUE(killed.try_lock_for(30s)) << "the object is usable again";
    a_.reconnect();
    EXPECT_FALSE(killed.owns_lock());
    EXPECT_TRUE(killed.try_lock_for(30s)) << "once the server has noticed";
    killed.unlock();

    postgresql::transaction_lock ended{a_, "x"};
    for (const char* end : {"COMMIT", "ROLLBACK", "ROLLBACK TO SAVEPOINT s"}) {
        soci::transaction work{a_};
        a_ << "SAVEPOINT s";
        ended.lock();
        execute(raw(a_), end);
        EXPECT_FALSE(ended.owns_lock()) << end;
        if (std::string{end} == "ROLLBACK TO SAVEPOINT s") {
            EXPECT_TRUE(ended.try_lock()) << "the object is usable again";
        } else {
            a_.begin();  // for the guard to end
        }
    }
}

TEST_F(OriginalsDefect, FiveTheConnectionStoodIdleInTransaction) {
    a_ << "SET idle_in_transaction_session_timeout = '1ms'";
    postgresql::lock lock{a_, "x"};
    lock.lock();
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(ask<std::string>(onlooker_, "SELECT state FROM pg_stat_activity WHERE pid = " + std::to_string(pid_of(a_))), "idle");
    }
    EXPECT_TRUE(lock.owns_lock());
    EXPECT_FALSE(unlock(lock));
}

TEST_F(OriginalsDefect, SixAnAbortedTransactionMaskedTheErrorAndKeptTheLock) {
    try {
        postgresql::lock lock{a_, "x"};
        soci::transaction work{a_};
        const std::scoped_lock held{lock};
        a_ << "SELECT 1/0";
        FAIL();
    } catch (const soci::soci_error& error) {
        EXPECT_NE(std::string{error.what()}.find("division by zero"), std::string::npos);
    }
    EXPECT_EQ(granted(onlooker_), 0);
    EXPECT_EQ(ask<int>(a_, "SELECT 1"), 1);
}

TEST_F(OriginalsDefect, SevenABlockedWaitFixedTheSnapshot) {
    postgresql::lock lock{a_, "x"};
    soci::transaction work{a_};
    a_ << "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ";
    EXPECT_EQ(reason_of([&] { lock.lock(); }), errc::unsupported);
}

TEST_F(OriginalsDefect, EightBehindASharingPoolerTwoHeldTheSameKey) {
    const pgbouncer pooler{server_, pool_mode::transaction};
    soci::session one{pooler.url()}, two{pooler.url()};
    postgresql::lock mine{one, "x"}, theirs{two, "x"};
    EXPECT_EQ(reason_of([&] { (void)mine.try_lock(); }), errc::unsupported);
    EXPECT_EQ(reason_of([&] { (void)theirs.try_lock(); }), errc::unsupported);
}

TEST_F(OriginalsDefect, NineTwoObjectsOnOneConnectionBothAcquired) {
    postgresql::lock one{a_, "x"}, two{a_, "x"};
    one.lock();
    EXPECT_EQ(reason_of([&] { (void)two.try_lock(); }), errc::already_owned);
    soci::session maria{mariadb_server::shared().url()};
    mysql::lock three{maria, "x"}, four{maria, "x"};
    three.lock();
    EXPECT_EQ(reason_of([&] { (void)four.try_lock(); }), errc::already_owned);
}

TEST_F(OriginalsDefect, TenDeadlocksAndCancelsAndTimeoutsWereRawErrors) {
    a_ << "SET deadlock_timeout = '20ms'";
    b_ << "SET deadlock_timeout = '10s'";
    postgresql::lock ax{a_, "x"}, ay{a_, "y"}, bx{b_, "x"}, by{b_, "y"};
    ax.lock();
    by.lock();
    auto other = std::async(std::launch::async, [&] { bx.lock(); });
    await([&] { return waiting(onlooker_) == 1; }, "nobody waits");
    EXPECT_EQ(reason_of([&] { ay.lock(); }), errc::deadlock);
    a_ << "SET statement_timeout = '20ms'";
    EXPECT_EQ(reason_of([&] { ay.lock(); }), errc::cancelled);
    ax.unlock();
    other.get();
}

}  // namespace
}  // namespace dlock::testing
