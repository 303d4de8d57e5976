// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The facts about named locks that are MariaDB's own.
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <mysql.h>
#include <poll.h>

#include "tests/mysql/client.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

class MariaDBBehaviour : public ::testing::Test {
protected:
    void TearDown() override { EXPECT_EQ(onlooker_.holder_of("k"), "NULL") << "the test left the lock"; }

    mariadb_server& server_ = mariadb_server::shared();
    client onlooker_{server_};
    client a_{server_}, b_{server_};
};

// --- timeouts

TEST_F(MariaDBBehaviour, ATimeoutHasFractions) {
    a_.ask("SELECT GET_LOCK('k', 0)");
    for (const auto& [literal, least] : {std::pair{"0.001", 1ms}, {"0.050", 50ms}, {"0.25", 250ms}, {"1.3", 1300ms}}) {
        const auto begin = clock::now();
        EXPECT_EQ(b_.ask("SELECT GET_LOCK('k', " + std::string{literal} + ")"), "0");
        EXPECT_GE(clock::now() - begin, least);
        EXPECT_LT(clock::now() - begin, least + 5s);
    }
    a_.ask("SELECT RELEASE_LOCK('k')");
}

TEST_F(MariaDBBehaviour, ANegativeOrEndlessTimeoutIsNullEvenOnAFreeLock) {
    for (const char* timeout : {"-1", "NULL", "1e30"}) {
        EXPECT_EQ(a_.ask(std::string{"SELECT GET_LOCK('k', "} + timeout + ")"), "NULL") << timeout;
        EXPECT_EQ(onlooker_.holder_of("k"), "NULL");
    }
}

TEST_F(MariaDBBehaviour, AnHourIsATimeout) {
    EXPECT_EQ(a_.ask("SELECT GET_LOCK('k', 3600)"), "1");
    EXPECT_EQ(a_.ask("SELECT RELEASE_LOCK('k')"), "1");
}

TEST_F(MariaDBBehaviour, LockWaitTimeoutDoesNotShortenAWait) {
    a_.ask("SELECT GET_LOCK('k', 0)");
    b_.ask("SET lock_wait_timeout=1, innodb_lock_wait_timeout=1");
    const auto begin = clock::now();
    EXPECT_EQ(b_.ask("SELECT GET_LOCK('k', 1.5)"), "0");
    EXPECT_GE(clock::now() - begin, 1500ms);
    a_.ask("SELECT RELEASE_LOCK('k')");
}

TEST_F(MariaDBBehaviour, MaxStatementTimeEndsAWaitWithNullAndNoError) {
    a_.ask("SELECT GET_LOCK('k', 0)");
    b_.ask("SET max_statement_time=0.02");
    EXPECT_EQ(b_.ask("SELECT GET_LOCK('k', 60)"), "NULL");
    a_.ask("SELECT RELEASE_LOCK('k')");
}

// --- names

TEST_F(MariaDBBehaviour, NamesAreBytes) {
    a_.ask("SELECT GET_LOCK('abc', 0), GET_LOCK('e', 0), GET_LOCK('x ', 0), GET_LOCK('é', 0)");
    for (const char* other : {"'Abc'", "'è'", "'x'", "_latin1 X'e9'", "'É'", "_utf8mb4 X'65cc81'"}) {
        EXPECT_EQ(b_.ask(std::string{"SELECT IS_USED_LOCK("} + other + ")"), "NULL") << other;
    }
    EXPECT_EQ(a_.ask("SELECT RELEASE_ALL_LOCKS()"), "4");
}

TEST_F(MariaDBBehaviour, ANameHas192BytesAtMost) {
    EXPECT_EQ(a_.ask("SELECT GET_LOCK(REPEAT('y', 192), 0)"), "1");
    EXPECT_EQ(a_.ask("SELECT GET_LOCK(REPEAT('y', 193), 0)"), "ERROR 1059");
    EXPECT_EQ(a_.ask("SELECT GET_LOCK(REPEAT('é', 96), 0)"), "1");
    EXPECT_EQ(a_.ask("SELECT GET_LOCK(REPEAT('é', 97), 0)"), "ERROR 1059");
    EXPECT_EQ(a_.ask("SELECT RELEASE_ALL_LOCKS()"), "2");
}

TEST_F(MariaDBBehaviour, ANameEndsAtANul) {
    a_.ask("SELECT GET_LOCK(X'6b0078', 0)");
    EXPECT_EQ(onlooker_.holder_of("k"), std::to_string(a_.id()));
    a_.ask("SELECT RELEASE_LOCK('k')");
}

// --- many locks

TEST_F(MariaDBBehaviour, OneConnectionHoldsManyAndCountsEach) {
    EXPECT_EQ(a_.ask("SELECT GET_LOCK('k', 0)"), "1");
    EXPECT_EQ(a_.ask("SELECT GET_LOCK('k', 0)"), "1");
    EXPECT_EQ(a_.ask("SELECT GET_LOCK('j', 0)"), "1");
    EXPECT_EQ(a_.ask("SELECT RELEASE_LOCK('k')"), "1");
    EXPECT_EQ(onlooker_.holder_of("k"), std::to_string(a_.id()));
    EXPECT_EQ(a_.ask("SELECT RELEASE_ALL_LOCKS()"), "2");
}

TEST_F(MariaDBBehaviour, AnAcquiringStatementLocksOnce) {
    a_.ask("SELECT IF(CONNECTION_ID()=" + std::to_string(a_.id()) + ",GET_LOCK('k',0),-1) granted,CONNECTION_ID() id");
    a_.ask("SELECT GET_LOCK('j',0) granted,CONNECTION_ID() id");
    a_.ask("SELECT IF(CONNECTION_ID()=" + std::to_string(a_.id()) +
           ",ELT(1+GET_LOCK('i',0),0,CAST(UUID_SHORT() AS BINARY)),-1) granted,CONNECTION_ID() id");
    a_.ask("SELECT ELT(1+GET_LOCK('h',0),0,CAST(UUID_SHORT() AS BINARY)) granted,CONNECTION_ID() id");
    EXPECT_EQ(a_.ask("SELECT RELEASE_ALL_LOCKS()"), "4");
}

/// What stands for a lock in a statement for several.
std::string one_of(const std::string& name, const std::string& timeout) {
    return " WHEN GET_LOCK('" + name + "'," + timeout + ") IS NOT TRUE THEN 0";
}

std::string all_of(const std::string& locks) { return "SELECT IF(CASE" + locks + " ELSE 1 END,1,2*SLEEP(0.00002))"; }

TEST_F(MariaDBBehaviour, CaseAsksForLocksOneAfterTheOtherAndStopsAtTheFirstThatIsNotGranted) {
    const auto all = [](const std::string& timeout) {
        return all_of(one_of("h", timeout) + one_of("i", timeout) + one_of("k", timeout) + one_of("l", timeout));
    };
    const auto held = [&] {
        std::string names;
        for (const char* name : {"h", "i", "k", "l"}) {
            if (onlooker_.holder_of(name) == std::to_string(a_.id())) names += name;
        }
        return names;
    };
    EXPECT_EQ(a_.ask(all("0")), "1");
    EXPECT_EQ(a_.ask("SELECT RELEASE_ALL_LOCKS()"), "4") << "each once";
    b_.ask("SELECT GET_LOCK('k', 0)");
    EXPECT_EQ(a_.ask(all("0")), "0");
    EXPECT_EQ(held(), "hi");
    EXPECT_EQ(a_.ask("SELECT RELEASE_ALL_LOCKS()"), "2");
    EXPECT_EQ(a_.ask(all("0.01")), "0");
    EXPECT_EQ(a_.ask("SELECT RELEASE_ALL_LOCKS()"), "2");
    a_.send(all("3600"));
    onlooker_.await_waiter(a_.id());
    EXPECT_EQ(held(), "hi");
    onlooker_.kill_query(a_.id());
    EXPECT_EQ(a_.receive(), "2") << "and without an error";
    EXPECT_EQ(held(), "hi");
    EXPECT_EQ(a_.ask("SELECT RELEASE_ALL_LOCKS()"), "2");
    a_.send(all("3600"));
    onlooker_.await_waiter(a_.id());
    b_.ask("SELECT RELEASE_LOCK('k')");
    EXPECT_EQ(a_.receive(), "1");
    EXPECT_EQ(held(), "hikl");
    EXPECT_EQ(a_.ask("SELECT RELEASE_ALL_LOCKS()"), "4");
}

TEST_F(MariaDBBehaviour, ADeadlockEndsTheListOfLocks) {
    bool seen = false;
    for (int i = 0; i < 20 && !seen; ++i) {
        b_.ask("SELECT GET_LOCK('k', 0)");
        a_.ask("SELECT GET_LOCK('own', 0)");
        onlooker_.ask("SELECT GET_LOCK('l', 0)");
        a_.send(all_of(one_of("j", "3600") + one_of("k", "3600") + one_of("l", "3600")));
        onlooker_.await_waiter(a_.id());
        b_.send("SELECT GET_LOCK('own', 3600)");
        pollfd answers[]{{mysql_get_socket(a_.handle()), POLLIN, 0}, {mysql_get_socket(b_.handle()), POLLIN, 0}};
        ASSERT_GT(::poll(answers, 2, 30'000), 0) << "there is no deadlock";
        seen = answers[0].revents != 0;
        if (seen) {
            EXPECT_EQ(a_.receive(), "ERROR 1213") << "and did not go on to the name behind, where it would wait for an hour";
            EXPECT_EQ(onlooker_.holder_of("j"), std::to_string(a_.id())) << "the victim keeps what it has";
            EXPECT_EQ(a_.ask("SELECT RELEASE_ALL_LOCKS()"), "2");
            EXPECT_EQ(b_.receive(), "1");
        } else {
            EXPECT_EQ(b_.receive(), "ERROR 1213");
            b_.ask("SELECT RELEASE_ALL_LOCKS()");
            onlooker_.ask("SELECT RELEASE_ALL_LOCKS()");
            EXPECT_EQ(a_.receive(), "1");
            a_.ask("SELECT RELEASE_ALL_LOCKS()");
        }
        b_.ask("SELECT RELEASE_ALL_LOCKS()");
        onlooker_.ask("SELECT RELEASE_ALL_LOCKS()");
    }
    EXPECT_TRUE(seen);
}

TEST_F(MariaDBBehaviour, SysdateGoesOnAndNowDoesNot) {
    const std::string since = "TIMESTAMPDIFF(MICROSECOND,NOW(6),SYSDATE(6))";
    EXPECT_LT(a_.number("SELECT " + since), 5'000'000U);
    EXPECT_GE(a_.number("SELECT IF(SLEEP(0.02)=0," + since + ",0)"), 20'000U);
    b_.ask("SELECT GET_LOCK('k', 0)");
    const auto begin = clock::now();
    EXPECT_EQ(a_.ask("SELECT IF(SLEEP(0.1)=0,GET_LOCK('k',LEAST(0.250,GREATEST(0,(0.250-" + since + "/1000000)))),NULL)"), "0");
    EXPECT_GE(clock::now() - begin, 249ms);
    EXPECT_EQ(a_.ask("SELECT LEAST(0.250,GREATEST(0,(0.250-350000/1000000)))"), "0.0000");
    b_.ask("SELECT RELEASE_LOCK('k')");
}

TEST_F(MariaDBBehaviour, AListOfReleasesReleasesAllAndLeavesOutWhatNobodyHolds) {
    a_.ask("SELECT GET_LOCK('h', 0), GET_LOCK('k', 0)");
    b_.ask("SELECT GET_LOCK('j', 0)");
    EXPECT_EQ(a_.ask("SELECT CONCAT_WS('',RELEASE_LOCK('h'),RELEASE_LOCK('i'),RELEASE_LOCK('j'),RELEASE_LOCK('k'))"), "101");
    EXPECT_EQ(onlooker_.holder_of("h"), "NULL");
    b_.ask("SELECT RELEASE_LOCK('j')");
}

TEST_F(MariaDBBehaviour, ShowsTheFirst65535BytesOfAStatement) {
    const std::string statement = "SELECT SLEEP(3600), '" + std::string(100'000, 'y') + "'";
    a_.send(statement);
    const auto shown = [&] { return onlooker_.ask("SELECT info FROM information_schema.processlist WHERE id=" + std::to_string(a_.id())); };
    await([&] { return shown().starts_with("SELECT SLEEP"); }, "the statement is executed");
    EXPECT_EQ(shown(), statement.substr(0, 65'535));
    onlooker_.kill_query(a_.id());
    (void)a_.receive();
}

TEST_F(MariaDBBehaviour, ADeadlockIsAnErrorAtOnceAndItsVictimKeepsItsLocksAndItsTransaction) {
    onlooker_.ask("CREATE TABLE IF NOT EXISTS test.t (x INTEGER PRIMARY KEY) ENGINE=InnoDB");
    for (auto* c : {&a_, &b_}) {
        c->ask("START TRANSACTION");
        c->ask("INSERT INTO test.t VALUES (" + std::to_string(c->id()) + ")");
    }
    a_.ask("SELECT GET_LOCK('k', 0)");
    b_.ask("SELECT GET_LOCK('j', 0)");
    a_.send("SELECT GET_LOCK('j', 60)");
    onlooker_.await_waiter(a_.id());
    b_.send("SELECT GET_LOCK('k', 60)");
    // Either may be the victim, also the one that came first. The other one waits on: the victim still holds.
    await(
        [&] {
            return onlooker_.ask("SELECT COUNT(*) FROM information_schema.processlist WHERE state='User lock'") == "1";
        },
        "the server finds the deadlock");
    const bool a_waits = onlooker_.ask("SELECT id FROM information_schema.processlist WHERE state='User lock'") ==
                         std::to_string(a_.id());
    auto& victim = a_waits ? b_ : a_;
    auto& winner = a_waits ? a_ : b_;
    EXPECT_EQ(victim.receive(), "ERROR 1213");
    EXPECT_EQ(onlooker_.holder_of(a_waits ? "j" : "k"), std::to_string(victim.id()));
    EXPECT_EQ(victim.ask("COMMIT"), "");
    EXPECT_EQ(onlooker_.ask("SELECT COUNT(*) FROM test.t WHERE x=" + std::to_string(victim.id())), "1");
    EXPECT_EQ(victim.ask("SELECT RELEASE_ALL_LOCKS()"), "1");
    EXPECT_EQ(winner.receive(), "1");
    EXPECT_EQ(winner.ask("SELECT RELEASE_ALL_LOCKS()"), "2");
    winner.ask("ROLLBACK");
}

// --- the thread pool: a statement that waits occupies a thread of it

/// The holder lets go behind so many waiters, each of which lets go in its turn. How many got it.
int granted_in_turn(const mariadb_server& server, int waiters, const std::string& seconds) {
    client holder{server};
    EXPECT_EQ(holder.ask("SELECT GET_LOCK('k',0)"), "1");
    std::vector<std::unique_ptr<client>> all;
    for (int i = 0; i < waiters; ++i) all.push_back(std::make_unique<client>(server));
    for (const auto& one : all) one->send("SELECT IF(GET_LOCK('k'," + seconds + "),RELEASE_LOCK('k'),0)");
    EXPECT_EQ(holder.ask("SELECT RELEASE_LOCK('k')"), "1");
    int granted = 0;
    for (const auto& one : all) granted += one->receive() == "1" ? 1 : 0;
    return granted;
}

TEST(MariaDBThreadPool, MakesThreadsForWaitersSoAReleaseGetsThrough) {
    const mariadb_server server{{.settings = {"thread_handling=pool-of-threads", "thread_pool_size=1"}}};
    EXPECT_EQ(granted_in_turn(server, 40, "60"), 40);
}

TEST(MariaDBThreadPool, ThatHasNoThreadLeftKeepsTheReleaseUntilAWaiterGivesUp) {
    const mariadb_server server{{.settings = {"thread_handling=pool-of-threads", "thread_pool_size=1", "thread_pool_max_threads=4"}}};
    EXPECT_LT(granted_in_turn(server, 10, "2"), 10);
}

TEST_F(MariaDBBehaviour, ResettingTheConnectionFreesThem) {
    a_.ask("SELECT GET_LOCK('k', 0)");
    ASSERT_EQ(mysql_reset_connection(a_.handle()), 0);
    EXPECT_EQ(onlooker_.holder_of("k"), "NULL");
}

}  // namespace
}  // namespace dlock::testing
