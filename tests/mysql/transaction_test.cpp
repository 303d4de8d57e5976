// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What is read under a lock is not older than the lock: where an open transaction may have a snapshot already, nothing is locked.
#include <dlock/mysql.hpp>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <dlock/mysql/lock_manager.hpp>
#include <dlock/mysql/multi_lock.hpp>

#include "tests/mysql/client.hpp"
#include "tests/mysql/fixture.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using mysql::fenced_lock;
using mysql::lock;
using mysql::multi_lock;

class MySQLTransaction : public NamedLock {
protected:
    MySQLTransaction() {
        onlooker_.ask("CREATE TABLE IF NOT EXISTS test.counter (id INTEGER PRIMARY KEY, n INTEGER) ENGINE=InnoDB");
        onlooker_.ask("REPLACE INTO test.counter VALUES (1, 0), (2, 0)");
    }

    /// Two sessions count, each under the lock and in a transaction that was open, and had read, before. What the counter says.
    template <class Lock>
    std::string count_twice(const std::string& prepare, const std::string& begin, const std::function<void(session&)>& also = {}) {
        onlooker_.ask("UPDATE test.counter SET n=0");
        session a{url()}, b{url()};
        for (auto* each : {&a, &b}) {
            ask(*each, prepare);
            EXPECT_EQ(ask(*each, begin), "");
            if (also) also(*each);
            ask(*each, "SELECT n FROM test.counter WHERE id=2");
        }
        for (auto* each : {&a, &b}) {
            Lock mine{*each, "k"};
            mine.lock();
            const auto n = ask(*each, "SELECT n FROM test.counter WHERE id=1");
            const auto counted = n.starts_with("ERROR")
                                     ? n
                                     : ask(*each, "UPDATE test.counter SET n=" + std::to_string(as_number(n) + 1) + " WHERE id=1");
            EXPECT_TRUE(counted.empty() || counted == GetParam().traits.changed_row) << counted;
            EXPECT_EQ(ask(*each, counted.empty() ? "COMMIT" : "ROLLBACK"), "");
        }
        return onlooker_.ask("SELECT n FROM test.counter WHERE id=1");
    }

    template <class Call>
    void expect_refused(Call call) {
        const auto error = error_of(call);
        EXPECT_EQ(error.reason(), errc::unsupported);
        EXPECT_NE(std::string{error.what()}.find("accept_open_snapshot"), std::string::npos) << error.what();
        EXPECT_TRUE(is_free());
    }
};
INSTANTIATE_ON_BOTH_SERVERS(MySQLTransaction);

struct one_of_one : multi_lock {
    one_of_one(soci::session& db, const char* name) : multi_lock{db, {name}} {}
};

TEST_P(MySQLTransaction, NoIncrementUnderALockIsLost) {
    const std::string repeatable = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ";
    expect_refused([&] { count_twice<lock>(repeatable, "START TRANSACTION"); });
    expect_refused([&] { count_twice<fenced_lock>(repeatable, "START TRANSACTION"); });
    expect_refused([&] { count_twice<one_of_one>(repeatable, "START TRANSACTION"); });
    expect_refused([&] { count_twice<lock>(repeatable, "START TRANSACTION WITH CONSISTENT SNAPSHOT"); });
    expect_refused([&] { count_twice<lock>(repeatable, "SET autocommit = 0"); });
    const auto accept = [](session& s) { mysql::accept_open_snapshot(s); };
    EXPECT_EQ(count_twice<lock>(repeatable, "START TRANSACTION", accept), "1") << "or the test shows nothing";
    for (const char* level : {"READ COMMITTED", "READ UNCOMMITTED", "SERIALIZABLE"}) {
        const auto set = std::string{"SET SESSION TRANSACTION ISOLATION LEVEL "} + level;
        const bool second_fails = level == std::string{"SERIALIZABLE"} && GetParam().traits.changed_row != std::string{"2"};
        const auto counted = second_fails ? "1" : "2";  // the server refuses the second increment with an error
        EXPECT_EQ(count_twice<lock>(set, "START TRANSACTION"), counted) << level;
        EXPECT_EQ(count_twice<fenced_lock>(set, "START TRANSACTION"), counted) << level;
        EXPECT_EQ(count_twice<one_of_one>(set, "START TRANSACTION"), counted) << level;
        EXPECT_EQ(count_twice<lock>(set, "SET autocommit = 0"), counted) << level;
    }
}

TEST_P(MySQLTransaction, ThatIsRepeatableReadIsRefusedHoweverTheLockIsAskedFor) {
    for (const bool proven : {false, true}) {
        session a{url()};
        if (proven) first_use(a);
        a << "START TRANSACTION";
        lock plain{a, "k"};
        fenced_lock fenced{a, "k"};
        multi_lock several{a, {"k"}};
        expect_refused([&] { plain.lock(); });
        expect_refused([&] { (void)plain.try_lock(); });
        expect_refused([&] { (void)plain.try_lock_for(1s); });
        expect_refused([&] { fenced.lock(); });
        expect_refused([&] { (void)fenced.try_lock(); });
        expect_refused([&] { several.lock(); });
        expect_refused([&] { (void)several.try_lock_for(1s); });
        EXPECT_EQ(ask(a, "SELECT n FROM test.counter WHERE id=2"), "0") << "the transaction goes on";
        a << "COMMIT";
        EXPECT_TRUE(plain.try_lock()) << "and is over";
    }
}

TEST_P(MySQLTransaction, OfXaIsOne) {
    session a{url()};
    a << "XA START 'x'";
    EXPECT_EQ(ask(a, "SELECT n FROM test.counter WHERE id=2"), "0");
    lock mine{a, "k"};
    expect_refused([&] { mine.lock(); });
    a << "XA END 'x'";
    a << "XA ROLLBACK 'x'";
    EXPECT_TRUE(mine.try_lock());
}

TEST_P(MySQLTransaction, ThatIsNoneMattersNot) {
    session a{url()};
    lock mine{a, "k"};
    a << "SET autocommit = 0";  // no transaction before a statement reads
    EXPECT_TRUE(mine.try_lock());
    EXPECT_EQ(ask(a, "SELECT n FROM test.counter WHERE id=2"), "0");
    EXPECT_TRUE(mine.owns_lock());
    EXPECT_EQ(unlock(mine), std::error_code{}) << "and it is released in any state of one";
    expect_refused([&] { mine.lock(); });
    a << "ROLLBACK";
    mine.lock();
    EXPECT_TRUE(holds(a));
}

TEST_P(MySQLTransaction, WhatTheCallerAcceptsIsGrantedUntilTheSessionReconnects) {
    session a{url()};
    mysql::accept_open_snapshot(a);
    a << "START TRANSACTION";
    lock mine{a, "k"};
    mine.lock();
    EXPECT_TRUE(holds(a));
    mine.unlock();
    a.reconnect();
    mysql::accept_one_lock_per_session(a);
    a << "START TRANSACTION";
    expect_refused([&] { mine.lock(); });
}

TEST_P(MySQLTransaction, CostsTheAcquireNoRoundTrip) {
    session a{url()};
    first_use(a);
    a << "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
    a << "START TRANSACTION";
    const auto questions = [&] {
        return as_number(ask(a, std::string{"SELECT variable_value FROM "} + GetParam().traits.status +
                                    ".session_status WHERE variable_name='Questions'"));
    };
    lock mine{a, "k"};
    const auto before = questions();
    mine.lock();
    mine.unlock();
    EXPECT_EQ(questions() - before, 3U);
}

}  // namespace
}  // namespace dlock::testing
