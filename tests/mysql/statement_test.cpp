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

static_assert(sql::acquire_if(17, "user/001", 250ms).view() ==
              "SELECT IF(CONNECTION_ID()=17,GET_LOCK('user/001',0.250),-1) granted,CONNECTION_ID() id");
static_assert(sql::acquire("user/001", 1h).view() == "SELECT GET_LOCK('user/001',3600) granted,CONNECTION_ID() id");
static_assert(sql::acquire("k", 0ms).view() == "SELECT GET_LOCK('k',0) granted,CONNECTION_ID() id");
static_assert(sql::acquire("k", 1ms).view() == "SELECT GET_LOCK('k',0.001) granted,CONNECTION_ID() id");
static_assert(sql::acquire("k", 20ms).view() == "SELECT GET_LOCK('k',0.020) granted,CONNECTION_ID() id");
static_assert(sql::acquire("k", 12'345ms).view() == "SELECT GET_LOCK('k',12.345) granted,CONNECTION_ID() id");
static_assert(sql::acquire_fenced_if(17, "user/001", 250ms).view() ==
              "SELECT IF(CONNECTION_ID()=17,ELT(1+GET_LOCK('user/001',0.250),0,UUID_SHORT()),0) granted,CONNECTION_ID() id");
static_assert(sql::acquire_fenced("user/001", 1h).view() ==
              "SELECT ELT(1+GET_LOCK('user/001',3600),0,UUID_SHORT()) granted,CONNECTION_ID() id");
static_assert(sql::uptime == "SHOW GLOBAL STATUS LIKE 'Uptime'");
static_assert(sql::release_if(17, "k").view() == "SELECT IF(CONNECTION_ID()=17,RELEASE_LOCK('k'),NULL) released");
static_assert(sql::release("k").view() == "SELECT RELEASE_LOCK('k') released");
static_assert(sql::release_ghost(17, "k").view() ==
              "SELECT IF(CONNECTION_ID()=17 AND IS_USED_LOCK('k')=17,RELEASE_LOCK('k'),0) released");
static_assert(sql::holders("k").view() ==
              "SELECT held.id,p.user,p.host FROM (SELECT IS_USED_LOCK('k') AS id) AS held "
              "LEFT JOIN information_schema.processlist AS p ON p.id=held.id WHERE held.id IS NOT NULL");
static_assert(sql::statement_of(17).view() == "SELECT info FROM information_schema.processlist WHERE id=17");
static_assert(sql::kill_query(std::numeric_limits<unsigned long>::max()).view() == "KILL QUERY 18446744073709551615");

constexpr bool quoted(std::string_view name) { return sql::name{name}.plain(); }
static_assert(quoted("AZaz09 -./:_"));
static_assert(!quoted("it's") && !quoted("a\\b") && !quoted("\"") && !quoted("`") && !quoted("%") && !quoted("é") &&
              !quoted("a\nb"));
static_assert(sql::release("it's").view() == "SELECT RELEASE_LOCK(_utf8mb4 X'69742773') released");
static_assert(sql::release("\xc3\xa9\xff").view() == "SELECT RELEASE_LOCK(_utf8mb4 X'c3a9ff') released");

TEST(Statement, HasRoomForTheLongestName) {
    const std::string longest(192, '%');
    const auto text = sql::release_ghost(std::numeric_limits<unsigned long>::max(), longest);
    EXPECT_TRUE(text.view().ends_with("'),0) released"));
    EXPECT_LT(text.view().size(), 1024U);
}

// --- text, of several names

TEST(SetStatement, AsksForTheLocksFromLeftToRight) {
    const std::vector<std::string> keys{"a", "it's"};
    EXPECT_EQ(sql::acquire_all(0, keys, 1h, false, sql::unit::millisecond).view(),
              "SELECT IF(CASE WHEN GET_LOCK('a',3600) IS NOT TRUE THEN 0"
              " WHEN GET_LOCK(_utf8mb4 X'69742773',3600) IS NOT TRUE THEN 0 ELSE 1 END,1,2*SLEEP(0.00002)) granted,CONNECTION_ID() id");
    EXPECT_EQ(sql::acquire_all(17, keys, 0ms, true, sql::unit::millisecond).view(),
              "SELECT IF(CONNECTION_ID()=17,IF(CASE WHEN GET_LOCK('a',0) IS NOT TRUE THEN 0"
              " WHEN GET_LOCK(_utf8mb4 X'69742773',0) IS NOT TRUE THEN 0 ELSE 1 END,1,2*SLEEP(0.00002)),3) granted,CONNECTION_ID() id");
}

TEST(SetStatement, GivesEachWhatIsLeftOfTheLimit) {
    const std::vector<std::string> keys{"a", "b"};
    EXPECT_EQ(sql::acquire_all(0, keys, 250ms, true, sql::unit::millisecond).view(),
              "SELECT IF(CASE WHEN GET_LOCK('a',0.250) IS NOT TRUE THEN 0"
              " WHEN GET_LOCK('b',LEAST(0.250,GREATEST(0,(0.250-TIMESTAMPDIFF(MICROSECOND,NOW(6),SYSDATE(6))/1000000)))) IS NOT TRUE"
              " THEN 0 ELSE 1 END,1,2*SLEEP(0.00002)) granted,CONNECTION_ID() id");
    EXPECT_EQ(sql::acquire_all(0, keys, 5s, true, sql::unit::second).view(),
              "SELECT IF(CASE WHEN GET_LOCK('a',5) IS NOT TRUE THEN 0"
              " WHEN GET_LOCK('b',LEAST(5,GREATEST(0,FLOOR(5-TIMESTAMPDIFF(MICROSECOND,NOW(6),SYSDATE(6))/1000000)))) IS NOT TRUE"
              " THEN 0 ELSE 1 END,1,2*SLEEP(0.00002)) granted,CONNECTION_ID() id");
}

TEST(SetStatement, CountsWhatItReleases) {
    const std::vector<std::string> keys{"a", "b"};
    EXPECT_EQ(sql::release_all(0, keys).view(),
              "SELECT LENGTH(REPLACE(CONCAT_WS('',RELEASE_LOCK('a'),RELEASE_LOCK('b')),'0','')) released");
    EXPECT_EQ(sql::release_all(17, keys).view(),
              "SELECT IF(CONNECTION_ID()=17,LENGTH(REPLACE(CONCAT_WS('',RELEASE_LOCK('a'),RELEASE_LOCK('b')),'0','')),NULL) released");
    EXPECT_EQ(sql::release_ghosts(17, keys).view(),
              "SELECT IF(CONNECTION_ID()=17,LENGTH(REPLACE(CONCAT_WS('',IF(IS_USED_LOCK('a')=17,RELEASE_LOCK('a'),1),"
              "IF(IS_USED_LOCK('b')=17,RELEASE_LOCK('b'),1)),'0','')),2) released");
    EXPECT_EQ(sql::holders_of_any(keys).view(), "SELECT CONCAT_WS(',',IS_USED_LOCK('a'),IS_USED_LOCK('b')) holders");
    EXPECT_EQ(sql::connections("17,18").view(), "SELECT id,user,host FROM information_schema.processlist WHERE id IN (17,18)");
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
