// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What a lock on PostgreSQL does beyond the conformance suite: sessions that break, bad input, keys, the server's limits.
#include <dlock/postgresql.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <random>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <dlock/postgresql/error.hpp>
#include <dlock/soci/pooled_session.hpp>

#include "tests/servers/pgbouncer.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/servers/server_traits.hpp"
#include "tests/support/allocations.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/postgresql.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;
using postgresql::lock;

class PostgreSQL : public ::testing::Test {
protected:
    void TearDown() override { EXPECT_EQ(granted(onlooker_), 0) << "the test left something locked"; }

    postgresql_server& server_ = postgresql_server::shared();
    soci::session onlooker_{server_.url()};
};

// --- keys

TEST_F(PostgreSQL, TheKeyIsTheOriginalsKey) {
    soci::session a{server_.url()};
    lock user{a, "user/001"};
    const std::scoped_lock held{user};
    EXPECT_EQ(ask<std::string>(onlooker_, "SELECT pg_try_advisory_lock(-8875347467275493450)::text"), "false");
    EXPECT_EQ(ask<std::string>(onlooker_, "SELECT pg_try_advisory_lock(-8875347467275493449)::text"), "true");
    onlooker_ << "SELECT pg_advisory_unlock_all()";
}

TEST_F(PostgreSQL, EveryNameIsAName) {
    soci::session a{server_.url()};
    for (const std::string& name : {std::string{}, std::string(1, '\0'), std::string{"\xff\xfe"}, std::string(100'000, 'y'), std::string{"A"}}) {
        lock any{a, name};
        EXPECT_TRUE(any.try_lock());
    }
    std::mt19937_64 random{20261122};
    for (int i = 0; i < 100; ++i) {
        std::string hex, bytes;
        for (int n = 0; n < 64; ++n) hex += "0123456789abcdef"[random() % 16];
        for (int n = 0; n < 32; ++n) bytes += static_cast<char>(random());
        lock by_hex{a, hex}, by_bytes{a, bytes};
        basic_lock<postgresql::advisory, integer_key> by_integer{a, static_cast<std::int64_t>(random())};
        const std::scoped_lock held{by_hex, by_bytes, by_integer};
        EXPECT_EQ(granted(onlooker_), 3);
    }
}

TEST_F(PostgreSQL, TheLimitsOfInt64AreKeys) {
    soci::session a{server_.url()}, b{server_.url()};
    using integer_lock = basic_lock<postgresql::advisory, integer_key>;
    for (const std::int64_t key : {INT64_MIN, INT64_MAX, std::int64_t{0}, std::int64_t{-1}}) {
        integer_lock mine{a, key}, theirs{b, key};
        const std::scoped_lock held{mine};
        EXPECT_FALSE(theirs.try_lock_for(5ms)) << "and the proof of a failed wait finds the key";
    }
    EXPECT_EQ(reason_of([&] { integer_lock beyond{a, std::uint64_t{1} << 63}; }), errc::bad_key);
}

TEST_F(PostgreSQL, PairsAndSingleIntegersDoNotMeet) {
    soci::session a{server_.url()}, b{server_.url()};
    basic_lock<postgresql::advisory, integer_pair_key> pair{a, integer_pair{-7, -8}}, same{b, integer_pair{-7, -8}}, other{b, integer_pair{-7, 8}};
    basic_lock<postgresql::advisory, integer_key> single{b, postgresql::key{integer_pair{-7, -8}}.bits};
    const std::scoped_lock held{pair};
    EXPECT_EQ(ask<std::string>(onlooker_, "SELECT pg_try_advisory_lock(-7, -8)::text"), "false");
    EXPECT_FALSE(same.try_lock_for(5ms));
    EXPECT_TRUE(single.try_lock());
    EXPECT_TRUE(other.try_lock());
}

TEST_F(PostgreSQL, EachDatabaseHasItsOwnKeys) {
    onlooker_ << "CREATE DATABASE elsewhere";
    {
        soci::session a{server_.url()}, b{server_.url("elsewhere")};
        lock here{a, "x"}, there{b, "x"};
        here.lock();
        EXPECT_TRUE(there.try_lock());
        EXPECT_EQ(here.holders().size(), 1U);
    }
    onlooker_ << "DROP DATABASE elsewhere WITH (FORCE)";
}

// --- cost

TEST_F(PostgreSQL, ATimedLockCostsOneRoundTripAndACycleTwo) {
    postgresql_server logging{{.settings = {"log_statement=all"}}};
    soci::session a{logging.url()};
    lock x{a, "x"};
    for (int i = 0; i < 2; ++i) {  // the first time prepares
        a << "SELECT 'from here'";
        ASSERT_TRUE(x.try_lock_for(1s));
        a << "SELECT 'to here'";
        x.unlock();
    }
    const std::string log = logging.log();
    const auto from = log.rfind("from here"), to = log.rfind("to here");
    ASSERT_LT(from, to);
    const std::string sent = log.substr(from, to - from);
    std::size_t statements = 0;
    for (std::size_t at = 0; (at = sent.find("LOG:  ", at)) != std::string::npos; ++at) ++statements;
    EXPECT_EQ(statements, 2U) << sent;  // the acquire, and the head of the closing marker
    EXPECT_NE(sent.find("execute dlock_2_until"), std::string::npos) << sent;
}

TEST_F(PostgreSQL, LockingAgainAllocatesNothing) {  // but what libpq allocates for its results
    soci::session a{server_.url()};
    lock x{a, "x"};
    const auto ways = [&] {
        x.lock();
        EXPECT_TRUE(x.owns_lock());
        x.unlock();
        EXPECT_TRUE(x.try_lock());
        x.unlock();
        EXPECT_TRUE(x.try_lock_for(1s));
        x.unlock();
        x.lock_shared();
        x.unlock_shared();
    };
    ways();
    const long before = allocations();
    for (int i = 0; i < 100; ++i) ways();
    EXPECT_EQ(allocations(), before);
}

// --- sessions that end, or are not what they seem

TEST_F(PostgreSQL, AReconnectIsALoss) {
    soci::session a{server_.url()};
    lock x{a, "x"};
    x.lock();
    a.reconnect();
    EXPECT_FALSE(x.owns_lock());
    EXPECT_EQ(unlock(x), errc::lost);
    EXPECT_EQ(unlock(x), errc::not_owner);
    EXPECT_TRUE(x.try_lock_for(30s)) << "once the server has noticed, the new session is as good as the old one";
}

TEST_F(PostgreSQL, AResetBehindOurBackIsALoss) {
    soci::session a{server_.url()};
    lock x{a, "x"};
    x.lock();
    PQreset(raw(a));
    EXPECT_FALSE(x.owns_lock());
    EXPECT_EQ(unlock(x), errc::lost);
    EXPECT_TRUE(x.try_lock_for(30s));
}

TEST_F(PostgreSQL, TheEndOfTheBackendIsALoss) {
    soci::session a{server_.url()};
    lock x{a, "x"}, y{a, "y"};
    x.lock();
    y.lock();
    onlooker_ << "SELECT pg_terminate_backend(" << pid_of(a) << ")";
    await([&] { return !x.owns_lock(); }, "the end of the session is not noticed");
    EXPECT_FALSE(y.owns_lock());
    EXPECT_EQ(unlock(x), errc::lost);
    EXPECT_EQ(reason_of([&] { (void)x.try_lock(); }), errc::lost);
    a.reconnect();
    EXPECT_TRUE(x.try_lock());
}

TEST_F(PostgreSQL, UnlockFindsTheLossThatNobodyHasLookedFor) {
    soci::session a{server_.url()};
    lock x{a, "x"};
    x.lock();
    onlooker_ << "SELECT pg_terminate_backend(" << pid_of(a) << ")";
    await([&] { return granted(onlooker_) == 0; }, "the server still holds it");
    EXPECT_EQ(unlock(x), errc::lost);
}

TEST_F(PostgreSQL, TheEndOfAWaitingBackendThrowsLost) {
    soci::session a{server_.url()}, b{server_.url()};
    lock mine{a, "x"}, theirs{b, "x"};
    const std::scoped_lock held{mine};
    auto waiting_reason = std::async(std::launch::async, [&] { return reason_of([&] { theirs.lock(); }); });
    await([&] { return waiting(onlooker_) == 1; }, "nobody waits");
    onlooker_ << "SELECT pg_terminate_backend(" << pid_of(b) << ")";
    EXPECT_EQ(waiting_reason.get(), errc::lost);
    EXPECT_FALSE(theirs.owns_lock());
}

// What libpq says when the server dies between two statements, one of which it has sent in vain; found by tests/faults.
TEST_F(PostgreSQL, AFailureInWhichNoServerSpokeIsALoss) {
    soci::session a{server_.url()};
    ASSERT_EQ(PQstatus(raw(a)), CONNECTION_OK);
    const postgresql::result in_vain{PQmakeEmptyPGresult(raw(a), PGRES_FATAL_ERROR)};
    EXPECT_EQ(postgresql::error_from(in_vain, raw(a)).reason(), errc::lost);
    const postgresql::result refused{PQexec(raw(a), "SELECT 1/0")};
    EXPECT_EQ(postgresql::error_from(refused, raw(a)).reason(), errc::server_error);
}

TEST_F(PostgreSQL, ANotificationIsNotALoss) {
    soci::session a{server_.url()};
    a << "LISTEN news";
    lock x{a, "x"};
    x.lock();
    onlooker_ << "NOTIFY news";
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(x.owns_lock());
    EXPECT_FALSE(unlock(x));
    const std::unique_ptr<PGnotify, decltype(&PQfreemem)> news{PQnotifies(raw(a)), &PQfreemem};
    EXPECT_TRUE(news) << "and nothing of it was taken from the caller";
}

/// What libpq would print to stderr.
struct notices {
    explicit notices(soci::session& session) { PQsetNoticeProcessor(raw(session), &count_one, this); }
    static void count_one(void* self, const char*) { ++static_cast<notices*>(self)->count; }
    int count = 0;
};

TEST_F(PostgreSQL, NothingIsPrintedWhenAnIdleSessionHasEnded) {
    for (const bool look : {false, true}) {
        soci::session a{server_.url()};
        const notices printed{a};
        lock x{a, "x"}, y{a, "y"};
        x.lock();
        end_session(onlooker_, pid_of(a));
        if (look) await([&] { return x.state() == lock_state::lost; }, "the end of the session is not noticed");
        EXPECT_EQ(unlock(x), errc::lost);
        EXPECT_EQ(reason_of([&] { y.lock(); }), errc::lost);
        EXPECT_EQ(reason_of([&] { (void)y.holders(); }), errc::lost);
        EXPECT_THROW(a << "SELECT 1", soci::soci_error);
        EXPECT_EQ(printed.count, 0) << "noticed by owns_lock(): " << look;
    }
}

// The server says that it will end the session, and a moment later it does; a proxy may take its time.
TEST_F(PostgreSQL, TheServersLastWordsAreHeardBeforeTheEndAndReadByWhoeverAsksNext) {
    soci::session a{server_.url()};
    const notices printed{a};
    lock x{a, "x"};
    x.lock();
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    ASSERT_EQ(::dup2(ends[0], PQsocket(raw(a))), PQsocket(raw(a))) << "which ends the server's own connection";
    ::close(ends[0]);
    const auto say = [&](char type, std::string_view what) {
        const std::string message = std::string{type} + std::string(3, '\0') + static_cast<char>(4 + what.size()) + std::string{what};
        ASSERT_EQ(::write(ends[1], message.data(), message.size()), static_cast<ssize_t>(message.size()));
    };
    say('N', "SWARNING\0VWARNING\0C01000\0Mreadable is not ended\0\0"sv);
    EXPECT_TRUE(x.owns_lock());
    say('E', "SFATAL\0VFATAL\0C57P01\0Msaid before the end\0\0"sv);
    EXPECT_FALSE(x.owns_lock());
    ::close(ends[1]);
    try {
        x.lock();
        ADD_FAILURE() << "locked on nothing";
    } catch (const lock_error& error) {
        EXPECT_EQ(error.reason(), errc::lost);
        EXPECT_EQ(error.native(), "57P01") << error.what();
    }
    EXPECT_THROW(a << "SELECT 1", soci::soci_error);
    EXPECT_EQ(printed.count, 1) << "the warning, and no last words";
    await([&] { return granted(onlooker_) == 0; }, "the server still holds it");
}

TEST_F(PostgreSQL, DiscardAllIsALoss) {
    soci::session a{server_.url()};
    lock x{a, "x"};
    x.lock();
    a << "DISCARD ALL";
    EXPECT_FALSE(x.owns_lock());
    EXPECT_EQ(unlock(x), errc::lost);
    EXPECT_TRUE(x.try_lock()) << "prepared anew";
}

TEST_F(PostgreSQL, StatementsThatTheServerForgotArePreparedAnew) {
    soci::session a{server_.url()};
    lock x{a, "x"};
    for (const char* forget : {"DEALLOCATE ALL", "DO $d$ BEGIN DEALLOCATE ALL; END $d$"}) {
        x.lock();
        execute(raw(a), forget);
        EXPECT_TRUE(x.owns_lock());
        EXPECT_FALSE(unlock(x));
        execute(raw(a), forget);
        EXPECT_TRUE(x.try_lock_for(1s));
        EXPECT_FALSE(unlock(x));
    }
}

TEST_F(PostgreSQL, ASessionThatIsNotConnectedIsLost) {
    soci::session never, closed{server_.url()};
    lock a{never, "x"}, b{closed, "x"};
    closed.close();
    for (auto* x : {&a, &b}) {
        EXPECT_EQ(reason_of([&] { x->lock(); }), errc::lost);
        EXPECT_EQ(reason_of([&] { (void)x->try_lock_for(1s); }), errc::lost);
        EXPECT_EQ(reason_of([&] { (void)x->holders(); }), errc::lost);
        EXPECT_FALSE(x->owns_lock());
    }
}

TEST_F(PostgreSQL, ASessionOfAnotherKindIsRefused) {
    soci::session sqlite{"sqlite3://:memory:"};
    lock x{sqlite, "x"};
    const auto error = error_of([&] { x.lock(); });
    EXPECT_EQ(error.reason(), errc::unsupported);
    EXPECT_NE(std::string{error.what()}.find("sqlite3"), std::string::npos) << error.what();
}

TEST_F(PostgreSQL, ASessionThatIsReadingRowsIsRefused) {
    soci::session a{server_.url()};
    lock x{a, "x"};
    x.lock();
    x.unlock();
    ASSERT_EQ(PQsendQuery(raw(a), "SELECT 1"), 1);
    EXPECT_EQ(reason_of([&] { x.lock(); }), errc::unsupported);
    EXPECT_EQ(reason_of([&] { (void)x.try_lock(); }), errc::unsupported);
    while (PGresult* const rest = PQgetResult(raw(a))) PQclear(rest);
    EXPECT_TRUE(x.try_lock());
}

TEST_F(PostgreSQL, AStandbyIsRefused) {
    postgresql_server standby{postgresql_server::standby_of{server_}};
    soci::session a{standby.url()};
    lock x{a, "x"};
    const auto error = error_of([&] { x.lock(); });
    EXPECT_EQ(error.reason(), errc::unsupported);
    EXPECT_NE(std::string{error.what()}.find("standby"), std::string::npos) << error.what();
    EXPECT_EQ(granted(a), 0);
}

// --- waits that end otherwise

TEST_F(PostgreSQL, ADeadlockIsADeadlockAndItsVictimKeepsItsOtherLocks) {
    soci::session a{server_.url()}, b{server_.url()};
    a << "SET deadlock_timeout = '20ms'";
    b << "SET deadlock_timeout = '10s'";  // so that a is the victim
    lock ax{a, "x"}, ay{a, "y"}, bx{b, "x"}, by{b, "y"};
    ax.lock();
    by.lock();
    auto other = std::async(std::launch::async, [&] { bx.lock(); });
    await([&] { return waiting(onlooker_) == 1; }, "b does not wait");
    const auto error = error_of([&] { ay.lock(); });
    EXPECT_EQ(error.reason(), errc::deadlock);
    EXPECT_EQ(error.native(), "40P01");
    EXPECT_EQ(error.code(), std::errc::resource_deadlock_would_occur);
    EXPECT_TRUE(ax.owns_lock());
    EXPECT_FALSE(ay.owns_lock());
    ax.unlock();
    other.get();
    EXPECT_TRUE(bx.owns_lock());
}

TEST_F(PostgreSQL, AnAdministratorsCancelIsCancelled) {
    soci::session a{server_.url()}, b{server_.url()};
    lock mine{a, "x"}, theirs{b, "x"};
    const std::scoped_lock held{mine};
    auto cancelled = std::async(std::launch::async, [&] { return reason_of([&] { theirs.lock(); }); });
    await([&] { return waiting(onlooker_) == 1; }, "nobody waits");
    onlooker_ << "SELECT pg_cancel_backend(" << pid_of(b) << ")";
    EXPECT_EQ(cancelled.get(), errc::cancelled);
    EXPECT_EQ(ask<int>(b, "SELECT 1"), 1) << "the session is usable";
}

TEST_F(PostgreSQL, AnUnlockThatIsCancelledIsAnUnlock) {
    postgresql_server own;  // whose log may have warnings
    soci::session a{own.url()}, onlooker{own.url()};
    lock mine{a, "x"};
    const auto cancel = "SELECT pg_cancel_backend(" + std::to_string(pid_of(a)) + ")";
    // The warning: the cancel came behind the unlock, which is an error then, and is sent again.
    const auto sent_twice = [&] { return own.log().find("you don't own a lock") != std::string::npos; };
    for (int i = 0; i < 20'000 && (i % 500 != 0 || !sent_twice()); ++i) {
        mine.lock();
        std::atomic<bool> go = false;
        auto cancelled = std::async(std::launch::async, [&] {
            while (!go) std::this_thread::yield();
            onlooker << cancel;
        });
        go = true;
        for (const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds{i % 200}; std::chrono::steady_clock::now() < until;) {
        }
        std::error_code ec;
        mine.unlock(ec);
        ASSERT_FALSE(ec) << ec.message() << ", round " << i;
        cancelled.get();
        ASSERT_EQ(granted(onlooker, pid_of(a)), 0);
        try {
            a << "SELECT 1";
        } catch (const soci::soci_error&) {  // the cancel came as late as that
        }
    }
    EXPECT_TRUE(sent_twice()) << "not aimed at the instant";
}

TEST_F(PostgreSQL, ALimitOfTheSessionDoesNotShortenAWait) {
    soci::session a{server_.url()}, b{server_.url()};
    b << "SET lock_timeout = '1ms'";
    lock mine{a, "x"}, theirs{b, "x"};
    mine.lock();
    auto got = std::async(std::launch::async, [&] { theirs.lock(); });
    await([&] { return waiting(onlooker_) == 1; }, "nobody waits");
    mine.unlock();
    EXPECT_NO_THROW(got.get());
    EXPECT_EQ(ask<std::string>(b, "SHOW lock_timeout"), "1ms");
}

TEST_F(PostgreSQL, AFullLockTableIsExhausted) {
    postgresql_server small{{.settings = {"max_locks_per_transaction=10", "max_connections=10"}}};
    soci::session a{small.url()}, b{small.url()};
    lock x{b, "x"}, y{b, "y"};
    y.lock();
    y.unlock();
    EXPECT_THROW(a << "SELECT pg_advisory_lock(n) FROM generate_series(1, 1000000) AS n", soci::soci_error);
    const int taken = granted(b);
    const auto error = error_of([&] { x.lock(); });
    EXPECT_EQ(error.reason(), errc::exhausted);
    EXPECT_NE(std::string{error.what()}.find("max_locks_per_transaction"), std::string::npos) << error.what();
    EXPECT_EQ(reason_of([&] { (void)x.try_lock(); }), errc::exhausted);
    {
        soci::transaction inside{b};
        EXPECT_EQ(reason_of([&] { (void)x.try_lock_for(1s); }), errc::exhausted);
        EXPECT_EQ(ask<int>(b, "SELECT 1"), 1) << "the transaction is usable";
    }
    EXPECT_EQ(granted(b), taken);
    a << "SELECT pg_advisory_unlock_all()";
    EXPECT_TRUE(x.try_lock());
}

// --- behind a pooler

TEST_F(PostgreSQL, APoolerThatSharesSessionsIsRefusedBeforeAnythingIsLocked) {
    pgbouncer pooler{server_, pool_mode::transaction};
    soci::session a{pooler.url()};
    lock x{a, "x"};
    for (int i = 0; i < 2; ++i) {
        const auto error = error_of([&] { (void)x.try_lock(); });
        EXPECT_EQ(error.reason(), errc::unsupported);
        EXPECT_NE(std::string{error.what()}.find("transaction_lock"), std::string::npos) << error.what();
        EXPECT_EQ(reason_of([&] { x.lock(); }), errc::unsupported);
    }
    EXPECT_EQ(granted(onlooker_), 0);
}

TEST_F(PostgreSQL, TransactionLocksWorkBehindAPoolerThatSharesSessions) {
    pgbouncer pooler{server_, pool_mode::transaction};
    soci::session a{pooler.url()}, b{pooler.url()};
    postgresql::transaction_lock mine{a, "x"}, theirs{b, "x"};
    {
        soci::transaction one{a}, two{b};
        mine.lock();
        EXPECT_FALSE(theirs.try_lock());
        EXPECT_FALSE(theirs.try_lock_for(10ms));
        one.commit();
        EXPECT_TRUE(theirs.try_lock());
        EXPECT_FALSE(mine.owns_lock());
        two.commit();
    }
    EXPECT_EQ(granted(onlooker_), 0);
}

TEST_F(PostgreSQL, APoolerThatGivesEachSessionItsOwnIsFineWhenOneSaysSo) {
    pgbouncer pooler{server_, pool_mode::session};
    soci::session a{pooler.url()}, b{pooler.url()};
    lock mine{a, "x"}, theirs{b, "x"};
    EXPECT_EQ(reason_of([&] { mine.lock(); }), errc::unsupported);
    postgresql::assume_session_pooling(a);
    postgresql::assume_session_pooling(b);
    mine.lock();
    EXPECT_FALSE(theirs.try_lock_for(10ms));
    mine.unlock();
    EXPECT_TRUE(theirs.try_lock());
}

TEST_F(PostgreSQL, ABrokenPromiseAboutThePoolerIsSeen) {
    pgbouncer pooler{server_, pool_mode::transaction};
    soci::session a{pooler.url()}, b{pooler.url()};
    postgresql::assume_session_pooling(a);
    lock x{a, "x"};
    soci::transaction occupies{b};  // the server connection that a was introduced to
    b << "SELECT 1";
    EXPECT_EQ(reason_of([&] { (void)x.try_lock(); }), errc::unsupported);
    EXPECT_FALSE(x.owns_lock());
    EXPECT_EQ(granted(onlooker_), 0);
}

TEST_F(PostgreSQL, AnotherServerConnectionBehindAPoolerIsTheLossOfWhatIsHeld) {
    pgbouncer pooler{server_, pool_mode::transaction};
    soci::session a{pooler.url()}, b{pooler.url()};
    postgresql::assume_session_pooling(a);
    lock x{a, "x"}, y{a, "y"};
    ASSERT_TRUE(x.try_lock());
    const auto lost = x.lost();
    soci::transaction occupies{b};  // the server connection that holds it
    b << "SELECT 1";
    EXPECT_EQ(reason_of([&] { (void)y.try_lock(); }), errc::unsupported);
    EXPECT_EQ(x.state(), lock_state::lost);
    EXPECT_TRUE(lost.stop_requested());
    pooler.stop();  // which has kept the server connection
    await([&] { return granted(onlooker_) == 0; }, "it is free");
}

TEST_F(PostgreSQL, AReleaseInPipelineModeWaitsForItsEnd) {
    soci::session a{server_.url()};
    lock x{a, "x"}, y{a, "y"};
    x.lock();
    x.unlock();  // prepared by now
    x.lock();
    ASSERT_EQ(PQenterPipelineMode(raw(a)), 1);
    EXPECT_EQ(unlock(x), std::errc::operation_in_progress);
    ASSERT_EQ(PQexitPipelineMode(raw(a)), 1);
    EXPECT_TRUE(y.try_lock());
    EXPECT_EQ(granted(onlooker_), 1);
}

// --- holders

TEST_F(PostgreSQL, ALabelIsWhatHoldersShows) {
    soci::session a{server_.url()};
    lock x{a, "x"};
    x.lock();
    const auto shown = [&] {
        const auto who = x.holders();
        return who.size() == 1 ? who.front().description : "nobody";
    };
    EXPECT_EQ(shown(), "dlock@local");
    postgresql::set_label(a, "nightly job of O'Reilly");
    EXPECT_EQ(shown(), "nightly job of O'Reilly dlock@local");
    postgresql::set_label(a, std::string(100, 'x'));
    EXPECT_EQ(shown(), std::string(63, 'x') + " dlock@local") << "the server cuts it";
    postgresql::set_label(a, "caf\xc3\xa9");
    EXPECT_EQ(shown(), server_traits::of_postgresql().cafe + std::string{" dlock@local"});
    EXPECT_THROW(postgresql::set_label(a, std::string_view{"a\0b", 3}), std::invalid_argument);
    a.begin();
    EXPECT_EQ(reason_of([&] { postgresql::set_label(a, "y"); }), errc::unsupported);
    a.rollback();
    a << "RESET ALL";
    EXPECT_EQ(shown(), "dlock@local") << "which takes it back";
    EXPECT_TRUE(x.owns_lock());
    soci::session named{server_.url() + " application_name=stays"};
    lock y{named, "y"};
    y.lock();
    postgresql::set_label(named, "goes");
    named << "RESET ALL";
    EXPECT_EQ(y.holders().front().description, "stays dlock@local");
}

TEST_F(PostgreSQL, ThePreparedTransactionThatHoldsALockIsNamed) {
    postgresql_server two_phase{{.settings = {"max_prepared_transactions=5"}}};
    soci::session a{two_phase.url()}, b{two_phase.url()};
    postgresql::transaction_lock t{a, "t"};
    lock same{b, "t"};
    a.begin();
    t.lock();
    execute(raw(a), "PREPARE TRANSACTION 'it''s mine'");
    EXPECT_FALSE(same.try_lock());
    const auto who = same.holders();
    ASSERT_EQ(who.size(), 1U);
    EXPECT_EQ(who.front().session, "prepared");
    EXPECT_EQ(who.front().description, "prepared transaction 'it''s mine' of dlock");
    execute(raw(a), "ROLLBACK PREPARED 'it''s mine'");
    EXPECT_TRUE(same.holders().empty());
}

TEST_F(PostgreSQL, AResetOfAllSettingsUndoesBoundSilence) {
    NEEDS(server_traits::of_postgresql().looks_for_its_client);
    soci::session a{server_.url()};
    postgresql::bound_silence(a);
    EXPECT_EQ(ask<std::string>(a, "SHOW client_connection_check_interval"), "1s");
    a << "RESET ALL";
    EXPECT_EQ(ask<std::string>(a, "SHOW client_connection_check_interval"), "0");
}

// The server counts the locks of a session, and dlock's release takes one of them.
TEST_F(PostgreSQL, AKeyThatTheProgramsOwnSQLHoldsStacks) {
    soci::session a{server_.url()}, b{server_.url()};
    using integer_lock = basic_lock<postgresql::advisory, integer_key>;
    integer_lock mine{a, 7}, theirs{b, 7};
    a << "SELECT pg_advisory_lock(7)";
    EXPECT_TRUE(mine.try_lock()) << "the session has it";
    mine.unlock();
    EXPECT_FALSE(theirs.try_lock()) << "and has it still";
    a << "SELECT pg_advisory_unlock(7)";
    EXPECT_TRUE(theirs.try_lock());
}

// --- pools

TEST_F(PostgreSQL, APooledSessionThatCannotReleaseIsEnded) {
    soci::connection_pool pool{1};
    pool.at(0).open(server_.url());
    std::unique_ptr<lock> forgotten;
    {
        pooled_session db{pool};
        forgotten = std::make_unique<lock>(db, "x");
        forgotten->lock();
        PQenterPipelineMode(raw(pool.at(0)));  // in which nothing can be sent that is answered at once
    }
    EXPECT_FALSE(forgotten->owns_lock());
    await([&] { return granted(onlooker_) == 0; }, "it is free");
}

TEST_F(PostgreSQL, APooledSessionGoesBackWithoutLocksAndTransactions) {
    soci::connection_pool pool{1};
    pool.at(0).open(server_.url());
    std::unique_ptr<lock> forgotten;
    {
        pooled_session db{pool};
        forgotten = std::make_unique<lock>(db, "x");
        forgotten->lock();
        db.session().begin();
    }
    EXPECT_EQ(granted(onlooker_), 0);
    EXPECT_FALSE(forgotten->owns_lock());
    EXPECT_EQ(unlock(*forgotten), errc::lost);
    pooled_session again{pool};
    EXPECT_EQ(PQtransactionStatus(raw(again.session())), PQTRANS_IDLE);
    lock x{again, "x"};
    EXPECT_TRUE(x.try_lock());
}

TEST_F(PostgreSQL, ABrokenPooledSessionIsConnectedAnew) {
    soci::connection_pool pool{1};
    pool.at(0).open(server_.url());
    {
        pooled_session db{pool};
        lock x{db, "x"};
        x.lock();
        onlooker_ << "SELECT pg_terminate_backend(" << pid_of(db.session()) << ")";
        await([&] { return !x.owns_lock(); }, "the end of the session is not noticed");
    }
    pooled_session again{pool};
    EXPECT_EQ(ask<int>(again.session(), "SELECT 1"), 1);
}

TEST_F(PostgreSQL, AnEmptyPoolIsATimeout) {
    soci::connection_pool pool{1};
    pool.at(0).open(server_.url());
    const pooled_session db{pool};
    EXPECT_EQ(reason_of([&] { pooled_session none{pool, 5ms}; }), errc::timed_out);
    EXPECT_EQ(reason_of([&] { pooled_session none{pool, 0ms}; }), errc::timed_out);
}

// --- and the server heard no complaint

TEST_F(PostgreSQL, TheServersLogHasNoWarning) {
    EXPECT_EQ(server_.log().find("you don't own a lock"), std::string::npos);
    EXPECT_EQ(server_.log().find("there is no transaction in progress"), std::string::npos);
}

}  // namespace
}  // namespace dlock::testing
