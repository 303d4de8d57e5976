// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The facts about named locks that are genuine MySQL 5.6's own.
#include <chrono>
#include <string>

#include <gtest/gtest.h>
#include <mysql.h>

#include "tests/mysql/client.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

class MySQL56Behaviour : public ::testing::Test {
protected:
    void SetUp() override { NEEDS(server_traits::of_mysql().one_lock_per_session); }
    void TearDown() override { EXPECT_EQ(onlooker_.holder_of("k"), "NULL") << "the test left the lock"; }

    mysql_server& server_ = mysql_server::shared();
    client onlooker_{server_};
    client a_{server_}, b_{server_};
};

TEST_F(MySQL56Behaviour, SaysWhatItIs) {
    EXPECT_EQ(mysql_get_server_version(a_.handle()) / 100, 506U);
    EXPECT_FALSE(mariadb_connection(a_.handle()));
}

TEST_F(MySQL56Behaviour, ASecondLockSilentlyFreesTheFirst) {
    a_.ask("SELECT GET_LOCK('k', 0)");
    EXPECT_EQ(a_.ask("SELECT GET_LOCK('j', 0)"), "1");
    EXPECT_EQ(onlooker_.holder_of("k"), "NULL");
    EXPECT_EQ(b_.ask("SELECT GET_LOCK('k', 0)"), "1");
    EXPECT_EQ(a_.ask("SELECT GET_LOCK('k', 0)"), "0");
    EXPECT_EQ(onlooker_.holder_of("j"), "NULL") << "even one that is not granted";
    b_.ask("SELECT RELEASE_LOCK('k')");
}

TEST_F(MySQL56Behaviour, CaseAsksForLocksOneAfterTheOtherAndStopsAtTheFirstThatIsNotGranted) {
    const std::string both = "SELECT IF(CASE WHEN GET_LOCK('k',0) IS NOT TRUE THEN 0 WHEN GET_LOCK('j',0) IS NOT TRUE THEN 0 ELSE 1 END,1,2*SLEEP(0.00002))";
    EXPECT_EQ(a_.ask(both), "1");
    EXPECT_EQ(onlooker_.holder_of("j"), std::to_string(a_.id())) << "the last one, for which this server frees the first";
    EXPECT_EQ(onlooker_.holder_of("k"), "NULL");
    a_.ask("SELECT RELEASE_LOCK('j')");
    b_.ask("SELECT GET_LOCK('k', 0)");
    EXPECT_EQ(a_.ask(both), "0");
    EXPECT_EQ(onlooker_.holder_of("j"), "NULL");
    b_.ask("SELECT RELEASE_LOCK('k')");
}

TEST_F(MySQL56Behaviour, SysdateGoesOnAndNowDoesNot) {
    EXPECT_GE(a_.number("SELECT IF(SLEEP(0.02)=0,TIMESTAMPDIFF(MICROSECOND,NOW(6),SYSDATE(6)),0)"), 20'000U);
    EXPECT_EQ(a_.ask("SELECT LEAST(5,GREATEST(0,FLOOR(5-1500000/1000000)))"), "3");
    EXPECT_EQ(a_.ask("SELECT LEAST(5,GREATEST(0,FLOOR(5-6500000/1000000)))"), "0");
}

TEST_F(MySQL56Behaviour, TheSameLockTwiceIsHeldOnce) {
    a_.ask("SELECT GET_LOCK('k', 0)");
    EXPECT_EQ(a_.ask("SELECT GET_LOCK('k', 0)"), "1");
    EXPECT_EQ(a_.ask("SELECT RELEASE_LOCK('k')"), "1");
    EXPECT_EQ(a_.ask("SELECT RELEASE_LOCK('k')"), "NULL");
}

TEST_F(MySQL56Behaviour, NamesAreFolded) {
    const auto same = [this](const char* x, const char* y) {
        a_.ask(std::string{"SELECT GET_LOCK("} + x + ", 0)");
        const auto by = onlooker_.ask(std::string{"SELECT IS_USED_LOCK("} + y + ")");
        a_.ask(std::string{"SELECT RELEASE_LOCK("} + x + ")");
        return by == std::to_string(a_.id());
    };
    EXPECT_TRUE(same("'abc'", "'aBC'"));
    EXPECT_TRUE(same("'é'", "'É'"));
    EXPECT_TRUE(same("'é'", "'è'")) << "an accent does not count";
    EXPECT_FALSE(same("'e'", "'é'")) << "unless the bytes are of another number";
    EXPECT_FALSE(same("'x'", "'x '"));
    EXPECT_FALSE(same("'k'", "X'6b0078'"));
    EXPECT_TRUE(same("'k'", "_latin1'k'"));
}

TEST_F(MySQL56Behaviour, ANameMayBeLong) {
    EXPECT_EQ(a_.ask("SELECT GET_LOCK(REPEAT('y', 300), 0)"), "1");
    a_.ask("SELECT RELEASE_LOCK(REPEAT('y', 300))");
}

TEST_F(MySQL56Behaviour, ATimeoutIsInWholeSecondsHoweverItIsWritten) {
    a_.ask("SELECT GET_LOCK('k', 0)");
    const auto waited = [this](const char* timeout) {
        const auto begin = clock::now();
        EXPECT_EQ(b_.ask(std::string{"SELECT GET_LOCK('k', "} + timeout + ")"), "0");
        return clock::now() - begin;
    };
    EXPECT_LT(waited("0.25"), 900ms);
    EXPECT_GE(waited("0.5"), 990ms) << "a decimal is rounded";
    EXPECT_LT(waited("0.5e0"), 900ms) << "a double is truncated";
    EXPECT_GE(waited("1"), 990ms);
    EXPECT_GE(waited("2"), 1990ms);
    EXPECT_LT(waited("NULL"), 900ms);
    a_.ask("SELECT RELEASE_LOCK('k')");
}

TEST_F(MySQL56Behaviour, ANegativeTimeoutWaitsForEver) {
    a_.ask("SELECT GET_LOCK('k', 0)");
    b_.send("SELECT GET_LOCK('k', -1)");
    onlooker_.await_waiter(b_.id());
    a_.ask("SELECT RELEASE_LOCK('k')");
    EXPECT_EQ(b_.receive(), "1");
    b_.ask("SELECT RELEASE_LOCK('k')");
}

}  // namespace
}  // namespace dlock::testing
