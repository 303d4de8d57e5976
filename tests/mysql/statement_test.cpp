// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The statements, word for word: a change of one is a change of what was proven about it. And what needs no server: which
// names are refused where, and what the error numbers mean.
#include <dlock/mysql/sql.hpp>

#include <chrono>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <dlock/error.hpp>
#include <dlock/mysql/error.hpp>
#include <dlock/mysql/server.hpp>
#include <dlock/mysql/set_sql.hpp>

#include "tests/support/expect.hpp"

namespace dlock::mysql {
namespace {

using namespace std::chrono_literals;

// --- text

constexpr sql::terms proven{.read_only = "@@read_only"}, unproven{.who = {17}, .read_only = "@@read_only"},
    pooled{.who = {17, 4711}, .read_only = "@@read_only"}, anywhere{};
static_assert(sql::acquire(unproven, "user/001", 250ms).view() ==
              "SELECT IF(CONNECTION_ID()=17,IF(@@read_only,3,GET_LOCK(_utf8mb4'user/001',0.250)+3*@@read_only),2),CONNECTION_ID() LIMIT 1");
static_assert(sql::acquire(pooled, "k", 0ms).view() ==
              "SELECT IF(CONNECTION_ID()=17 AND @dlock_mark=4711,IF(@@read_only,3,GET_LOCK(_utf8mb4'k',0)),2),CONNECTION_ID() LIMIT 1");
static_assert(sql::acquire(proven, "user/001", 1h).view() ==
              "SELECT IF(@@read_only,3,GET_LOCK(_utf8mb4'user/001',3600)+3*@@read_only),CONNECTION_ID() LIMIT 1");
static_assert(sql::acquire(proven, "k", 0ms).view() == "SELECT IF(@@read_only,3,GET_LOCK(_utf8mb4'k',0)),CONNECTION_ID() LIMIT 1");
static_assert(sql::acquire(anywhere, "k", 0ms).view() == "SELECT GET_LOCK(_utf8mb4'k',0),CONNECTION_ID() LIMIT 1");
static_assert(sql::acquire(anywhere, "k", 1ms).view() == "SELECT GET_LOCK(_utf8mb4'k',0.001),CONNECTION_ID() LIMIT 1");
static_assert(sql::acquire(anywhere, "k", 20ms).view() == "SELECT GET_LOCK(_utf8mb4'k',0.020),CONNECTION_ID() LIMIT 1");
static_assert(sql::acquire(anywhere, "k", 12'345ms).view() == "SELECT GET_LOCK(_utf8mb4'k',12.345),CONNECTION_ID() LIMIT 1");
static_assert(sql::acquire_fenced(unproven, "user/001", 250ms).view() ==
              "SELECT IF(CONNECTION_ID()=17,IF(@@read_only,3,ELT(1+GET_LOCK(_utf8mb4'user/001',0.250)+3*@@read_only,0,CAST(UUID_SHORT() AS BINARY),"
              "NULL,3,4)),2),CONNECTION_ID() LIMIT 1");
static_assert(sql::acquire_fenced(proven, "k", 0ms).view() ==
              "SELECT IF(@@read_only,3,ELT(1+GET_LOCK(_utf8mb4'k',0),0,CAST(UUID_SHORT() AS BINARY))),CONNECTION_ID() LIMIT 1");
static_assert(sql::acquire_fenced(anywhere, "user/001", 1h).view() ==
              "SELECT ELT(1+GET_LOCK(_utf8mb4'user/001',3600),0,CAST(UUID_SHORT() AS BINARY)),CONNECTION_ID() LIMIT 1");
static_assert(sql::try_acquire("@@read_only", "k").view() == "SELECT IF(@@read_only,3,GET_LOCK(_utf8mb4'k',0)) LIMIT 1");
static_assert(sql::try_acquire("", "k").view() == "SELECT GET_LOCK(_utf8mb4'k',0) LIMIT 1");
static_assert(server{true, 101119}.read_only() == "@@read_only" && server{true, 120000}.read_only() == "(@@read_only<>_utf8mb4'OFF')");
static_assert(sql::can_fence == "SELECT IFNULL(FROM_UNIXTIME((UUID_SHORT()>>24)&4294967295)<>SYSDATE(),1) LIMIT 1");
static_assert(sql::acquire({.isolation = "@@tx_isolation"}, "k", 250ms).view() ==
              "SELECT IF(@@tx_isolation=_utf8mb4'REPEATABLE-READ',NULL,GET_LOCK(_utf8mb4'k',0.250)),"
              "IF(@@tx_isolation=_utf8mb4'REPEATABLE-READ',0,CONNECTION_ID()) LIMIT 1");
static_assert(sql::acquire({.who = {17}, .isolation = "@@tx_isolation"}, "k", 1h).view() ==
              "SELECT IF(@@tx_isolation=_utf8mb4'REPEATABLE-READ',NULL,IF(CONNECTION_ID()=17,GET_LOCK(_utf8mb4'k',3600),2)),"
              "IF(@@tx_isolation=_utf8mb4'REPEATABLE-READ',0,CONNECTION_ID()) LIMIT 1");
static_assert(sql::acquire_fenced({.who = {17}, .read_only = "@@read_only", .isolation = "@@transaction_isolation"}, "k", 0ms).view() ==
              "SELECT IF(@@transaction_isolation=_utf8mb4'REPEATABLE-READ',NULL,IF(CONNECTION_ID()=17,IF(@@read_only,3,"
              "ELT(1+GET_LOCK(_utf8mb4'k',0),0,CAST(UUID_SHORT() AS BINARY))),2)),"
              "IF(@@transaction_isolation=_utf8mb4'REPEATABLE-READ',0,CONNECTION_ID()) LIMIT 1");
static_assert(sql::prepare_try(17).view() == "PREPARE dlock_3_try_17 FROM 'SELECT IF(@@read_only,3,GET_LOCK(?,0)) a LIMIT 1'");
static_assert(sql::prepare_release(17).view() == "PREPARE dlock_3_release_17 FROM 'SELECT RELEASE_LOCK(?) a LIMIT 1'");
static_assert(sql::execute_try(17, "it's").view() == "EXECUTE dlock_3_try_17 USING X'69742773'");
static_assert(sql::execute_release(17, "1").view() == "EXECUTE dlock_3_release_17 USING X'31'");
static_assert(server{true, 101119}.has_fast_prepared() && !server{true, 120000}.has_fast_prepared() && !server{false, 90000}.has_fast_prepared());
static_assert(sql::release_if({17}, "k").view() == "SELECT IF(CONNECTION_ID()=17,RELEASE_LOCK(_utf8mb4'k'),NULL) LIMIT 1");
static_assert(sql::release_if({17, 4711}, "k").view() ==
              "SELECT IF(CONNECTION_ID()=17 AND @dlock_mark=4711,RELEASE_LOCK(_utf8mb4'k'),NULL) LIMIT 1");
static_assert(sql::release("k").view() == "SELECT RELEASE_LOCK(_utf8mb4'k') LIMIT 1");
static_assert(sql::release_ghost({17}, "k").view() ==
              "SELECT IF(CONNECTION_ID()=17,IF(IS_USED_LOCK(_utf8mb4'k')=17,RELEASE_LOCK(_utf8mb4'k'),0),0) LIMIT 1");
static_assert(sql::release_ghost({17, 4711}, "k").view() ==
              "SELECT IF(CONNECTION_ID()=17 AND @dlock_mark=4711,IF(IS_USED_LOCK(_utf8mb4'k')=17,RELEASE_LOCK(_utf8mb4'k'),0),NULL) LIMIT 1");
static_assert(sql::holders("k").view() ==
              "SELECT held.id,CAST(p.user AS BINARY),CAST(p.host AS BINARY) FROM (SELECT IS_USED_LOCK(_utf8mb4'k') AS id) AS held "
              "LEFT JOIN information_schema.processlist AS p ON p.id=held.id WHERE held.id IS NOT NULL LIMIT 1");
static_assert(sql::holder_id("k").view() == "SELECT IS_USED_LOCK(_utf8mb4'k') LIMIT 1");
static_assert(sql::set_label(17, "night").view() == "SET @dlock_label=IF(CONNECTION_ID()=17,X'6e69676874',CAST(@dlock_label AS BINARY))");
static_assert(sql::set_label(17, "").view() == "SET @dlock_label=IF(CONNECTION_ID()=17,NULL,CAST(@dlock_label AS BINARY))");
static_assert(sql::set_mark(4711).view() == "SET @dlock_mark=IFNULL(@dlock_mark,4711)");
static_assert(sql::connection_id_and_mark == "SELECT CONNECTION_ID(),@dlock_mark LIMIT 1");
static_assert(sql::processes == "SHOW PROCESSLIST");
static_assert(sql::preflight == "SELECT @@global.read_only,@@global.wsrep_on LIMIT 1");
static_assert(sql::preflight_without_galera == "SELECT @@global.read_only LIMIT 1");
static_assert(sql::statement_of(17).view() == "SELECT info FROM information_schema.processlist WHERE id=17 LIMIT 1");
static_assert(sql::kill_query(std::numeric_limits<unsigned long>::max()).view() == "KILL QUERY 18446744073709551615");

constexpr bool quoted(std::string_view name) { return sql::name{name}.plain(); }
static_assert(quoted("AZaz09 -./:_"));
static_assert(!quoted("it's") && !quoted("a\\b") && !quoted("\"") && !quoted("`") && !quoted("%") && !quoted("é") &&
              !quoted("a\nb"));
static_assert(sql::release({"k", true}).view() == "SELECT RELEASE_LOCK(N'k') LIMIT 1");
static_assert(server{true, 101119}.literal("k").national && !server{false, 90000}.literal("k").national);
static_assert(sql::release({"it's", true}).view() == sql::release("it's").view());
static_assert(sql::release("it's").view() == "SELECT RELEASE_LOCK(_utf8mb4 X'69742773') LIMIT 1");
static_assert(sql::release("\xc3\xa9\xff").view() == "SELECT RELEASE_LOCK(_utf8mb4 X'c3a9ff') LIMIT 1");

TEST(Statement, AsksForTheLabelsOfSessions) {
    sql::text text;
    EXPECT_EQ(sql::labels(text, "17,4").view(),
              "SELECT t.processlist_id,NULL,NULL,LEFT(CAST(v.variable_value AS BINARY),200) "
              "FROM performance_schema.user_variables_by_thread AS v JOIN performance_schema.threads AS t ON t.thread_id=v.thread_id "
              "WHERE v.variable_name=_utf8mb4'dlock_label' AND t.processlist_id IN (17,4) LIMIT 1000000");
    EXPECT_LT(sql::set_label(std::numeric_limits<unsigned long>::max(), std::string(200, 'x')).view().size(), sizeof(sql::text) - sizeof(std::size_t));
}

TEST(Statement, HasRoomForTheLongestName) {
    const std::string longest(192, '%');
    const auto text = sql::release_ghost({std::numeric_limits<unsigned long>::max(), std::numeric_limits<std::uint64_t>::max()}, longest);
    EXPECT_TRUE(text.view().ends_with("'),0),NULL) LIMIT 1"));
    EXPECT_LT(text.view().size(), 1024U);
    const auto acquiring = sql::acquire_fenced({.who = {std::numeric_limits<unsigned long>::max(), std::numeric_limits<std::uint64_t>::max()},
                                                .read_only = server{true, 120000}.read_only(),
                                                .isolation = "@@transaction_isolation"},
                                               longest, 1ms);
    EXPECT_TRUE(acquiring.view().ends_with(",0,CONNECTION_ID()) LIMIT 1"));
    EXPECT_LT(acquiring.view().size(), 1024U);
}

// --- text, of several names

TEST(SetStatement, AsksForTheLocksFromLeftToRight) {
    const std::vector<std::string> keys{"a", "it's"};
    EXPECT_EQ(sql::acquire_all({}, {keys}, 1h, false, sql::unit::millisecond).view(),
              "SELECT IF(CASE WHEN GET_LOCK(_utf8mb4'a',3600) IS NOT TRUE THEN 0"
              " WHEN GET_LOCK(_utf8mb4 X'69742773',3600) IS NOT TRUE THEN 0 ELSE 1 END,1,5*SLEEP(0.00002)) granted,CONNECTION_ID() id LIMIT 1");
    EXPECT_EQ(sql::acquire_all({.who = {17}}, {keys}, 0ms, true, sql::unit::millisecond).view(),
              "SELECT IF(CONNECTION_ID()=17,IF(CASE WHEN GET_LOCK(_utf8mb4'a',0) IS NOT TRUE THEN 0"
              " WHEN GET_LOCK(_utf8mb4 X'69742773',0) IS NOT TRUE THEN 0 ELSE 1 END,1,5*SLEEP(0.00002)),2) granted,CONNECTION_ID() id LIMIT 1");
}

TEST(SetStatement, AsksWhetherTheServerIsReadOnlyBeforeAndAfterAWait) {
    const std::vector<std::string> keys{"a"};
    EXPECT_EQ(sql::acquire_all({.read_only = "@@read_only"}, {keys}, 0ms, true, sql::unit::millisecond).view(),
              "SELECT IF(@@read_only,3,IF(CASE WHEN GET_LOCK(_utf8mb4'a',0) IS NOT TRUE THEN 0 ELSE 1 END,1,5*SLEEP(0.00002))) granted,"
              "CONNECTION_ID() id LIMIT 1");
    EXPECT_EQ(sql::acquire_all({.read_only = "@@read_only"}, {keys}, 1ms, true, sql::unit::millisecond).view(),
              "SELECT IF(@@read_only,3,IF(CASE WHEN GET_LOCK(_utf8mb4'a',0.001) IS NOT TRUE THEN 0 ELSE 1 END,1+3*@@read_only,5*SLEEP(0.00002))) "
              "granted,CONNECTION_ID() id LIMIT 1");
}

TEST(SetStatement, GivesEachWhatIsLeftOfTheLimit) {
    const std::vector<std::string> keys{"a", "b"};
    EXPECT_EQ(sql::acquire_all({}, {keys}, 250ms, true, sql::unit::millisecond).view(),
              "SELECT IF(CASE WHEN GET_LOCK(_utf8mb4'a',0.250) IS NOT TRUE THEN 0"
              " WHEN GET_LOCK(_utf8mb4'b',IF(0.000001*TIMESTAMPDIFF(MICROSECOND,NOW(6),SYSDATE(6)) BETWEEN 0 AND 0.250,"
              "(0.250-0.000001*TIMESTAMPDIFF(MICROSECOND,NOW(6),SYSDATE(6))),0)) IS NOT TRUE"
              " THEN 0 ELSE 1 END,1,5*SLEEP(0.00002)) granted,CONNECTION_ID() id LIMIT 1");
    EXPECT_EQ(sql::acquire_all({}, {keys}, 5s, true, sql::unit::second).view(),
              "SELECT IF(CASE WHEN GET_LOCK(_utf8mb4'a',5) IS NOT TRUE THEN 0"
              " WHEN GET_LOCK(_utf8mb4'b',IF(0.000001*TIMESTAMPDIFF(MICROSECOND,NOW(6),SYSDATE(6)) BETWEEN 0 AND 5,"
              "FLOOR(5-0.000001*TIMESTAMPDIFF(MICROSECOND,NOW(6),SYSDATE(6))),0)) IS NOT TRUE"
              " THEN 0 ELSE 1 END,1,5*SLEEP(0.00002)) granted,CONNECTION_ID() id LIMIT 1");
}

TEST(SetStatement, ReleasesEachAndTellsWhetherAllWereHeld) {
    const std::vector<std::string> keys{"a", "b"};
    EXPECT_EQ(sql::release_all({0}, {keys}).view(),
              "SELECT LEAST(1,IFNULL(RELEASE_LOCK(_utf8mb4'a'),0),IFNULL(RELEASE_LOCK(_utf8mb4'b'),0)) released LIMIT 1");
    EXPECT_EQ(sql::release_all({17}, {keys}).view(),
              "SELECT IF(CONNECTION_ID()=17,LEAST(1,IFNULL(RELEASE_LOCK(_utf8mb4'a'),0),IFNULL(RELEASE_LOCK(_utf8mb4'b'),0)),NULL) released LIMIT 1");
    EXPECT_EQ(sql::release_ghosts({17}, {keys}).view(),
              "SELECT IF(CONNECTION_ID()=17,LEAST(1,IF(IS_USED_LOCK(_utf8mb4'a')=17,IFNULL(RELEASE_LOCK(_utf8mb4'a'),0),1),"
              "IF(IS_USED_LOCK(_utf8mb4'b')=17,IFNULL(RELEASE_LOCK(_utf8mb4'b'),0),1)),1) released LIMIT 1");
    EXPECT_EQ(sql::release_all({0}, {keys, true}).view(), "SELECT LEAST(1,IFNULL(RELEASE_LOCK(N'a'),0),IFNULL(RELEASE_LOCK(N'b'),0)) released LIMIT 1");
    EXPECT_EQ(sql::holders_of_any({keys}).view(), "SELECT CONCAT_WS(_utf8mb4',',IS_USED_LOCK(_utf8mb4'a'),IS_USED_LOCK(_utf8mb4'b')) holders LIMIT 1");
    EXPECT_EQ(sql::connections("17,18").view(),
              "SELECT id,CAST(user AS BINARY),CAST(host AS BINARY) FROM information_schema.processlist WHERE id IN (17,18) LIMIT 1000000");
}

TEST(SetStatement, InATransactionLocksNothingThatCouldBeReadStale) {
    const std::vector<std::string> keys{"a"};
    EXPECT_EQ(sql::acquire_all({.who = {17}, .isolation = "@@tx_isolation"}, {keys}, 0ms, true, sql::unit::millisecond).view(),
              "SELECT IF(@@tx_isolation=_utf8mb4'REPEATABLE-READ',NULL,IF(CONNECTION_ID()=17,IF(CASE WHEN GET_LOCK(_utf8mb4'a',0) IS NOT TRUE THEN 0"
              " ELSE 1 END,1,5*SLEEP(0.00002)),2)) granted,IF(@@tx_isolation=_utf8mb4'REPEATABLE-READ',0,CONNECTION_ID()) id LIMIT 1");
}

// --- names

constexpr server mariadb_10_11{.mariadb = true, .version = 101'119};
constexpr server mysql_5_6{.mariadb = false, .version = 50'624};
constexpr server mysql_8_0{.mariadb = false, .version = 80'036};

static_assert(!mariadb_10_11.one_lock_per_session() && !mariadb_10_11.waits_whole_seconds());
static_assert(mysql_5_6.one_lock_per_session() && mysql_5_6.waits_whole_seconds());
static_assert(!mysql_8_0.one_lock_per_session() && mysql_8_0.waits_whole_seconds());
static_assert(server{false, 50'704}.one_lock_per_session() && !server{false, 50'705}.one_lock_per_session());
static_assert(server{true, 50'568}.one_lock_per_session() && !server{true, 100'002}.one_lock_per_session());

std::string refusal(const server& by, const std::string& name) {
    const auto error = testing::error_of([&] { by.check(name); });
    EXPECT_EQ(error.reason(), errc::bad_key);
    return error.what();
}

void expect_refused(const server& by, const std::string& name, const std::string& why) {
    EXPECT_NE(refusal(by, name).find(why), std::string::npos) << refusal(by, name);
}

TEST(Names, WhatEveryServerRefuses) {
    for (const auto& by : {mariadb_10_11, mysql_5_6, mysql_8_0}) {
        expect_refused(by, "", "at least 1 character");
        expect_refused(by, std::string("k\0x", 3), "have no NUL; this one has one, at byte 1");
        EXPECT_NO_THROW(by.check("user/001"));
        EXPECT_NO_THROW(by.check("it's \\ % \" \n"));
        EXPECT_NO_THROW(by.check(std::string(64, 'y')));
    }
}

TEST(Names, OnMariaDBAreUtf8OfAtMost192Bytes) {
    EXPECT_NO_THROW(mariadb_10_11.check("Abc É 中文键 😀"));
    EXPECT_NO_THROW(mariadb_10_11.check(std::string(192, 'y')));
    expect_refused(mariadb_10_11, std::string(193, 'y'), "at most 192 bytes; this one has 193");
    expect_refused(mariadb_10_11, "a\xff", "be UTF-8; this one is not, at byte 1");
}

TEST(Names, OnMySQLAreLowerCaseAsciiOfAtMost64Characters) {
    for (const auto& by : {mysql_5_6, mysql_8_0}) {
        expect_refused(by, "user/Anna",
                       "without upper-case letters, because the server folds them; this one is not, at byte 5");
        expect_refused(by, "caf\xc3\xa9", "be ASCII");
        expect_refused(by, "\xff", "be ASCII");
        expect_refused(by, std::string(65, 'y'), "at most 64 characters; this one has 65: use hashed_name");
    }
}

// --- errors

TEST(Errors, TheSameEventHasTheSameReasonOnBothServers) {
    EXPECT_EQ(reason_of(1213), errc::deadlock);  // MariaDB
    EXPECT_EQ(reason_of(3058), errc::deadlock);  // MySQL
    for (const unsigned interrupted : {1317U, 1969U, 3024U}) EXPECT_EQ(reason_of(interrupted), errc::cancelled);
    for (const unsigned gone : {2006U, 2013U, 2055U, 1927U, 1053U, 4031U}) EXPECT_EQ(reason_of(gone), errc::lost);
    for (const unsigned name : {1059U, 3057U, 4163U}) EXPECT_EQ(reason_of(name), errc::bad_key);
    EXPECT_EQ(reason_of(2014), errc::unsupported);
    EXPECT_EQ(reason_of(1305), errc::unsupported);
    EXPECT_EQ(reason_of(1037), errc::exhausted);
    EXPECT_EQ(reason_of(1064), errc::server_error);
}

}  // namespace
}  // namespace dlock::mysql
