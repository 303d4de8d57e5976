// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Fencing tokens of PostgreSQL: larger than every earlier one, whoever got that and however the server ended.
#include <dlock/postgresql.hpp>

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/servers/postgresql_server.hpp"
#include "tests/servers/server_traits.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/postgresql.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using postgresql::fenced_advisory;
using postgresql::fenced_lock;

template <class Lock>
constexpr bool has_token = requires(const Lock& l) { l.token(); };
static_assert(has_token<fenced_lock> && !has_token<postgresql::lock> && !has_token<postgresql::transaction_lock>);

/// Locks, takes the token and unlocks.
fencing_token draw(soci::session& on, const std::string& name = "x") {
    fenced_lock lock{on, name};
    lock.lock();
    const auto token = lock.token();
    lock.unlock();
    return token;
}

class PostgreSQLFence : public ::testing::Test {
protected:
    PostgreSQLFence() { postgresql::create_fence(onlooker_); }
    void TearDown() override { EXPECT_EQ(granted(onlooker_), 0) << "the test left something locked"; }

    /// What the sequence would give next, to anybody.
    fencing_token next() { return {static_cast<std::uint64_t>(ask<long long>(onlooker_, "SELECT nextval('public.dlock_fence')"))}; }

    postgresql_server& server_ = postgresql_server::shared();
    soci::session onlooker_{server_.url()};
};

TEST_F(PostgreSQLFence, TokensIncreaseAcrossKeysModesSessionsAndWaysToLock) {
    soci::session a{server_.url()}, b{server_.url()};
    fencing_token last{};
    const auto expect_larger = [&last](auto& lock) {
        EXPECT_GT(lock.token(), last);
        last = lock.token();
        EXPECT_EQ(lock.token(), last) << "it is the grant's, not the question's";
        lock.unlock();
    };
    for (soci::session* on : {&a, &b, &a}) {
        for (const char* name : {"x", "another"}) {
            fenced_lock lock{*on, name};
            ASSERT_TRUE(lock.try_lock());
            expect_larger(lock);
            ASSERT_TRUE(lock.try_lock_for(1s));
            expect_larger(lock);
            lock.lock();
            expect_larger(lock);
            ASSERT_TRUE(lock.try_lock_shared());
            expect_larger(lock);
            ASSERT_TRUE(lock.try_lock_shared_for(1s));
            expect_larger(lock);
            lock.lock_shared();
            expect_larger(lock);
        }
        basic_lock<fenced_advisory, integer_pair_key> pair{*on, integer_pair{1, 2}};
        ASSERT_TRUE(pair.try_lock());
        expect_larger(pair);
        pair.lock_shared();
        expect_larger(pair);
    }
}

TEST_F(PostgreSQLFence, ATokenIsMintedAfterTheWait) {
    for (const mode m : {mode::exclusive, mode::shared}) {
        for (const bool timed : {false, true}) {
            soci::session a{server_.url()}, b{server_.url()};
            fenced_lock mine{a, "x"}, theirs{b, "x"};
            mine.lock();
            auto answer = std::async(std::launch::async, [&] {
                if (timed) return m == mode::exclusive ? theirs.try_lock_for(60s) : theirs.try_lock_shared_for(60s);
                m == mode::exclusive ? theirs.lock() : theirs.lock_shared();
                return true;
            });
            await([&] { return waiting(onlooker_, pid_of(b)) == 1; }, "the session waits");
            const auto meanwhile = next();
            mine.unlock();
            EXPECT_TRUE(answer.get());
            EXPECT_GT(theirs.token(), meanwhile);
        }
    }
}

TEST_F(PostgreSQLFence, HoldersThatContendGetTheirTokensInTheOrderOfTheirTurns) {
    std::vector<fencing_token> turns;  // guarded by the lock
    std::vector<std::future<void>> all;
    for (int i = 0; i < 4; ++i) {
        all.push_back(std::async(std::launch::async, [&] {
            soci::session own{server_.url()};
            fenced_lock lock{own, "x"};
            for (int turn = 0; turn < 50; ++turn) {
                lock.lock();
                turns.push_back(lock.token());
                lock.unlock();
            }
        }));
    }
    for (auto& one : all) one.get();
    ASSERT_EQ(turns.size(), 200U);
    for (std::size_t i = 1; i < turns.size(); ++i) EXPECT_LT(turns[i - 1], turns[i]) << i;
}

TEST_F(PostgreSQLFence, LocksWhatALockWithoutTokenLocks) {
    soci::session a{server_.url()}, b{server_.url()};
    fenced_lock fenced{a, "x"};
    postgresql::lock plain{b, "x"};
    fenced.lock();
    EXPECT_FALSE(plain.try_lock());
    fenced.unlock();
    plain.lock();
    EXPECT_FALSE(fenced.try_lock());
    plain.unlock();
}

TEST_F(PostgreSQLFence, ALockThatIsNotHeldHasNoTokenAndDrawsNone) {
    soci::session a{server_.url()}, b{server_.url()};
    fenced_lock mine{a, "x"}, theirs{b, "x"};
    const auto expect_none = [](const fenced_lock& lock) { EXPECT_EQ(reason_of([&] { (void)lock.token(); }), errc::not_owner); };
    expect_none(mine);
    mine.lock();
    EXPECT_FALSE(theirs.try_lock());
    expect_none(theirs);
    EXPECT_FALSE(theirs.try_lock_for(5ms));
    expect_none(theirs);
    EXPECT_FALSE(theirs.try_lock_shared_for(5ms));
    expect_none(theirs);
    EXPECT_EQ(next().value, mine.token().value + 1);
    mine.unlock();
    expect_none(mine);
}

TEST_F(PostgreSQLFence, ALostLockKeepsItsTokenWhichIsSmallerThanTheNext) {
    soci::session a{server_.url()}, b{server_.url()};
    fenced_lock mine{a, "x"}, theirs{b, "x"};
    mine.lock();
    const auto before = mine.token();
    (void)ask<std::string>(onlooker_, "SELECT pg_terminate_backend(" + std::to_string(pid_of(a)) + ")::text");
    await([&] { return !mine.owns_lock(); }, "the socket tells");
    theirs.lock();
    EXPECT_EQ(mine.token(), before);
    EXPECT_LT(mine.token(), theirs.token());
    EXPECT_EQ(unlock(mine), errc::lost);
    EXPECT_EQ(reason_of([&] { (void)mine.token(); }), errc::not_owner);
    theirs.unlock();
}

TEST_F(PostgreSQLFence, AStopRequestEndsTheWaitAndNothingIsHeld) {
    soci::session a{server_.url()}, b{server_.url()};
    fenced_lock mine{a, "x"}, theirs{b, "x"};
    mine.lock();
    std::stop_source stop;
    auto answer = std::async(std::launch::async, [&] { return reason_of([&] { theirs.lock(stop.get_token()); }); });
    await([&] { return waiting(onlooker_, pid_of(b)) == 1; }, "the session waits");
    stop.request_stop();
    EXPECT_EQ(answer.get(), errc::cancelled);
    mine.unlock();
    EXPECT_EQ(granted(onlooker_), 0);
    theirs.lock();
    EXPECT_NE(theirs.token().value, 0U);
    theirs.unlock();
}

TEST_F(PostgreSQLFence, LeavesTheSettingsOfTheSession) {
    soci::session a{server_.url()};
    a << "SET synchronous_commit = off";
    a << "SET lock_timeout = '7s'";
    draw(a);
    fenced_lock lock{a, "x"};
    ASSERT_TRUE(lock.try_lock_for(1s));
    EXPECT_EQ(ask<std::string>(a, "SHOW synchronous_commit"), "off");
    EXPECT_EQ(ask<std::string>(a, "SHOW lock_timeout"), "7s");
    lock.unlock();
}

// --- the sequence

TEST_F(PostgreSQLFence, CreatingItAgainChangesNothing) {
    soci::session a{server_.url()};
    const auto before = draw(a);
    postgresql::create_fence(a);
    EXPECT_EQ(draw(a).value, before.value + 1);
}

TEST_F(PostgreSQLFence, CreatingItPrintsNothing) {
    onlooker_ << "CREATE DATABASE quiet";
    {
        soci::session a{server_.url("quiet")};
        int printed = 0;
        PQsetNoticeProcessor(raw(a), [](void* count, const char*) { ++*static_cast<int*>(count); }, &printed);
        for (int start = 0; start < 3; ++start) postgresql::create_fence(a);
        EXPECT_EQ(printed, 0);
    }
    onlooker_ << "DROP DATABASE quiet WITH (FORCE)";
}

TEST_F(PostgreSQLFence, ItMayLiveInAnotherSchema) {
    using here = postgresql::fenced_lock_in<R"(My "locks"; it's)">;
    const std::string schema = R"("My ""locks""; it's")";
    soci::session a{server_.url()}, b{server_.url()};
    here mine{a, "x"};
    postgresql::fenced_lock theirs{b, "x"};
    const auto no_schema = error_of([&] { mine.lock(); });
    EXPECT_EQ(no_schema.reason(), errc::unsupported);
    EXPECT_EQ(no_schema.native(), server_traits::of_postgresql().no_schema) << no_schema.what();
    EXPECT_NE(std::string{no_schema.what()}.find("create_fence()"), std::string::npos) << no_schema.what();
    EXPECT_EQ(reason_of([&] { postgresql::create_fence(a, R"(My "locks"; it's)"); }), errc::unsupported);
    onlooker_ << "CREATE SCHEMA " + schema;
    postgresql::create_fence(a, R"(My "locks"; it's)");
    const auto other = draw(b);
    for (const std::uint64_t expected : {1U, 2U, 3U}) {
        if (expected == 3) a.reconnect();  // which does not change where the numbers come from
        mine.lock();
        EXPECT_EQ(mine.token().value, expected);
        EXPECT_FALSE(theirs.try_lock()) << "the key is the same";
        mine.unlock();
    }
    EXPECT_EQ(draw(b).value, other.value + 1) << "and another sequence";
    fenced_lock same_session{a, "y"};
    same_session.lock();
    EXPECT_GT(same_session.token(), other) << "one session may draw from both";
    same_session.unlock();
    onlooker_ << "CREATE ROLE clerk";
    a << "SET ROLE clerk";
    const auto no_right = error_of([&] { mine.lock(); });
    EXPECT_EQ(no_right.native(), "42501");
    EXPECT_EQ(no_right.reason(), errc::unsupported);
    EXPECT_EQ(reason_of([&] { postgresql::create_fence(a, R"(My "locks"; it's)"); }), errc::unsupported) << "it may not even look";
    onlooker_ << "DROP ROLE clerk";
    onlooker_ << "DROP SCHEMA " + schema + " CASCADE";
    EXPECT_THROW(postgresql::create_fence(b, ""), std::invalid_argument);
}

TEST_F(PostgreSQLFence, CreatingItInATransactionThatMayNotLeavesTheTransaction) {
    onlooker_ << "CREATE DATABASE strict";
    {
        soci::session a{server_.url("strict")};
        a << "BEGIN READ ONLY";
        const auto error = error_of([&] { postgresql::create_fence(a); });
        EXPECT_EQ(error.reason(), errc::unsupported);
        EXPECT_EQ(error.native(), "25006");
        EXPECT_EQ(ask<int>(a, "SELECT 7"), 7);
        a << "ROLLBACK";
    }
    onlooker_ << "DROP DATABASE strict WITH (FORCE)";
}

TEST_F(PostgreSQLFence, ASequenceThatACrashResetsIsRefused) {
    NEEDS(server_traits::of_postgresql().unlogged_sequences);
    onlooker_ << "CREATE DATABASE unlogged";
    {
        soci::session own{server_.url("unlogged")};
        own << "CREATE UNLOGGED SEQUENCE dlock_fence";
        EXPECT_EQ(reason_of([&] { postgresql::create_fence(own); }), errc::unsupported);
    }
    onlooker_ << "DROP DATABASE unlogged";
}

TEST_F(PostgreSQLFence, ASequenceThatIsNoFenceIsRefused) {
    onlooker_ << "CREATE DATABASE unfenced";
    {
        soci::session own{server_.url("unfenced")};
        for (const char* const wrong : {"CACHE 10", "CYCLE", "INCREMENT -1", "MINVALUE 0 START 0"}) {
            own << "CREATE SEQUENCE dlock_fence " + std::string{wrong};
            EXPECT_EQ(reason_of([&] { postgresql::create_fence(own); }), errc::unsupported) << wrong;
            own << "DROP SEQUENCE dlock_fence";
        }
        own << "CREATE SEQUENCE dlock_fence MINVALUE 0 START 0";  // and nobody has asked create_fence()
        postgresql::fenced_lock granted{own, "k"};
        EXPECT_TRUE(granted.try_lock()) << "a lock that is held is never said not to be";
        granted.unlock();
        own << "DROP SEQUENCE dlock_fence";
        postgresql::create_fence(own);
    }
    onlooker_ << "DROP DATABASE unfenced";
}

TEST_F(PostgreSQLFence, ManyMayCreateItAtOnce) {
    onlooker_ << "CREATE DATABASE crowded";
    {
        std::vector<std::future<void>> all;
        for (int i = 0; i < 8; ++i) {
            all.push_back(std::async(std::launch::async, [this] {
                soci::session own{server_.url("crowded")};
                postgresql::create_fence(own);
                draw(own);
            }));
        }
        for (auto& one : all) EXPECT_NO_THROW(one.get());
    }
    onlooker_ << "DROP DATABASE crowded WITH (FORCE)";
}

/// What all the ways to lock throw; and that nothing is held, the session is as before, and says so.
void expect_unsupported(soci::session& on, soci::session& onlooker, const std::string& because) {
    fenced_lock lock{on, "x"};
    const auto refused = [&](auto call) {
        const auto error = error_of(call);
        EXPECT_EQ(error.reason(), errc::unsupported) << error.what();
        EXPECT_NE(std::string{error.what()}.find(because), std::string::npos) << error.what();
        EXPECT_FALSE(lock.owns_lock());
        EXPECT_EQ(granted(onlooker, pid_of(on)), 0);
        EXPECT_EQ(ask<int>(on, "SELECT 7"), 7);
    };
    refused([&] { lock.lock(); });
    refused([&] { (void)lock.try_lock(); });
    refused([&] { (void)lock.try_lock_for(1s); });
    refused([&] { lock.lock_shared(); });
    refused([&] { (void)lock.try_lock_shared(); });
    refused([&] { (void)lock.try_lock_shared_for(1s); });
}

TEST_F(PostgreSQLFence, WithoutTheSequenceItIsUnsupportedAndNothingIsHeld) {
    onlooker_ << "CREATE DATABASE unfenced";
    {
        soci::session a{server_.url("unfenced")};
        expect_unsupported(a, onlooker_, "call postgresql::create_fence() once");
        postgresql::create_fence(a);
        EXPECT_EQ(draw(a).value, 1U) << "0 would be none";
    }
    onlooker_ << "DROP DATABASE unfenced WITH (FORCE)";
}

TEST_F(PostgreSQLFence, WithoutTheRightToUseItItIsUnsupportedAndNothingIsHeld) {
    onlooker_ << "CREATE ROLE clerk";
    {
        soci::session a{server_.url()};
        a << "SET ROLE clerk";
        expect_unsupported(a, onlooker_, "grant USAGE");
        onlooker_ << "GRANT USAGE ON SEQUENCE public.dlock_fence TO clerk";
        EXPECT_GT(draw(a).value, 0U);
    }
    onlooker_ << "REVOKE ALL ON SEQUENCE public.dlock_fence FROM clerk";
    onlooker_ << "DROP ROLE clerk";
}

TEST_F(PostgreSQLFence, ASequenceThatIsUsedUpIsAnErrorAndNothingIsHeld) {
    onlooker_ << "CREATE DATABASE worn";
    {
        soci::session a{server_.url("worn")};
        a << "CREATE SEQUENCE public.dlock_fence MAXVALUE 2";
        draw(a);
        draw(a);
        fenced_lock lock{a, "x"};
        EXPECT_EQ(reason_of([&] { lock.lock(); }), errc::server_error);
        EXPECT_EQ(granted(onlooker_), 0);
    }
    onlooker_ << "DROP DATABASE worn WITH (FORCE)";
}

TEST_F(PostgreSQLFence, InAnOpenTransactionItIsUnsupportedAndTheTransactionGoesOn) {
    soci::session a{server_.url()};
    a << "CREATE TABLE IF NOT EXISTS fence_test (x int)";
    for (const char* isolation : {"READ COMMITTED", "SERIALIZABLE"}) {
        a << "BEGIN ISOLATION LEVEL " + std::string{isolation};
        a << "INSERT INTO fence_test VALUES (1)";
        expect_unsupported(a, onlooker_, "inside an open transaction");
        a << "COMMIT";
    }
    EXPECT_EQ(ask<int>(a, "SELECT count(*)::int FROM fence_test"), 2);
    a << "DROP TABLE fence_test";
}

TEST_F(PostgreSQLFence, ALockThatWasTakenBeforeTheTransactionKeepsItsTokenInIt) {
    soci::session a{server_.url()};
    fenced_lock lock{a, "x"};
    lock.lock();
    const auto token = lock.token();
    a << "BEGIN";
    EXPECT_EQ(lock.token(), token);
    a << "ROLLBACK";
    EXPECT_TRUE(lock.owns_lock());
    EXPECT_EQ(lock.token(), token);
    lock.unlock();
}

// --- servers that end

TEST(PostgreSQLFenceCrash, TokensIncreaseThroughACrashWhateverTheSessionHasSet) {
    // Without the wait for the commit, the log would lie in memory for ten seconds.
    postgresql_server server{{.settings = {"wal_writer_delay=10s", "synchronous_commit=off"}}};
    {
        soci::session first{server.url()};
        postgresql::create_fence(first);
        first << "SET synchronous_commit = on";
        first << "CREATE TABLE flushed ()";
    }
    fencing_token last{};
    for (int i = 0; i < 6; ++i) {
        {
            soci::session a{server.url()};
            a << "SET synchronous_commit = off";
            for (int n = 0; n < 40; ++n) {  // a sequence writes 32 numbers ahead into the log
                const auto next = draw(a);
                EXPECT_GT(next, last);
                last = next;
            }
            fenced_lock held{a, "x"};
            if (i % 2 == 0) held.lock();
            else ASSERT_TRUE(held.try_lock_shared_for(1s));
            EXPECT_GT(held.token(), last);
            last = held.token();
            if (i == 5) server.kill();
            else server.stop(postgresql_server::shutdown::immediate);
            EXPECT_FALSE(held.owns_lock());
        }
        server.start();
    }
}

TEST(PostgreSQLFenceCrash, ATokenOfTheFirstDrawSurvives) {
    postgresql_server server{{.settings = {"wal_writer_delay=10s"}}};
    {
        soci::session first{server.url()};
        postgresql::create_fence(first);
    }
    fencing_token last{};
    for (int i = 0; i < 4; ++i) {
        {
            soci::session a{server.url()};
            a << "SET synchronous_commit = off";
            fenced_lock lock{a, "x"};
            switch (i % 4) {
                case 0: lock.lock(); break;
                case 1: ASSERT_TRUE(lock.try_lock()); break;
                case 2: ASSERT_TRUE(lock.try_lock_for(1s)); break;
                default: lock.lock_shared(); break;
            }
            EXPECT_GT(lock.token(), last);
            last = lock.token();
            server.stop(postgresql_server::shutdown::immediate);
        }
        server.start();
    }
}

TEST(PostgreSQLFenceCrash, ATokenThatSomebodyElseHasWrittenIntoTheLogSurvives) {
    postgresql_server server{{.settings = {"wal_writer_delay=10s"}}};
    {
        soci::session first{server.url()};
        postgresql::create_fence(first);
        first << "CREATE TABLE flushed ()";
    }
    fencing_token last{};
    for (int i = 0; i < 3; ++i) {
        {
            soci::session other{server.url()}, a{server.url()};
            other.begin();  // and it does not commit: its log lies in memory
            for (int n = 0; n < 40; ++n) other << "SELECT nextval('public.dlock_fence')";
            fenced_lock lock{a, "x"};
            if (i % 2 == 0) lock.lock();
            else ASSERT_TRUE(lock.try_lock());
            EXPECT_GT(lock.token(), last);
            last = lock.token();
            server.stop(postgresql_server::shutdown::immediate);
        }
        server.start();
    }
}

TEST(PostgreSQLFenceStandby, OnAStandbyItIsUnsupported) {
    postgresql_server primary{};
    soci::session on_primary{primary.url()};
    postgresql::create_fence(on_primary);
    postgresql_server standby{postgresql_server::standby_of{primary}};
    soci::session a{standby.url()};
    fenced_lock lock{a, "x"};
    EXPECT_EQ(reason_of([&] { lock.lock(); }), errc::unsupported);
    EXPECT_EQ(granted(a), 0);
}

}  // namespace
}  // namespace dlock::testing
