// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Several names at once on MariaDB and MySQL, beyond the conformance suite: whatever ends a wait in the middle of the set, the
// server says that nothing of it is held. Most of it on MariaDB: the MySQL that is to be had keeps one lock per session.
#include <dlock/mysql/multi_lock.hpp>

#include <atomic>
#include <cctype>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <dlock/soci/pooled_session.hpp>

#include "tests/mysql/client.hpp"
#include "tests/mysql/fixture.hpp"
#include "tests/mysql/middleman.hpp"
#include "tests/mysql/without_memory.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using mysql::hashed_multi_lock;
using mysql::lock;
using mysql::multi_lock;
using clock = std::chrono::steady_clock;

class MultiLock : public NamedLock {
protected:
    /// Which of the names somebody holds, each with a letter: those that the session has in upper case.
    std::string state(soci::session& who, const std::string& names = "hijkl") {
        const auto id = std::to_string(id_of(who));
        std::string shown;
        for (const char name : names) {
            const auto holder = onlooker_.holder_of(std::string(1, name));
            if (holder != "NULL") shown += holder == id ? static_cast<char>(name - 'a' + 'A') : name;
        }
        return shown;
    }
};
INSTANTIATE_ON_BOTH_SERVERS(MultiLock);

class MariaDBMultiLock : public MultiLock {};
INSTANTIATE_TEST_SUITE_P(, MariaDBMultiLock, ::testing::Values(mariadb), [](const auto&) { return "10"; });

class MySQL56MultiLock : public MultiLock {
    void SetUp() override { NEEDS(GetParam().traits.one_lock_per_session); }
};
INSTANTIATE_TEST_SUITE_P(, MySQL56MultiLock, ::testing::Values(genuine_mysql), [](const auto&) { return "6"; });

// --- names

TEST_P(MultiLock, OfOneNameIsALock) {
    session a{url()}, b{url()};
    multi_lock mine{a, {"k", "k"}};
    lock theirs{b, "k"};
    {
        const std::scoped_lock held{mine};
        EXPECT_TRUE(holds(a));
        EXPECT_FALSE(theirs.try_lock());
        EXPECT_EQ(mine.holders().size(), 1U);
    }
    EXPECT_TRUE(is_free());
    theirs.lock();
    EXPECT_FALSE(mine.try_lock());
    EXPECT_FALSE(mine.try_lock_for(20ms));
    EXPECT_FALSE(mine.try_lock_for(1020ms)) << "more than a second, in which MySQL waits";
    EXPECT_TRUE(holds(b));
    theirs.unlock();
    EXPECT_TRUE(mine.try_lock_for(20ms));
    EXPECT_FALSE(unlock(mine));
}

TEST_P(MultiLock, OfNoNamesOrABadOneIsABadKey) {
    session a{url()};
    EXPECT_EQ(reason_of([&] { multi_lock{a, std::vector<std::string>{}}; }), errc::bad_key);
    EXPECT_EQ(reason_of([&] { multi_lock{a, {"k", ""}}; }), errc::bad_key);
    EXPECT_EQ(reason_of([&] { (void)mysql::named_set::try_acquire(a, {}, mode::exclusive); }), errc::bad_key);
    const mysql::named_set::key_type bad{std::vector<std::string>{"k", std::string("j\0", 2)}};
    EXPECT_EQ(reason_of([&] { (void)mysql::named_set::try_acquire(a, bad, mode::exclusive); }), errc::bad_key);
    EXPECT_EQ(reason_of([&] { (void)mysql::named_set::try_acquire(a, bad, mode::shared); }), errc::unsupported);
}

TEST_P(MySQL56MultiLock, OfSeveralNamesIsRefusedBeforeAnythingIsLocked) {
    session a{url()};  // accepts one lock per session
    multi_lock mine{a, {"j", "k"}};
    EXPECT_EQ(reason_of([&] { mine.lock(); }), errc::unsupported);
    EXPECT_EQ(reason_of([&] { (void)mine.try_lock(); }), errc::unsupported);
    EXPECT_EQ(state(a), "");
    lock one{a, "k"};
    one.lock();
    EXPECT_EQ(reason_of([&] { mine.lock(); }), errc::already_owned);
    EXPECT_TRUE(one.owns_lock());
    EXPECT_TRUE(holds(a));
}

TEST_P(MariaDBMultiLock, EveryNameIsTheNameOfALock) {
    session a{url(" charset=latin1")}, b{url()};
    const std::vector<std::string> names{"user/Anna", "it's", "a\\b\"`%\n", "café É", "中文键", "x "};
    multi_lock all{a, names};
    all.lock();
    for (const auto& name : names) EXPECT_FALSE(lock(b, name).try_lock()) << name;
    EXPECT_TRUE(lock(b, "user/anna").try_lock());
    EXPECT_FALSE(unlock(all));
    for (const auto& name : names) {
        lock one{b, name};
        const std::scoped_lock held{one};
        EXPECT_FALSE(all.try_lock()) << name;
        EXPECT_EQ(all.holders().size(), 1U);
    }
    EXPECT_TRUE(hashed_multi_lock(a, std::vector<std::string>{std::string(1000, 'y'), ""}).try_lock());
}

// --- all or none

TEST_P(MariaDBMultiLock, WhatMeetsABusyNameHoldsNothing) {
    session a{url()}, b{url()};
    multi_lock mine{a, {"l", "k", "j", "i", "h"}}, limited{a, {"l", "k", "j", "i", "h"}, block{}.at_most(5ms)};
    for (const char* busy : {"h", "j", "l"}) {
        lock theirs{b, busy};
        theirs.lock();
        EXPECT_FALSE(mine.try_lock());
        EXPECT_EQ(state(a), busy);
        const auto started = clock::now();
        EXPECT_FALSE(mine.try_lock_for(20ms));
        EXPECT_GE(clock::now() - started, 20ms);
        EXPECT_EQ(reason_of([&] { limited.lock(); }), errc::timed_out);
        EXPECT_EQ(state(a), busy);
        theirs.unlock();
        EXPECT_TRUE(mine.try_lock_for(20ms));
        EXPECT_EQ(state(a), "HIJKL");
        mine.unlock();
        EXPECT_EQ(state(a), "");
    }
}

// Every wait is shorter than the limit, and their sum is longer.
TEST_P(MariaDBMultiLock, TheLimitIsForAllOfThemTogether) {
    session a{url()}, b{url()};
    multi_lock mine{a, {"h", "i", "j", "k", "l"}};
    std::vector<std::unique_ptr<lock>> theirs;
    for (const char* name : {"h", "i", "j", "k", "l"}) theirs.push_back(std::make_unique<lock>(b, name));
    for (auto& one : theirs) one->lock();
    std::atomic<bool> done = false;
    auto waiting = std::async(std::launch::async, [&] {
        const bool got = mine.try_lock_for(200ms);
        done = true;
        return got;
    });
    const auto id = std::to_string(id_of(a));
    std::string in_front;
    for (std::size_t i = 0; i < theirs.size(); ++i) {
        // It waits for this one when it has those in front of it.
        while (!done && (state(a).substr(0, i) != in_front ||
                         onlooker_.ask("SELECT state FROM information_schema.processlist WHERE id=" + id) != "User lock")) {
            std::this_thread::yield();
        }
        if (done) break;
        std::this_thread::sleep_for(70ms);
        theirs[i]->unlock();
        in_front += static_cast<char>('H' + i);
    }
    EXPECT_FALSE(waiting.get()) << "it has waited for at least 350 ms";
    for (const char held : state(a)) EXPECT_TRUE(std::islower(held)) << held;
    for (auto& one : theirs) one->unlock();
}

TEST_P(MariaDBMultiLock, NamesAreLockedInTheirOrderAndNoneBehindTheOneThatIsWaitedFor) {
    session a{url()}, b{url()};
    lock theirs{b, "j"};
    for (const auto& names : {std::vector<std::string>{"l", "k", "j", "i", "h"}, {"i", "h", "l", "j", "k"}}) {
        for (const bool timed : {false, true}) {
            theirs.lock();
            multi_lock mine{a, names};
            auto got = std::async(std::launch::async, [&] { timed ? (void)mine.try_lock_for(1min) : mine.lock(); });
            onlooker_.await_waiter(id_of(a));
            EXPECT_EQ(state(a), "HIj");
            theirs.unlock();
            got.get();
            EXPECT_EQ(state(a), "HIJKL");
        }
    }
}

TEST_P(MariaDBMultiLock, SetsThatOverlapNeverEndInADeadlock) {
    constexpr int rounds = 200;
    std::vector<std::future<int>> work;
    for (int t = 0; t < 3; ++t) {
        work.push_back(std::async(std::launch::async, [&, t] {
            session db{url()};
            multi_lock forth{db, {"p", "q", "r", "s"}}, back{db, {"s", "r", "q", "p"}}, ends{db, {"s", "p"}};
            int done = 0;
            for (int i = 0; i < rounds; ++i) {
                auto& one = (i + t) % 3 == 0 ? forth : (i + t) % 3 == 1 ? back : ends;
                if (i % 2 == 0) {
                    const std::scoped_lock held{one};
                    ++done;
                } else if (const std::unique_lock held{one, 1min}) {
                    ++done;
                }
            }
            return done;
        }));
    }
    for (auto& done : work) EXPECT_EQ(done.get(), rounds);
}

// --- waits that end otherwise

TEST_P(MariaDBMultiLock, TheVictimOfADeadlockHoldsNothingOfItAndKeepsItsOtherLocks) {
    session a{url()}, b{url()};
    lock own{a, "l"}, theirs{b, "j"}, wanted{b, "l"};
    multi_lock mine{a, {"h", "i", "j", "k"}};
    own.lock();
    theirs.lock();
    const auto ends_in_a_deadlock = [](auto call) {
        try {
            call();
            return false;
        } catch (const lock_error& error) {
            EXPECT_EQ(error.reason(), errc::deadlock);
            return true;
        }
    };
    int of_the_set = 0;
    for (int i = 0; i < 20; ++i) {
        const bool timed = i % 2 == 0;
        auto all = std::async(std::launch::async, [&] {
            const bool victim = ends_in_a_deadlock([&] { timed ? (void)mine.try_lock_for(1min) : mine.lock(); });
            if (victim) {
                EXPECT_FALSE(mine.owns_lock());
                EXPECT_EQ(ask(a, "SELECT IS_USED_LOCK('h')") + ask(a, "SELECT IS_USED_LOCK('i')"), "NULLNULL");
                EXPECT_TRUE(own.owns_lock());
                own.unlock();  // lets the other one in
            }
            return victim;
        });
        onlooker_.await_waiter(id_of(a));
        if (ends_in_a_deadlock([&] { wanted.lock(); })) theirs.unlock();
        of_the_set += all.get();
        mine.unlock();
        wanted.unlock();
        if (!own.owns_lock()) own.lock();
        if (!theirs.owns_lock()) theirs.lock();
    }
    EXPECT_GT(of_the_set, 0) << "it was never the victim";
    own.unlock();
    theirs.unlock();
    EXPECT_EQ(state(a), "");
}

TEST_P(MariaDBMultiLock, AStopRequestInTheMiddleLeavesNothing) {
    session a{url()}, b{url()};
    lock theirs{b, "j"};
    multi_lock mine{a, {"h", "i", "j", "k", "l"}};
    theirs.lock();
    for (const bool timed : {false, true}) {
        std::stop_source stop;
        auto waits = std::async(std::launch::async, [&] {
            return reason_of([&] { timed ? (void)mine.try_lock_for(1h, stop.get_token()) : mine.lock(stop.get_token()); });
        });
        onlooker_.await_waiter(id_of(a));
        EXPECT_EQ(state(a), "HIj");
        stop.request_stop();
        EXPECT_EQ(waits.get(), errc::cancelled);
        EXPECT_EQ(state(a), "j");
        EXPECT_EQ(ask(a, "SELECT 7"), "7") << "the session is usable";
    }
    theirs.unlock();
    EXPECT_TRUE(mine.try_lock());
}

TEST_P(MariaDBMultiLock, KillQueryAndMaxStatementTimeInTheMiddleLeaveNothing) {
    session a{url()}, b{url()};
    lock theirs{b, "j"};
    multi_lock mine{a, {"h", "i", "j", "k", "l"}};
    theirs.lock();
    auto waits = std::async(std::launch::async, [&] { return reason_of([&] { mine.lock(); }); });
    onlooker_.await_waiter(id_of(a));
    onlooker_.kill_query(id_of(a));
    EXPECT_EQ(waits.get(), errc::cancelled);
    EXPECT_EQ(state(a), "j");
    a << "SET max_statement_time = 0.02";
    EXPECT_EQ(reason_of([&] { mine.lock(); }), errc::cancelled);
    EXPECT_EQ(reason_of([&] { (void)mine.try_lock_for(1min); }), errc::cancelled);
    a << "SET max_statement_time = 0";
    EXPECT_EQ(state(a), "j");
    theirs.unlock();
}

TEST_P(MariaDBMultiLock, TheEndOfTheConnectionInTheMiddleIsALoss) {
    session a{url()}, b{url()};
    lock theirs{b, "j"};
    multi_lock mine{a, {"h", "i", "j", "k", "l"}};
    theirs.lock();
    auto waits = std::async(std::launch::async, [&] { return reason_of([&] { mine.lock(); }); });
    onlooker_.await_waiter(id_of(a));
    onlooker_.kill(id_of(a));
    EXPECT_EQ(waits.get(), errc::lost);
    EXPECT_EQ(state(a), "j");
    theirs.unlock();
    a.reconnect();
    EXPECT_TRUE(mine.try_lock());
}

/// The answer says that the last name was not to be had, or nothing sensible; whatever it says, what was locked is not held.
TEST_P(MariaDBMultiLock, AnAnswerThatIsNotTrueLeavesNothing) {
    middleman liar{server_};
    session a{liar.url()};
    multi_lock mine{a, {"h", "i", "k"}};
    mine.lock();
    mine.unlock();
    liar.turn_grants_into_null(1);
    EXPECT_EQ(reason_of([&] { mine.lock(); }), errc::cancelled);
    EXPECT_EQ(state(a), "");
    for (const int times : {1, 2}) {
        liar.turn_rows_into_interruptions(times);
        EXPECT_EQ(reason_of([&] { mine.lock(); }), errc::cancelled);
        EXPECT_EQ(state(a), "");
    }
    liar.interrupt_behind_rows(1);
    EXPECT_EQ(reason_of([&] { mine.lock(); }), errc::cancelled);
    EXPECT_EQ(state(a), "");
    mine.lock();
    EXPECT_EQ(state(a), "HIK");
    const auto id = id_of(a);
    liar.turn_rows_into_interruptions(4);  // the release, and three proofs
    EXPECT_EQ(unlock(mine), errc::lost);
    onlooker_.await_end(id);
    EXPECT_EQ(state(a), "");
}

TEST_P(MariaDBMultiLock, AFailureThatThereIsNoMemoryToTellLeavesNothing) {
    middleman liar{server_};
    session a{liar.url()};
    multi_lock mine{a, {"h", "i", "k"}};
    expect_nothing_held_without_memory(a, mine, liar, [&] { return state(a) == ""; });
}

TEST_P(MariaDBMultiLock, AGrantThatWasOnItsWayIsGivenBack) {
    middleman slow{server_};
    session a{slow.url()};
    first_use(a);
    multi_lock mine{a, {"h", "i", "k"}};
    slow.hold_back(true);
    std::stop_source stop;
    auto waits = std::async(std::launch::async, [&] { return reason_of([&] { mine.lock(stop.get_token()); }); });
    await([&] { return state(a) == "HIK"; }, "the server has granted");
    stop.request_stop();
    slow.hold_back(false);
    EXPECT_EQ(waits.get(), errc::cancelled);
    EXPECT_EQ(state(a), "");
}

// --- the session

TEST_P(MariaDBMultiLock, AKeyThatTheSessionHoldsIsAlreadyOwned) {
    session a{url()};
    multi_lock both{a, {"j", "k"}}, overlapping{a, {"k", "l"}};
    lock k{a, "k"}, l{a, "l"};
    k.lock();
    EXPECT_EQ(reason_of([&] { both.lock(); }), errc::already_owned);
    EXPECT_EQ(state(a), "K");
    k.unlock();
    both.lock();
    EXPECT_EQ(reason_of([&] { k.lock(); }), errc::already_owned);
    EXPECT_EQ(reason_of([&] { (void)overlapping.try_lock_for(1s); }), errc::already_owned);
    l.lock();
    EXPECT_EQ(state(a), "JKL");
    EXPECT_FALSE(unlock(both));
    EXPECT_EQ(state(a), "L");
    EXPECT_EQ(reason_of([&] { overlapping.lock(); }), errc::already_owned);
    l.unlock();
    overlapping.lock();
    EXPECT_EQ(state(a), "KL");
}

TEST_P(MariaDBMultiLock, IsLostAsAWhole) {
    session a{url()};
    multi_lock both{a, {"j", "k"}};
    both.lock();
    const auto lost = both.lost();
    EXPECT_FALSE(lost.stop_requested());
    onlooker_.kill(id_of(a));
    await([&] { return lost.stop_requested(); }, "the loss is not told");
    EXPECT_FALSE(both.owns_lock());
    EXPECT_EQ(unlock(both), errc::lost);
    a.reconnect();
    both.lock();
    a.reconnect();
    EXPECT_FALSE(both.owns_lock());
    EXPECT_EQ(unlock(both), errc::lost);
    both.lock();
    const auto silent = both.lost();
    ask(a, "SELECT RELEASE_LOCK('j')");
    EXPECT_EQ(unlock(both), errc::lost) << "the caller has released one himself";
    EXPECT_FALSE(silent.stop_requested());
    EXPECT_EQ(state(a), "");
}

TEST_P(MariaDBMultiLock, WhileRowsAreUnreadTheReleaseWaits) {
    session a{url()};
    multi_lock both{a, {"j", "k"}};
    lock next{a, "l"};
    for (const bool by_another : {false, true}) {
        both.lock();
        ASSERT_EQ(mysql_query(raw(a), "SELECT 1 UNION SELECT 2"), 0);
        MYSQL_RES* const unread = mysql_use_result(raw(a));
        EXPECT_EQ(unlock(both), std::errc::operation_in_progress);
        EXPECT_EQ(state(a), "JK");
        EXPECT_EQ(reason_of([&] { both.lock(); }), errc::already_owned);
        mysql_free_result(unread);
        if (by_another) {
            next.lock();
            EXPECT_EQ(state(a), "L");
            EXPECT_FALSE(both.owns_lock());
            next.unlock();
        } else {
            EXPECT_FALSE(unlock(both));
        }
        EXPECT_EQ(state(a), "");
    }
}

TEST_P(MariaDBMultiLock, APooledSessionGoesBackWithoutIt) {
    soci::connection_pool pool{1};
    pool.at(0).open(url());
    std::unique_ptr<multi_lock> forgotten;
    {
        pooled_session db{pool};
        forgotten = std::make_unique<multi_lock>(db, std::vector<std::string>{"j", "k", "l"});
        forgotten->lock();
        EXPECT_EQ(state(db), "JKL");
    }
    EXPECT_EQ(state(pool.at(0)), "");
    EXPECT_FALSE(forgotten->owns_lock());
    EXPECT_EQ(unlock(*forgotten), errc::lost);
}

TEST_P(MariaDBMultiLock, APoolerThatSharesConnectionsIsRefusedBeforeAnythingIsLocked) {
    middleman pooler{server_};
    pooler.greet_with_own_ids();
    session a{pooler.url()};
    multi_lock both{a, {"j", "k"}};
    EXPECT_EQ(reason_of([&] { both.lock(); }), errc::unsupported);
    EXPECT_EQ(reason_of([&] { (void)both.try_lock_for(1s); }), errc::unsupported);
    EXPECT_EQ(onlooker_.holder_of("j"), "NULL");
    mysql::assume_session_pooling(a);
    both.lock();
    EXPECT_NE(onlooker_.holder_of("j"), "NULL");
    both.unlock();
    EXPECT_EQ(onlooker_.holder_of("j"), "NULL");
}

// --- many

TEST_P(MariaDBMultiLock, AThousandNamesAreOneStatementAndCanBeCancelled) {
    session a{url()}, b{url()};
    std::vector<std::string> names;
    for (int i = 0; i < 1000; ++i) names.push_back("a rather long name of an account/" + std::to_string(100'000 + i));
    multi_lock all{a, names};
    all.lock();
    all.unlock();
    const auto of_a = [&] { return as_number(ask(a, "SELECT variable_value FROM information_schema.session_status WHERE variable_name = 'Questions'")); };
    const auto before = of_a();
    all.lock();
    EXPECT_EQ(onlooker_.holder_of(names.front()), std::to_string(id_of(a)));
    EXPECT_EQ(onlooker_.holder_of(names.back()), std::to_string(id_of(a)));
    EXPECT_FALSE(unlock(all));
    EXPECT_TRUE(all.try_lock_for(1min));
    EXPECT_FALSE(unlock(all));
    EXPECT_EQ(of_a() - before, 4U + 1U) << "a lock and a release twice, and the question itself";
    EXPECT_EQ(onlooker_.holder_of(names[500]), "NULL");

    lock last{b, names.back()};
    last.lock();
    for (const bool timed : {false, true}) {  // the server shows only the beginning of so long a statement
        std::stop_source stop;
        auto waits = std::async(std::launch::async, [&] {
            return reason_of([&] { timed ? (void)all.try_lock_for(1h, stop.get_token()) : all.lock(stop.get_token()); });
        });
        onlooker_.await_waiter(id_of(a));
        stop.request_stop();
        EXPECT_EQ(waits.get(), errc::cancelled);
        EXPECT_EQ(onlooker_.holder_of(names.front()), "NULL");
        EXPECT_EQ(ask(a, "SELECT 7"), "7") << "the session is usable";
    }
}

}  // namespace
}  // namespace dlock::testing
