// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The facts about PostgreSQL that backends/postgresql relies on, by plain libpq. When one of these turns red after an
// upgrade of the server, the code that relies on it must change, whatever the other tests say.
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <libpq-events.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sys/socket.h>

#include "tests/servers/pgbouncer.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/support/postgresql.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;

struct finish {
    void operator()(PGconn* c) const noexcept { PQfinish(c); }
};
using client = std::unique_ptr<PGconn, finish>;

client connect(const std::string& conninfo) {
    client made{PQconnectdb(conninfo.c_str())};
    EXPECT_EQ(PQstatus(made.get()), CONNECTION_OK) << PQerrorMessage(made.get());
    PQsetNoticeProcessor(made.get(), [](void*, const char*) {}, nullptr);
    return made;
}

class PostgreSQLBehaviour : public ::testing::Test {
protected:
    std::string run(const client& on, const std::string& sql) {
        const auto result = execute(on.get(), sql);
        const auto state = sqlstate(result);
        return state.empty() ? (PQntuples(result.get()) > 0 ? value(result) : "") : "ERROR " + state;
    }
    int waiting() { return std::stoi(run(onlooker_, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")); }
    int held(const client& by) {
        return std::stoi(run(onlooker_, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = " +
                                            std::to_string(PQbackendPID(by.get()))));
    }
    void await_waiter() {
        while (waiting() == 0) std::this_thread::yield();
    }

    postgresql_server& server_ = postgresql_server::shared();
    client onlooker_ = connect(server_.conninfo());
    client a_ = connect(server_.conninfo()), b_ = connect(server_.conninfo());
};

// --- the timed statement

constexpr const char* timed =
    "SELECT CASE WHEN set_config('lock_timeout', '30', true) IS NOT NULL THEN pg_advisory_lock(1) IS NOT NULL END";

TEST_F(PostgreSQLBehaviour, SetConfigAppliesToTheLockLaterInTheSameStatement) {
    run(a_, "SELECT pg_advisory_lock(1)");
    run(b_, "SET lock_timeout = '1h'");
    EXPECT_EQ(run(b_, timed), "ERROR 55P03");
    EXPECT_EQ(run(b_, "SHOW lock_timeout"), "1h") << "and ends with the statement";
    EXPECT_EQ(run(b_, std::string{"PREPARE p AS "} + timed), "");
    EXPECT_EQ(run(b_, "EXECUTE p"), "ERROR 55P03");
}

TEST_F(PostgreSQLBehaviour, ALockTimeoutOfZeroWaitsForEverAndOverridesTheSessions) {
    run(a_, "SELECT pg_advisory_lock(1)");
    run(b_, "SET lock_timeout = '1ms'");
    auto waits = std::async(std::launch::async, [&] {
        return run(b_, "SELECT CASE WHEN set_config('lock_timeout', '0', true) IS NOT NULL THEN pg_advisory_lock(1) IS NOT NULL END");
    });
    await_waiter();
    run(a_, "SELECT pg_advisory_unlock(1)");
    EXPECT_EQ(waits.get(), "t");
}

TEST_F(PostgreSQLBehaviour, LockTimeoutTakesNothingBelowZeroAndNothingAboveAnInt32) {
    for (const char* bad : {"-1", "2147483648", "", "abc"}) {
        EXPECT_EQ(run(a_, std::string{"SELECT set_config('lock_timeout', '"} + bad + "', true)"), "ERROR 22023") << bad;
    }
    EXPECT_EQ(run(a_, "SELECT set_config('lock_timeout', '2147483647', true)"), "2147483647ms");
}

TEST_F(PostgreSQLBehaviour, InsideATransactionTheSettingStaysUnlessItIsRolledBack) {
    run(a_, "BEGIN");
    EXPECT_EQ(run(a_, timed), "t");
    EXPECT_EQ(run(a_, "SHOW lock_timeout"), "30ms") << "so the statement alone would change the caller's transaction";
    run(a_, "ROLLBACK");
    run(a_, "SELECT pg_advisory_unlock_all()");
}

TEST_F(PostgreSQLBehaviour, RollingBackToASavepointKeepsASessionLockAndRestoresTheSetting) {
    run(a_, "BEGIN; SET LOCAL lock_timeout = '9s'");
    run(a_, std::string{"SAVEPOINT s; "} + timed + "; ROLLBACK TO SAVEPOINT s; RELEASE SAVEPOINT s");
    EXPECT_EQ(held(a_), 1);
    EXPECT_EQ(run(a_, "SHOW lock_timeout"), "9s");
    run(a_, "SAVEPOINT s; SELECT pg_advisory_xact_lock(2); ROLLBACK TO SAVEPOINT s; RELEASE SAVEPOINT s");
    EXPECT_EQ(held(a_), 1) << "and drops a transaction-level lock";
    run(a_, "COMMIT");
    EXPECT_EQ(held(a_), 1);
}

TEST_F(PostgreSQLBehaviour, AFailedStatementInsideATransactionAbortsItButForASavepoint) {
    run(a_, "SELECT pg_advisory_lock(1)");
    run(b_, "BEGIN");
    EXPECT_EQ(run(b_, std::string{"SAVEPOINT s; "} + timed), "ERROR 55P03");
    EXPECT_EQ(run(b_, "SELECT 1"), "ERROR 25P02");
    EXPECT_EQ(run(b_, "ROLLBACK TO SAVEPOINT s; RELEASE SAVEPOINT s; SELECT 1"), "1");
}

TEST_F(PostgreSQLBehaviour, AnErrorReleasesTheTransactionsLocksBeforeAnybodyRollsItBack) {
    run(a_, "BEGIN; SELECT pg_advisory_xact_lock(1)");
    EXPECT_EQ(run(a_, "SELECT 1/0"), "ERROR 22012");
    EXPECT_EQ(held(a_), 0);
    run(a_, "ROLLBACK; BEGIN; SELECT pg_advisory_xact_lock(1); SAVEPOINT s; SELECT pg_advisory_xact_lock(2)");
    EXPECT_EQ(run(a_, "SELECT 1/0"), "ERROR 22012");
    EXPECT_EQ(held(a_), 1) << "but for what it had locked before the savepoint";
}

TEST_F(PostgreSQLBehaviour, CaseAsksForTheLockOnlyWhenTheConditionHolds) {
    EXPECT_EQ(run(a_, "SELECT CASE WHEN pg_backend_pid() = 0 THEN pg_advisory_lock(1) IS NOT NULL END"), "");
    EXPECT_EQ(held(a_), 0);
}

// --- releasing

TEST_F(PostgreSQLBehaviour, LocksStackAndAnUnlockTakesOneLevel) {
    run(a_, "SELECT pg_advisory_lock(1)");
    run(a_, "SELECT pg_advisory_lock(1)");
    EXPECT_EQ(held(a_), 1) << "pg_locks hides the count";
    EXPECT_EQ(run(a_, "SELECT pg_advisory_unlock(1)"), "t");
    EXPECT_EQ(held(a_), 1);
    EXPECT_EQ(run(a_, "SELECT pg_advisory_unlock(1)"), "t");
    EXPECT_EQ(run(a_, "SELECT pg_advisory_unlock(1)"), "f");
}

TEST_F(PostgreSQLBehaviour, ModesAreReleasedApart) {
    run(a_, "SELECT pg_advisory_lock(1)");
    EXPECT_EQ(run(a_, "SELECT pg_advisory_unlock_shared(1)"), "f");
    EXPECT_EQ(run(a_, "SELECT pg_advisory_unlock(1)"), "t");
}

TEST_F(PostgreSQLBehaviour, AnUnlockInsideATransactionIsImmediateAndInAnAbortedOneRefused) {
    run(a_, "SELECT pg_advisory_lock(1), pg_advisory_lock(2)");
    run(a_, "BEGIN");
    EXPECT_EQ(run(a_, "SELECT pg_advisory_unlock(1)"), "t");
    EXPECT_EQ(held(a_), 1);
    run(a_, "SELECT 1/0");
    EXPECT_EQ(run(a_, "SELECT pg_advisory_unlock(2)"), "ERROR 25P02");
    run(a_, "ROLLBACK");
    EXPECT_EQ(held(a_), 1) << "and the first one is not taken back";
}

TEST_F(PostgreSQLBehaviour, DiscardAllReleasesAndForgetsPreparedStatements) {
    run(a_, "PREPARE p AS SELECT 1");
    run(a_, "SELECT pg_advisory_lock(1)");
    EXPECT_STREQ(PQcmdStatus(execute(a_.get(), "DISCARD ALL").get()), "DISCARD ALL");
    EXPECT_EQ(held(a_), 0);
    EXPECT_EQ(run(a_, "EXECUTE p"), "ERROR 26000");
}

// --- trying

TEST_F(PostgreSQLBehaviour, ATryFailsBehindAWaiterThatConflicts) {
    run(a_, "SELECT pg_advisory_lock_shared(1)");
    auto writer = std::async(std::launch::async, [&] { return run(b_, "SELECT pg_advisory_lock(1)"); });
    await_waiter();
    EXPECT_EQ(run(onlooker_, "SELECT pg_try_advisory_lock_shared(1)"), "f");
    run(a_, "SELECT pg_advisory_unlock_shared(1)");
    writer.get();
}

TEST_F(PostgreSQLBehaviour, ADeadlocksVictimKeepsItsOtherLocks) {
    run(a_, "SET deadlock_timeout = '20ms'; SELECT pg_advisory_lock(1)");
    run(b_, "SET deadlock_timeout = '10s'; SELECT pg_advisory_lock(2)");
    auto other = std::async(std::launch::async, [&] { return run(b_, "SELECT pg_advisory_lock(1)"); });
    await_waiter();
    EXPECT_EQ(run(a_, "SELECT pg_advisory_lock(2)"), "ERROR 40P01");
    EXPECT_EQ(held(a_), 1);
    run(a_, "SELECT pg_advisory_unlock(1)");
    other.get();
}

// --- several keys in one statement

TEST_F(PostgreSQLBehaviour, UnnestGivesTheKeysInTheOrderOfTheArray) {
    run(b_, "SELECT pg_advisory_lock(5)");
    for (const auto& [keys, first] : {std::pair{"{9,5,1}", "9"}, std::pair{"{1,5,9}", "1"}}) {
        auto waits = std::async(std::launch::async, [&, keys = keys] {
            return run(a_, std::string{"SELECT count(*) FILTER (WHERE pg_advisory_lock(k) IS NOT NULL) FROM unnest('"} + keys + "'::int8[]) AS k");
        });
        await_waiter();
        EXPECT_EQ(run(onlooker_, "SELECT string_agg(objid::text, ',') FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = " +
                                     std::to_string(PQbackendPID(a_.get()))),
                  first);
        run(onlooker_, "SELECT pg_cancel_backend(" + std::to_string(PQbackendPID(a_.get())) + ")");
        EXPECT_EQ(waits.get(), "ERROR 57014");
        EXPECT_EQ(held(a_), 1) << "and what was locked stays so";
        run(a_, "SELECT pg_advisory_unlock_all()");
    }
    run(b_, "SELECT pg_advisory_unlock_all()");
}

TEST_F(PostgreSQLBehaviour, ASubselectStopsAtItsLimitAndIsEvaluatedOnce) {
    run(b_, "SELECT pg_advisory_lock(5)");
    const std::string first_busy =
        "(SELECT n::int4 FROM unnest('{1,3,5,7,9}'::int8[]) WITH ORDINALITY AS wanted (k, n) WHERE NOT pg_try_advisory_lock(k) LIMIT 1)";
    EXPECT_EQ(run(a_, "SELECT busy + busy FROM (SELECT " + first_busy + " AS busy OFFSET 0) AS tried"), "6");
    EXPECT_EQ(held(a_), 2) << "7 and 9 were not asked for";
    EXPECT_EQ(run(a_, "SELECT count(*) FROM unnest('{1,3}'::int8[]) AS k WHERE pg_advisory_unlock(k)"), "2");
    EXPECT_EQ(held(a_), 0) << "once";
    run(b_, "SELECT pg_advisory_unlock_all()");
}

TEST_F(PostgreSQLBehaviour, CaseEvaluatesASubselectOnlyWhenTheConditionHolds) {
    const std::string locks = "(SELECT count(*) FILTER (WHERE pg_advisory_lock(k) IS NOT NULL) FROM unnest('{1,2}'::int8[]) AS k)";
    EXPECT_EQ(run(a_, "SELECT CASE WHEN pg_backend_pid() = 0 THEN " + locks + " END"), "");
    EXPECT_EQ(run(a_, "PREPARE p AS SELECT CASE WHEN pg_backend_pid() = 0 THEN " + locks + " END"), "");
    for (int i = 0; i < 10; ++i) EXPECT_EQ(run(a_, "EXECUTE p"), "");  // the plans of the first ones are their own
    EXPECT_EQ(held(a_), 0);
}

// lock_timeout is of each wait. So each is given what is left.
TEST_F(PostgreSQLBehaviour, TheTimeOfAStatementIsThatAtWhichItCameInAndTheClockGoesOn) {
    run(b_, "BEGIN");
    const std::string since = "extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000";
    EXPECT_LT(std::stod(run(b_, "SELECT " + since)), 5000);
    EXPECT_GE(std::stod(run(b_, "SELECT CASE WHEN pg_sleep(0.02) IS NOT NULL THEN " + since + " END")), 20);
    run(b_, "ROLLBACK");
    const raw_result prepared{PQprepare(b_.get(), "since", ("SELECT CASE WHEN pg_sleep(0.02) IS NOT NULL THEN " + since + " END").c_str(), 0, nullptr)};
    for (int i = 0; i < 3; ++i) {
        const raw_result answer{PQexecPrepared(b_.get(), "since", 0, nullptr, nullptr, nullptr, 0)};
        EXPECT_GE(std::stod(value(answer)), 20);
        EXPECT_LT(std::stod(value(answer)), 5000);
    }
}

// --- snapshots

TEST_F(PostgreSQLBehaviour, UnderRepeatableReadTheWaitItselfFixesTheSnapshot) {
    run(onlooker_, "CREATE TABLE IF NOT EXISTS stale (n int); TRUNCATE stale");
    run(a_, "SELECT pg_advisory_lock(1)");
    run(b_, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    auto waits = std::async(std::launch::async, [&] { return run(b_, "SELECT pg_advisory_lock(1)"); });
    await_waiter();
    run(a_, "INSERT INTO stale VALUES (1)");
    run(a_, "SELECT pg_advisory_unlock(1)");
    waits.get();
    EXPECT_EQ(run(b_, "SELECT count(*) FROM stale"), "0") << "the new holder reads what was before the old one's work";
}

// --- knowing the session

TEST_F(PostgreSQLBehaviour, TheBackendPidIsTheClientsUnlessAPoolerIsBetween) {
    EXPECT_EQ(run(a_, "SELECT pg_backend_pid()"), std::to_string(PQbackendPID(a_.get())));
    const pgbouncer pooler{server_, pool_mode::session};
    const auto pooled = connect(pooler.conninfo());
    EXPECT_NE(run(pooled, "SELECT pg_backend_pid()"), std::to_string(PQbackendPID(pooled.get())));
}

TEST_F(PostgreSQLBehaviour, BehindASharingPoolerTwoClientsHoldTheSameLock) {
    const pgbouncer pooler{server_, pool_mode::transaction};
    const auto one = connect(pooler.conninfo()), two = connect(pooler.conninfo());
    EXPECT_EQ(run(one, "SELECT pg_try_advisory_lock(1)"), "t");
    EXPECT_EQ(run(two, "SELECT pg_try_advisory_lock(1)"), "t") << "so such a pooler must be refused";
}

TEST_F(PostgreSQLBehaviour, AdvisoryLocksOfAStandbyExcludeNobodyOnThePrimary) {
    postgresql_server standby{postgresql_server::standby_of{server_}};
    const auto there = connect(standby.conninfo());
    EXPECT_EQ(run(there, "SELECT pg_is_in_recovery()"), "t");
    EXPECT_EQ(run(a_, "SELECT pg_try_advisory_lock(1)"), "t");
    EXPECT_EQ(run(there, "SELECT pg_try_advisory_lock(1)"), "t");
}

struct seen_events {
    std::string tags;
    bool destroyed = false;
};

int record(PGEventId id, void* info, void* into) {
    auto& seen = *static_cast<seen_events*>(into);
    if (id == PGEVT_RESULTCREATE) seen.tags.append(PQcmdStatus(static_cast<PGEventResultCreate*>(info)->result)).append(";");
    if (id == PGEVT_CONNDESTROY) seen.destroyed = true;
    return 1;
}

TEST_F(PostgreSQLBehaviour, LibpqTellsOfEveryResultAndOfTheEndOfAConnection) {
    seen_events seen;
    ASSERT_NE(PQregisterEventProc(a_.get(), &record, "test", &seen), 0);
    run(a_, "BEGIN; SELECT 1; SAVEPOINT s; ROLLBACK TO SAVEPOINT s; ROLLBACK");
    EXPECT_EQ(seen.tags, "BEGIN;SELECT 1;SAVEPOINT;ROLLBACK;ROLLBACK;") << "a rollback to a savepoint has the tag of a whole one";
    a_.reset();
    EXPECT_TRUE(seen.destroyed);
}

bool readable(const client& c) {
    pollfd socket{PQsocket(c.get()), POLLIN, 0};
    return ::poll(&socket, 1, 0) > 0;
}

TEST_F(PostgreSQLBehaviour, AnEndComesInTwoStepsAndANotificationIsNone) {
    run(a_, "LISTEN news");
    run(b_, "NOTIFY news");
    while (!readable(a_)) std::this_thread::yield();
    EXPECT_EQ(PQconsumeInput(a_.get()), 1);
    EXPECT_EQ(PQstatus(a_.get()), CONNECTION_OK);
    run(b_, "SELECT pg_terminate_backend(" + std::to_string(PQbackendPID(a_.get())) + ")");
    int consumed = 0;
    for (bool alive = true; alive;) {
        if (!readable(a_)) {
            std::this_thread::yield();
            continue;
        }
        alive = PQconsumeInput(a_.get()) == 1 && PQstatus(a_.get()) == CONNECTION_OK;
        ++consumed;
    }
    EXPECT_GE(consumed, 1);
    EXPECT_EQ(PQstatus(a_.get()), CONNECTION_BAD);
}

TEST_F(PostgreSQLBehaviour, AShutDownSocketFreesTheLocksOfTheSession) {
    run(a_, "BEGIN; SELECT pg_advisory_lock(1); SELECT 1/0");
    ::shutdown(PQsocket(a_.get()), SHUT_RDWR);
    while (held(a_) != 0) std::this_thread::yield();
    EXPECT_EQ(run(b_, "SELECT pg_try_advisory_lock(1)"), "t");
}

TEST_F(PostgreSQLBehaviour, CancelReachesAWaitAndLeavesTheSessionUsable) {
    run(a_, "SELECT pg_advisory_lock(1)");
    ASSERT_EQ(PQsendQuery(b_.get(), "SELECT pg_advisory_lock(1)"), 1);
    await_waiter();
    char why[256];
    PGcancel* const request = PQgetCancel(b_.get());
    EXPECT_EQ(PQcancel(request, why, sizeof why), 1) << why;
    PQfreeCancel(request);
    const raw_result answer{PQgetResult(b_.get())};
    EXPECT_EQ(sqlstate(answer), "57014");
    EXPECT_EQ(PQgetResult(b_.get()), nullptr);
    EXPECT_EQ(run(b_, "SELECT 1"), "1");
}

// --- keys

TEST_F(PostgreSQLBehaviour, TheTwoKeySpacesShowInPgLocks) {
    run(a_, "SELECT pg_advisory_lock(-2), pg_advisory_lock(-7, -8)");
    const std::string where = " FROM pg_locks WHERE locktype = 'advisory' AND pid = " + std::to_string(PQbackendPID(a_.get()));
    EXPECT_EQ(run(onlooker_, "SELECT (classid::int8 << 32) | objid::int8" + where + " AND objsubid = 1"), "-2");
    EXPECT_EQ(run(onlooker_, "SELECT (classid::int8 << 32) | objid::int8" + where + " AND objsubid = 2"),
              std::to_string(static_cast<std::int64_t>(0xFFFFFFF9FFFFFFF8)));
    EXPECT_EQ(run(a_, "SELECT (-25769803784::int8 >> 32)::int4 || ' ' || ((-25769803784::int8 << 32) >> 32)::int4"), "-7 -8");
}

}  // namespace
}  // namespace dlock::testing
