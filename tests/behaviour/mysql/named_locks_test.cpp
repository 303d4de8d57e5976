// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The facts about named locks that backends/mysql relies on and MariaDB and MySQL share, by the driver alone. When one
// of these turns red after an upgrade, the code that relies on it must change, whatever the other tests say.
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <mysql.h>
#include <poll.h>
#include <sys/socket.h>

#include "tests/mysql/client.hpp"

namespace dlock::testing {
namespace {

class NamedLocks : public ::testing::TestWithParam<kind> {
protected:
    void TearDown() override { EXPECT_EQ(onlooker_.holder_of("k"), "NULL") << "the test left the lock"; }

    mysql_family& server_ = GetParam().server();
    client onlooker_{server_};
    client a_{server_}, b_{server_};
};

INSTANTIATE_TEST_SUITE_P(, NamedLocks, ::testing::Values(mariadb, genuine_mysql),
                         [](const auto& of) { return of.param.traits.name; });

// --- what the functions say

TEST_P(NamedLocks, OneHoldsTheOthersAreTold) {
    EXPECT_EQ(a_.ask("SELECT GET_LOCK('k', 0)"), "1");
    EXPECT_EQ(b_.ask("SELECT GET_LOCK('k', 0)"), "0");
    EXPECT_EQ(onlooker_.holder_of("k"), std::to_string(a_.id()));
    EXPECT_EQ(b_.ask("SELECT RELEASE_LOCK('k')"), "0") << "another session's";
    EXPECT_EQ(a_.ask("SELECT RELEASE_LOCK('k')"), "1");
    EXPECT_EQ(a_.ask("SELECT RELEASE_LOCK('k')"), "NULL") << "nobody's";
}

TEST_P(NamedLocks, AreOnesOfTheServerNotOfADatabase) {
    onlooker_.ask("CREATE DATABASE IF NOT EXISTS elsewhere");
    client c{server_, {.database = "elsewhere"}};
    client d{server_, {.database = "test"}};
    EXPECT_EQ(c.ask("SELECT GET_LOCK('k', 0)"), "1");
    EXPECT_EQ(d.ask("SELECT GET_LOCK('k', 0)"), "0");
    EXPECT_EQ(c.ask("SELECT RELEASE_LOCK('k')"), "1");
}

TEST_P(NamedLocks, TheServerKnowsTheConnectionByTheIdThatTheDriverWasTold) {
    EXPECT_EQ(a_.ask("SELECT CONNECTION_ID()"), std::to_string(a_.id()));
}

TEST_P(NamedLocks, IfEvaluatesOnlyTheBranchItReturnsAndThatOnce) {
    const auto id = std::to_string(a_.id());
    EXPECT_EQ(a_.ask("SELECT IF(CONNECTION_ID()=0,GET_LOCK('k',0),-1)"), "-1");
    EXPECT_EQ(onlooker_.holder_of("k"), "NULL");
    EXPECT_EQ(a_.ask("SELECT IF(CONNECTION_ID()=" + id + ",GET_LOCK('k',0),-1)"), "1");
    EXPECT_EQ(a_.ask("SELECT IF(CONNECTION_ID()=0,RELEASE_LOCK('k'),NULL)"), "NULL");
    EXPECT_EQ(onlooker_.holder_of("k"), id);
    EXPECT_EQ(a_.ask("SELECT IF(CONNECTION_ID()=0 AND IS_USED_LOCK('k')=" + id + ",RELEASE_LOCK('k'),0)"), "0");
    EXPECT_EQ(onlooker_.holder_of("k"), id);
    EXPECT_EQ(a_.ask("SELECT IF(CONNECTION_ID()=" + id + " AND IS_USED_LOCK('k')=" + id + ",RELEASE_LOCK('k'),0)"),
              "1");
    EXPECT_EQ(onlooker_.holder_of("k"), "NULL");
    EXPECT_EQ(a_.ask("SELECT IF(CONNECTION_ID()=" + id + " AND IS_USED_LOCK('k')=" + id + ",RELEASE_LOCK('k'),0)"),
              "0");
}

TEST_P(NamedLocks, AWaiterIsGrantedWhenTheHolderLetsGo) {
    a_.ask("SELECT GET_LOCK('k', 0)");
    b_.send("SELECT GET_LOCK('k', 60)");
    onlooker_.await_waiter(b_.id());
    const auto let_go = std::chrono::steady_clock::now();
    a_.ask("SELECT RELEASE_LOCK('k')");
    EXPECT_EQ(b_.receive(), "1");
    EXPECT_LT(std::chrono::steady_clock::now() - let_go, std::chrono::seconds{10});
    EXPECT_EQ(b_.ask("SELECT RELEASE_LOCK('k')"), "1");
}

TEST_P(NamedLocks, AWaiterIsSeenWithItsStatementWordForWord) {
    a_.ask("SELECT GET_LOCK('k', 0)");
    const std::string sql = "SELECT GET_LOCK('k',60) granted,CONNECTION_ID() id";
    b_.send(sql);
    onlooker_.await_waiter(b_.id());
    EXPECT_EQ(onlooker_.ask("SELECT info FROM information_schema.processlist WHERE id=" + std::to_string(b_.id())),
              sql);
    onlooker_.kill_query(b_.id());
    (void)b_.receive();
    a_.ask("SELECT RELEASE_LOCK('k')");
}

// --- names

TEST_P(NamedLocks, AQuotedNameAndItsBytesAsUtf8mb4AreTheSameLockWhateverTheConnection) {
    for (const char* charset : {"utf8mb4", "latin1", "gbk", "sjis"}) {
        client c{server_, {.charset = charset}};
        EXPECT_EQ(a_.ask("SELECT GET_LOCK('user/001', 0)"), "1");
        EXPECT_EQ(c.ask("SELECT IS_USED_LOCK('user/001')"), std::to_string(a_.id())) << charset;
        EXPECT_EQ(c.ask("SELECT IS_USED_LOCK(_utf8mb4 X'757365722f303031')"), std::to_string(a_.id())) << charset;
        EXPECT_EQ(a_.ask("SELECT GET_LOCK('é', 0), RELEASE_LOCK('user/001')"), "1");
        EXPECT_EQ(c.ask("SELECT IS_USED_LOCK(_utf8mb4 X'c3a9')"), std::to_string(a_.id())) << charset;
        EXPECT_EQ(a_.ask("SELECT RELEASE_LOCK('é')"), "1");
    }
}

TEST_P(NamedLocks, HexadecimalNeedsNoQuotingInAnySqlMode) {
    a_.ask("SELECT GET_LOCK('it''s a \\\\', 0)");
    for (const char* mode : {"", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES,PIPES_AS_CONCAT,IGNORE_SPACE"}) {
        b_.ask(std::string{"SET sql_mode='"} + mode + "'");
        EXPECT_EQ(b_.ask("SELECT IS_USED_LOCK(_utf8mb4 X'697427732061205c')"), std::to_string(a_.id())) << mode;
        EXPECT_EQ(b_.ask("SELECT IF(CONNECTION_ID()=" + std::to_string(b_.id()) +
                         ",GET_LOCK('k',0),-1) granted,CONNECTION_ID() id"),
                  "1");
        EXPECT_EQ(b_.ask("SELECT RELEASE_LOCK('k') released"), "1");
    }
}

TEST_P(NamedLocks, AnIntroducerKeepsANameFromTheConnectionsCharacterSet) {
    for (const char* charset : {"utf16", "ucs2", "utf32"}) {
        EXPECT_EQ(a_.ask("SET character_set_connection=" + std::string{charset}), "");
        for (const char* name : {"_utf8mb4'k'", "_utf8mb4 X'6b'"}) {
            EXPECT_EQ(a_.ask(std::string{"SELECT GET_LOCK("} + name + ",0)"), "1") << charset;
            EXPECT_EQ(onlooker_.holder_of("k"), std::to_string(a_.id())) << charset;
            EXPECT_EQ(a_.ask(std::string{"SELECT RELEASE_LOCK("} + name + ")"), "1") << charset;
        }
    }
}

// --- settings that statements are written against

TEST_P(NamedLocks, LimitOverridesSqlSelectLimit) {
    EXPECT_EQ(a_.ask("SET sql_select_limit=0"), "");
    EXPECT_EQ(a_.ask("SELECT 7"), "(no row)");
    EXPECT_EQ(a_.ask("SELECT 7 LIMIT 1"), "7");
}

TEST_P(NamedLocks, LeastEvaluatesEachOfItsArguments) {
    EXPECT_EQ(a_.ask("SELECT LEAST(1,(@x:=7)>9,(@y:=8)>7,(@z:=9)>9)"), "0");
    EXPECT_EQ(a_.ask("SELECT CONCAT(@x,@y,@z)"), "789");
    EXPECT_EQ(a_.ask("SELECT LEAST(1,1,1,0)"), "0");
    EXPECT_EQ(a_.ask("SELECT LEAST(1,1,1,1)"), "1");
}

TEST_P(NamedLocks, OnlyARepeatableReadIsOlderThanItsStatement) {
    onlooker_.ask("CREATE TABLE IF NOT EXISTS test.rows_ (id INTEGER PRIMARY KEY, x INTEGER) ENGINE=InnoDB");
    for (const auto& [level, seen] : {std::pair{"REPEATABLE READ", "1"}, std::pair{"READ COMMITTED", "2"}, std::pair{"READ UNCOMMITTED", "2"},
                                      std::pair{"SERIALIZABLE", GetParam().traits.changed_row}}) {
        EXPECT_EQ(onlooker_.ask("REPLACE INTO test.rows_ VALUES (1,1),(2,1)"), "");
        EXPECT_EQ(a_.ask(std::string{"SET SESSION TRANSACTION ISOLATION LEVEL "} + level), "");
        EXPECT_EQ(a_.ask("BEGIN"), "");
        EXPECT_EQ(a_.ask("SELECT x FROM test.rows_ WHERE id=1"), "1");
        EXPECT_EQ(b_.ask("UPDATE test.rows_ SET x=2 WHERE id=2"), "");
        EXPECT_EQ(a_.ask("SELECT x FROM test.rows_ WHERE id=2"), seen) << level;
        const bool has_snapshot = level == std::string{"REPEATABLE READ"} || level == std::string{"SERIALIZABLE"};
        if (seen != std::string{"ERROR 1020"}) {  // which has ended the transaction
            EXPECT_EQ(a_.ask("SELECT x FROM test.rows_ WHERE id=2 FOR UPDATE"), has_snapshot ? GetParam().traits.changed_row : "2") << level;
        }
        EXPECT_EQ(a_.ask("ROLLBACK"), "");
    }
}

TEST_P(NamedLocks, AnEmptyNameIsNone) { EXPECT_EQ(a_.ask("SELECT GET_LOCK('', 0)"), GetParam().traits.empty_name); }

// --- transactions

TEST_P(NamedLocks, CareForNoTransaction) {
    onlooker_.ask("CREATE TABLE IF NOT EXISTS test.t (x INTEGER PRIMARY KEY) ENGINE=InnoDB");
    const auto cycle = [this] {
        const auto granted = a_.ask("SELECT GET_LOCK('j', 0)");
        return granted + a_.ask("SELECT RELEASE_LOCK('j')");
    };
    const std::string both = "11";
    for (const char* end : {"COMMIT", "ROLLBACK"}) {
        a_.ask("START TRANSACTION");
        EXPECT_EQ(a_.ask("SELECT GET_LOCK('k', 0)"), "1");
        EXPECT_EQ(a_.ask(end), "");
        EXPECT_EQ(onlooker_.holder_of("k"), std::to_string(a_.id())) << end;
        EXPECT_EQ(a_.ask("SELECT RELEASE_LOCK('k')"), "1");
    }
    a_.ask("START TRANSACTION READ ONLY");
    EXPECT_EQ(cycle(), both);
    a_.ask("ROLLBACK");
    a_.ask("SET autocommit=0");
    a_.ask("INSERT INTO test.t VALUES (1)");
    EXPECT_EQ(a_.ask("INSERT INTO test.t VALUES (1)"), "ERROR 1062");
    EXPECT_EQ(cycle(), both) << "after an error";
    a_.ask("ROLLBACK");
    a_.ask("SET autocommit=1");
    a_.ask("LOCK TABLES test.t READ");
    EXPECT_EQ(cycle(), both) << "under LOCK TABLES";
    a_.ask("UNLOCK TABLES");
    a_.ask("FLUSH TABLES WITH READ LOCK");
    EXPECT_EQ(cycle(), both) << "under a global read lock";
    a_.ask("UNLOCK TABLES");
    a_.ask("XA START 'x'");
    EXPECT_EQ(cycle(), both);
    a_.ask("INSERT INTO test.t VALUES (2)");
    a_.ask("XA END 'x'");
    EXPECT_EQ(cycle(), both) << "in an idle XA transaction";
    EXPECT_EQ(a_.ask("XA PREPARE 'x'"), "");
    EXPECT_EQ(cycle(), both) << "in a prepared one";
    EXPECT_EQ(a_.ask("XA ROLLBACK 'x'"), "");
}

// --- numbers for fencing: UUID_SHORT() is server_id (8 bits), the second of the server's start (32), a counter (24)
// https://dev.mysql.com/doc/refman/8.0/en/miscellaneous-functions.html#function_uuid-short
// https://mariadb.com/kb/en/uuid_short/

/// As backends/mysql/sql.hpp writes it.
const std::string fenced_wait = "SELECT ELT(1+GET_LOCK('k',60),0,CAST(UUID_SHORT() AS BINARY)) granted,CONNECTION_ID() id";

TEST_P(NamedLocks, EltMintsTheNumberAfterTheWait) {
    a_.ask("SELECT GET_LOCK('k', 0)");
    b_.send(fenced_wait);
    onlooker_.await_waiter(b_.id());
    const auto meanwhile = onlooker_.number("SELECT UUID_SHORT()");
    a_.ask("SELECT RELEASE_LOCK('k')");
    EXPECT_GT(as_number(b_.receive()), meanwhile);
    EXPECT_EQ(b_.ask("SELECT RELEASE_LOCK('k')"), "1");

    a_.ask("SELECT GET_LOCK('k', 0)");
    b_.send("SELECT UUID_SHORT(),GET_LOCK('k',60)");  // what a careless list would do
    onlooker_.await_waiter(b_.id());
    const auto later = onlooker_.number("SELECT UUID_SHORT()");
    a_.ask("SELECT RELEASE_LOCK('k')");
    EXPECT_LT(as_number(b_.receive()), later);
    b_.ask("SELECT RELEASE_LOCK('k')");
}

TEST_P(NamedLocks, EltMintsNothingWhenNothingIsGrantedAndKeepsNoFromNull) {
    a_.ask("SELECT GET_LOCK('k', 0)");
    const auto before = onlooker_.number("SELECT UUID_SHORT()");
    EXPECT_EQ(b_.ask("SELECT ELT(1+GET_LOCK('k',0),0,CAST(UUID_SHORT() AS BINARY)) granted,CONNECTION_ID() id"), "0");
    EXPECT_EQ(b_.ask("SELECT IF(CONNECTION_ID()=0,ELT(1+GET_LOCK('j',0),0,CAST(UUID_SHORT() AS BINARY)),-1)"), "-1");
    EXPECT_EQ(onlooker_.holder_of("j"), "NULL");
    b_.send(fenced_wait);
    onlooker_.await_waiter(b_.id());
    onlooker_.kill_query(b_.id());
    EXPECT_EQ(b_.receive(), GetParam().traits.killed_wait);
    EXPECT_EQ(onlooker_.number("SELECT UUID_SHORT()"), before + 1);
    a_.ask("SELECT RELEASE_LOCK('k')");
}

/// "Uptime" counts from the second that the numbers begin with. A server that starts twice within one second gives some
/// of them twice, so none must be used before that second is over.
TEST_P(NamedLocks, TheNumbersIncreaseThroughACrashAndARestartOnceTheSecondOfTheStartIsOver) {
    const auto server = GetParam().start({});
    const auto draw = [&] {
        client c{*server};
        const auto first = c.number("SELECT UUID_SHORT()");
        const auto started = [&] { return c.number("SELECT UNIX_TIMESTAMP()") - as_number(c.status("Uptime")); };
        await([&] { return started() == (first >> 24 & 0xffffffff); }, "the number has the second of the start");
        await([&] { return c.status("Uptime") != "0"; }, "the server is a second old");
        return c.number("SELECT UUID_SHORT()");
    };
    auto last = draw();
    for (int i = 0; i < 3; ++i) {
        if (i == 2) {
            server->stop();
        } else {
            server->kill();
        }
        server->start();
        const auto next = draw();
        EXPECT_GT(next, last);
        last = next;
    }
}

TEST_P(NamedLocks, TheNumbersOfAnyConnectionsAreOneCounter) {
    const auto first = a_.number("SELECT UUID_SHORT()");
    EXPECT_EQ(b_.number("SELECT UUID_SHORT()"), first + 1);
    EXPECT_EQ(a_.number("SELECT UUID_SHORT()"), first + 2);
}

TEST_P(NamedLocks, TheNumbersOfALargeServerIdNeedAllOf64Bits) {
    const auto server = GetParam().start({.settings = {"server_id=200"}});
    client c{*server};
    const auto number = c.number("SELECT ELT(1+GET_LOCK('k',0),0,CAST(UUID_SHORT() AS BINARY))");
    EXPECT_EQ(number >> 56, 200U);
    EXPECT_GT(c.number("SELECT IF(CONNECTION_ID()=" + std::to_string(c.id()) +
                       ",ELT(1+GET_LOCK('k',0),0,CAST(UUID_SHORT() AS BINARY)),-1)"),
              number);
}

TEST_P(NamedLocks, TheNumbersDoNotCareForTransactions) {
    a_.ask("START TRANSACTION");
    const auto inside = a_.number("SELECT UUID_SHORT()");
    a_.ask("ROLLBACK");
    EXPECT_GT(b_.number("SELECT UUID_SHORT()"), inside);
}

// --- ends of waits and of connections

TEST_P(NamedLocks, KillQueryEndsAWaitAndNotTheSession) {
    a_.ask("SELECT GET_LOCK('k', 0)");
    b_.send("SELECT GET_LOCK('k', 60)");
    onlooker_.await_waiter(b_.id());
    onlooker_.kill_query(b_.id());
    EXPECT_EQ(b_.receive(), GetParam().traits.killed_wait);
    EXPECT_EQ(onlooker_.holder_of("k"), std::to_string(a_.id()));
    EXPECT_EQ(b_.ask("SELECT 7"), "7");
    a_.ask("SELECT RELEASE_LOCK('k')");
}

TEST_P(NamedLocks, KillQueryOfAnIdleConnectionDoesNotHitItsNextStatement) {
    for (int i = 0; i < 100; ++i) {
        onlooker_.kill_query(a_.id());
        EXPECT_EQ(a_.ask("SELECT GET_LOCK('k', 0)"), "1");
        onlooker_.kill_query(a_.id());
        EXPECT_EQ(a_.ask("SELECT RELEASE_LOCK('k')"), "1");
    }
}

TEST_P(NamedLocks, AnIdleConnectionThatIsKilledFreesItsLocksAndItsSocketTells) {
    pollfd socket{mysql_get_socket(a_.handle()), POLLRDHUP, 0};
    a_.ask("SELECT GET_LOCK('k', 0)");
    EXPECT_EQ(::poll(&socket, 1, 0), 0);
    onlooker_.kill(a_.id());
    EXPECT_EQ(::poll(&socket, 1, 30'000), 1);
    EXPECT_EQ(onlooker_.holder_of("k"), "NULL");
    EXPECT_EQ(a_.ask("SELECT 1"), "ERROR 2006");
    EXPECT_EQ(mysql_get_socket(a_.handle()), MARIADB_INVALID_SOCKET);
}

TEST_P(NamedLocks, AWaitingConnectionThatIsKilledIsLost) {
    a_.ask("SELECT GET_LOCK('k', 0)");
    b_.send("SELECT GET_LOCK('k', 60)");
    onlooker_.await_waiter(b_.id());
    onlooker_.kill(b_.id());
    EXPECT_EQ(b_.receive(), "ERROR 2013");
    a_.ask("SELECT RELEASE_LOCK('k')");
}

TEST_P(NamedLocks, AWaiterWhoseSocketIsShutDownLeavesTheQueueAndIsNeverAHolder) {
    a_.ask("SELECT GET_LOCK('k', 0)");
    b_.send("SELECT GET_LOCK('k', 60)");
    onlooker_.await_waiter(b_.id());
    ASSERT_EQ(::shutdown(mysql_get_socket(b_.handle()), SHUT_RDWR), 0);
    a_.ask("SELECT RELEASE_LOCK('k')");
    onlooker_.await_end(b_.id());
    EXPECT_EQ(onlooker_.holder_of("k"), "NULL");
    EXPECT_EQ(b_.receive(), "ERROR 2013") << "the handle is still there, and says so";
}

TEST_P(NamedLocks, ChangingTheUserFreesThem) {
    a_.ask("SELECT GET_LOCK('k', 0)");
    const auto before = a_.id();
    ASSERT_EQ(mysql_change_user(a_.handle(), "root", "", nullptr), 0);
    EXPECT_EQ(onlooker_.holder_of("k"), "NULL");
    EXPECT_EQ(a_.id(), before) << "which nothing on our side tells";
}

// --- the driver

TEST_P(NamedLocks, NoTwoConnectionsAreGreetedWithTheSameBytes) {
    const auto greeting = [](const client& c) { return std::string{c.handle()->scramble_buff, 20}; };
    EXPECT_NE(greeting(a_), greeting(b_));
    EXPECT_EQ(greeting(a_).find('\0'), std::string::npos) << "all twenty of them are random";
}

TEST_P(NamedLocks, TheDriverReconnectsBehindOurBackWhenTold) {
    client c{server_, {.reconnect = true}};
    c.ask("SELECT GET_LOCK('k', 0)");
    static char mark;
    mysql_optionsv(c.handle(), MARIADB_OPT_USERDATA, "mark", static_cast<void*>(&mark));
    const auto before = c.id();
    const std::string greeting{c.handle()->scramble_buff, 20};
    onlooker_.kill(before);
    EXPECT_EQ(c.ask("SELECT RELEASE_LOCK('k')"), "NULL") << "no error";
    EXPECT_NE(c.id(), before);
    EXPECT_NE((std::string{c.handle()->scramble_buff, 20}), greeting);
    void* found = nullptr;
    mysql_get_optionv(c.handle(), MARIADB_OPT_USERDATA, const_cast<char*>("mark"), &found);
    EXPECT_EQ(found, &mark) << "what is kept by the handle stays";
    mysql_get_optionv(a_.handle(), MARIADB_OPT_USERDATA, const_cast<char*>("mark"), &found);
    EXPECT_EQ(found, nullptr);
}

TEST_P(NamedLocks, NothingIsSentWhileTheRowsOfAStatementAreUnread) {
    ASSERT_EQ(mysql_query(a_.handle(), "SELECT 1 UNION SELECT 2"), 0);
    auto* const rows = mysql_use_result(a_.handle());
    EXPECT_EQ(a_.ask("SELECT GET_LOCK('k', 0)"), "ERROR 2014");
    mysql_free_result(rows);
    EXPECT_EQ(onlooker_.holder_of("k"), "NULL");
    EXPECT_EQ(a_.ask("SELECT 1"), "1");
}

}  // namespace
}  // namespace dlock::testing
