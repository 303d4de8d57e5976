// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Several names at once on PostgreSQL, beyond the conformance suite: whatever ends a wait in the middle of the set, the server
// says that nothing of it is held.
#include <dlock/postgresql/multi_lock.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <dlock/any_lock.hpp>
#include <dlock/keys/integer_key.hpp>
#include <dlock/keys/integer_pair_key.hpp>
#include <dlock/postgresql.hpp>
#include <dlock/postgresql/set_sql.hpp>

#include "tests/servers/pgbouncer.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/postgresql.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using postgresql::lock;
using postgresql::multi_lock;
using clock = std::chrono::steady_clock;
using by_number = basic_lock<postgresql::advisory_set, each<integer_key>>;
using number_lock = basic_lock<postgresql::advisory, integer_key>;

class MultiLock : public ::testing::Test {
protected:
    void TearDown() override { EXPECT_EQ(granted(onlooker_), 0) << "the test left something locked"; }

    int held_by(soci::session& who) { return granted(onlooker_, pid_of(who)); }
    /// The keys that the server has granted to the session, as it lists them.
    std::string keys_of(soci::session& who) {
        return ask<std::string>(onlooker_, "SELECT coalesce(string_agg(k::text, ',' ORDER BY k), '') FROM (SELECT (classid::int8 << 32) | objid::int8 AS k "
                                           "FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = " +
                                               std::to_string(pid_of(who)) + ") AS held");
    }
    void await_waiter(soci::session& who) {
        const int pid = pid_of(who);
        await([&] { return waiting(onlooker_, pid) == 1; }, "nobody waits");
    }

    postgresql_server& server_ = postgresql_server::shared();
    soci::session onlooker_{server_.url()}, a_{server_.url()}, b_{server_.url()};
};

// --- names

TEST_F(MultiLock, TakesAnyRangeOfNames) {
    const std::vector<std::string> strings{"x", "y"};
    const std::array<std::string_view, 2> views{"y", "x"};
    const std::string x{"x"};
    multi_lock in_braces{a_, {"x", "y"}}, of_two_types{a_, {x, std::string_view{"y"}}}, of_strings{a_, strings}, of_views{a_, views},
        of_a_span{a_, std::span{strings}}, with_a_policy{a_, {"x", "y"}, block{}.at_most(1s)};
    EXPECT_EQ(in_braces.key().size(), 2U);
    for (auto* all : {&in_braces, &of_two_types, &of_strings, &of_views, &of_a_span, &with_a_policy}) {
        EXPECT_EQ(all->key(), in_braces.key());
        const std::scoped_lock held{*all};
        EXPECT_EQ(held_by(a_), 2);
    }
    by_number numbers{a_, {7, -7}};
    numbers.lock();
    EXPECT_EQ(keys_of(a_), "-7,7");
}

TEST_F(MultiLock, SharesItsKeysWithTheLockOfOneName) {
    multi_lock both{a_, {"x", "y"}};
    lock x{b_, "x"}, y{b_, "y"}, z{b_, "z"};
    const std::scoped_lock held{both};
    EXPECT_FALSE(x.try_lock());
    EXPECT_FALSE(y.try_lock());
    EXPECT_TRUE(z.try_lock());
}

TEST_F(MultiLock, ANameThatIsRepeatedIsLockedOnce) {
    multi_lock twice{a_, {"x", "y", "x", "x"}};
    twice.lock();
    EXPECT_EQ(held_by(a_), 2);
    EXPECT_FALSE(unlock(twice));
    EXPECT_EQ(held_by(a_), 0) << "one unlock was not enough";
}

TEST_F(MultiLock, OfNoNamesIsABadKey) {
    EXPECT_EQ(reason_of([&] { multi_lock{a_, std::vector<std::string>{}}; }), errc::bad_key);
    const postgresql::advisory_set::key_type none, mixed{std::vector<postgresql::key>{1, integer_pair{0, 1}}};
    for (const auto& keys : {none, mixed}) {
        EXPECT_EQ(reason_of([&] { postgresql::advisory_set::check(a_, keys); }), errc::bad_key);
        EXPECT_EQ(reason_of([&] { (void)postgresql::advisory_set::try_acquire(a_, keys, mode::exclusive); }), errc::bad_key);
        EXPECT_EQ(reason_of([&] { (void)postgresql::advisory_set::holders(a_, keys); }), errc::bad_key);
    }
}

TEST_F(MultiLock, IsAnAnyLock) {
    auto any = any_lock::of<multi_lock>(a_, std::vector<std::string>{"x", "y"});
    const std::scoped_lock held{any};
    EXPECT_EQ(held_by(a_), 2);
}

// --- all or none

TEST_F(MultiLock, ATryThatMeetsABusyNameHoldsNothing) {
    for (int busy = 1; busy <= 4; ++busy) {
        for (const mode m : {mode::exclusive, mode::shared}) {
            number_lock theirs{b_, busy};
            by_number mine{a_, {4, 3, 2, 1}};
            theirs.lock();
            EXPECT_FALSE(m == mode::exclusive ? mine.try_lock() : mine.try_lock_shared());
            EXPECT_FALSE(mine.owns_lock());
            EXPECT_EQ(keys_of(a_), "");
            theirs.unlock();
            EXPECT_TRUE(m == mode::exclusive ? mine.try_lock() : mine.try_lock_shared());
            EXPECT_EQ(keys_of(a_), "1,2,3,4");
        }
    }
}

TEST_F(MultiLock, AWaitThatTimesOutHoldsNothing) {
    for (int busy = 1; busy <= 4; ++busy) {
        number_lock theirs{b_, busy};
        by_number mine{a_, {4, 3, 2, 1}}, limited{a_, {4, 3, 2, 1}, block{}.at_most(5ms)};
        theirs.lock();
        const auto started = clock::now();
        EXPECT_FALSE(mine.try_lock_for(20ms));
        EXPECT_GE(clock::now() - started, 20ms);
        EXPECT_EQ(reason_of([&] { limited.lock(); }), errc::timed_out);
        EXPECT_EQ(keys_of(a_), "");
        theirs.unlock();
        EXPECT_TRUE(mine.try_lock_for(20ms));
    }
}

// Every wait is shorter than the limit, and their sum is longer.
TEST_F(MultiLock, TheLimitIsForAllOfThemTogether) {
    by_number mine{a_, {1, 2, 3, 4, 5}};
    std::vector<std::unique_ptr<number_lock>> theirs;
    for (int i = 1; i <= 5; ++i) theirs.push_back(std::make_unique<number_lock>(b_, i));
    for (auto& one : theirs) one->lock();
    std::atomic<bool> done = false;
    auto waiting = std::async(std::launch::async, [&] {
        const bool got = mine.try_lock_for(200ms);
        done = true;
        return got;
    });
    for (int i = 1; i <= 5; ++i) {
        const auto waits_for_it = "SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = " + std::to_string(i);
        while (!done && ask<int>(onlooker_, waits_for_it) == 0) std::this_thread::yield();
        if (done) break;
        std::this_thread::sleep_for(70ms);
        theirs[static_cast<std::size_t>(i - 1)]->unlock();
    }
    EXPECT_FALSE(waiting.get()) << "it has waited for at least 350 ms";
    EXPECT_EQ(held_by(a_), 0);
    for (auto& one : theirs) one->unlock();
}

TEST_F(MultiLock, ATimedWaitGoesFromOneHolderToTheNext) {
    by_number mine{a_, {1, 2, 3}};
    number_lock one{b_, 1}, three{b_, 3};
    one.lock();
    three.lock();
    auto got = std::async(std::launch::async, [&] { return mine.try_lock_for(1min); });
    await([&] { return waiting(onlooker_) == 1; }, "nobody waits");
    EXPECT_EQ(keys_of(a_), "") << "the first one first";
    one.unlock();
    await([&] { return keys_of(a_) == "1,2"; }, "nobody waits for the third");
    three.unlock();
    EXPECT_TRUE(got.get());
    EXPECT_EQ(keys_of(a_), "1,2,3");
}

// --- order

TEST_F(MultiLock, KeysAreLockedInTheirOrderWhateverTheOrderOfTheNames) {
    std::vector<std::string> names;
    std::vector<std::int64_t> keys;
    for (int i = 0; i < 21; ++i) {
        names.push_back("account/" + std::to_string(i));
        keys.push_back(hashed_key::key(names.back()));
    }
    std::sort(keys.begin(), keys.end());
    std::string below;
    for (std::size_t i = 0; i < 10; ++i) below += (i == 0 ? "" : ",") + std::to_string(keys[i]);
    number_lock middle{b_, keys[10]};
    for (const bool timed : {false, true}) {
        middle.lock();
        multi_lock all{a_, names};
        auto got = std::async(std::launch::async, [&] { timed ? (void)all.try_lock_for(1min) : all.lock(); });
        await_waiter(a_);
        EXPECT_EQ(keys_of(a_), below) << "those below the one that it waits for, and none above";
        middle.unlock();
        got.get();
        EXPECT_EQ(held_by(a_), 21);
        std::reverse(names.begin(), names.end());
    }
}

TEST_F(MultiLock, SetsThatOverlapNeverEndInADeadlock) {
    constexpr int rounds = 300;
    std::vector<std::future<int>> work;
    for (int t = 0; t < 3; ++t) {
        work.push_back(std::async(std::launch::async, [&, t] {
            soci::session db{server_.url()};
            db << "SET deadlock_timeout = '5ms'";
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

TEST_F(MultiLock, TheVictimOfADeadlockHoldsNothingOfItAndKeepsItsOtherLocks) {
    a_ << "SET deadlock_timeout = '20ms'";
    b_ << "SET deadlock_timeout = '10s'";  // so that a is the victim
    number_lock own{a_, 9}, theirs{b_, 3}, wanted{b_, 9};
    by_number mine{a_, {1, 2, 3, 4}};
    own.lock();
    theirs.lock();
    auto other = std::async(std::launch::async, [&] { wanted.lock(); });
    await_waiter(b_);
    const auto error = error_of([&] { mine.lock(); });
    EXPECT_EQ(error.reason(), errc::deadlock);
    EXPECT_FALSE(mine.owns_lock());
    EXPECT_EQ(keys_of(a_), "9");
    EXPECT_EQ(error_of([&] { (void)mine.try_lock_for(1min); }).reason(), errc::deadlock);
    EXPECT_EQ(keys_of(a_), "9");
    own.unlock();
    other.get();
}

TEST_F(MultiLock, AStopRequestInTheMiddleLeavesNothing) {
    number_lock theirs{b_, 3};
    by_number mine{a_, {1, 2, 3, 4}};
    theirs.lock();
    for (const bool timed : {false, true}) {
        std::stop_source stop;
        auto waits = std::async(std::launch::async, [&] {
            return reason_of([&] { timed ? (void)mine.try_lock_for(1h, stop.get_token()) : mine.lock(stop.get_token()); });
        });
        await_waiter(a_);
        EXPECT_EQ(keys_of(a_), "1,2");
        stop.request_stop();
        EXPECT_EQ(waits.get(), errc::cancelled);
        EXPECT_EQ(keys_of(a_), "");
        EXPECT_EQ(ask<int>(a_, "SELECT 1"), 1) << "the session is usable";
    }
    theirs.unlock();
    EXPECT_TRUE(mine.try_lock());
}

TEST_F(MultiLock, AnAdministratorsCancelAndAStatementTimeoutLeaveNothing) {
    number_lock theirs{b_, 3};
    by_number mine{a_, {1, 2, 3, 4}};
    theirs.lock();
    auto waits = std::async(std::launch::async, [&] { return reason_of([&] { mine.lock(); }); });
    await_waiter(a_);
    onlooker_ << "SELECT pg_cancel_backend(" << pid_of(a_) << ")";
    EXPECT_EQ(waits.get(), errc::cancelled);
    EXPECT_EQ(keys_of(a_), "");
    a_ << "SET statement_timeout = '50ms'";
    EXPECT_EQ(reason_of([&] { (void)mine.try_lock_for(1min); }), errc::cancelled);
    EXPECT_EQ(keys_of(a_), "");
    theirs.unlock();
}

TEST_F(MultiLock, TheEndOfTheBackendInTheMiddleIsALoss) {
    number_lock theirs{b_, 3};
    by_number mine{a_, {1, 2, 3, 4}};
    theirs.lock();
    auto waits = std::async(std::launch::async, [&] { return reason_of([&] { mine.lock(); }); });
    await_waiter(a_);
    const int pid = pid_of(a_);
    onlooker_ << "SELECT pg_terminate_backend(" << pid << ")";
    EXPECT_EQ(waits.get(), errc::lost);
    EXPECT_FALSE(mine.owns_lock());
    await([&] { return granted(onlooker_, pid) == 0; }, "held by nobody's knowledge");
    theirs.unlock();
    a_.reconnect();
    EXPECT_TRUE(mine.try_lock());
}

TEST_F(MultiLock, ALimitOfTheSessionDoesNotShortenTheWait) {
    a_ << "SET lock_timeout = '10ms'";
    number_lock theirs{b_, 3};
    by_number mine{a_, {1, 2, 3, 4}};
    theirs.lock();
    auto got = std::async(std::launch::async, [&] { mine.lock(); });
    // It strikes once, unseen; then the limit is overridden.
    await([&] { return ask<int>(onlooker_, "SELECT count(*)::int FROM pg_stat_activity WHERE wait_event = 'advisory' AND query LIKE '%set_config%'") == 1; },
          "nobody waits without a limit");
    theirs.unlock();
    EXPECT_NO_THROW(got.get());
    EXPECT_EQ(ask<std::string>(a_, "SHOW lock_timeout"), "10ms");
}

TEST_F(MultiLock, AFullLockTableIsExhaustedAndNothingIsHeld) {
    postgresql_server small{{.settings = {"max_locks_per_transaction=10", "max_connections=10"}}};
    soci::session db{small.url()}, onlooker{small.url()};
    std::vector<int> many(20'000);
    for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<int>(i);
    by_number all{db, many};
    EXPECT_EQ(reason_of([&] { all.lock(); }), errc::exhausted);
    EXPECT_EQ(granted(onlooker), 0);
    EXPECT_EQ(reason_of([&] { (void)all.try_lock(); }), errc::exhausted);
    EXPECT_EQ(granted(onlooker), 0);
    EXPECT_EQ(reason_of([&] { (void)all.try_lock_for(1s); }), errc::exhausted);
    EXPECT_EQ(granted(onlooker), 0);
}

// --- the session

TEST_F(MultiLock, AKeyThatTheSessionHoldsIsAlreadyOwned) {
    multi_lock both{a_, {"x", "y"}}, overlapping{a_, {"y", "z"}};
    lock x{a_, "x"}, z{a_, "z"};
    x.lock();
    EXPECT_EQ(reason_of([&] { both.lock(); }), errc::already_owned);
    EXPECT_EQ(reason_of([&] { (void)both.try_lock_shared(); }), errc::already_owned);
    EXPECT_EQ(held_by(a_), 1);
    x.unlock();
    both.lock();
    EXPECT_EQ(reason_of([&] { x.lock(); }), errc::already_owned);
    EXPECT_EQ(reason_of([&] { (void)overlapping.try_lock_for(1s); }), errc::already_owned);
    z.lock();
    EXPECT_EQ(held_by(a_), 3);
    EXPECT_FALSE(unlock(both));
    EXPECT_EQ(reason_of([&] { overlapping.lock(); }), errc::already_owned);
    z.unlock();
    overlapping.lock();
    EXPECT_EQ(held_by(a_), 2);
}

TEST_F(MultiLock, ReadersShareWhatTheirSetsHaveInCommon) {
    multi_lock mine{a_, {"x", "y"}}, theirs{b_, {"y", "z"}};
    const std::shared_lock reading{mine};
    EXPECT_FALSE(theirs.try_lock());
    EXPECT_FALSE(theirs.try_lock_for(5ms));
    EXPECT_EQ(held_by(b_), 0);
    EXPECT_TRUE(theirs.try_lock_shared());
    theirs.unlock();
    EXPECT_TRUE(theirs.try_lock_shared_for(5ms));
}

TEST_F(MultiLock, IsLostAsAWhole) {
    multi_lock both{a_, {"x", "y"}};
    for (const int how : {0, 1, 2}) {
        both.lock();
        const auto lost = both.lost();
        EXPECT_FALSE(lost.stop_requested());
        if (how == 0) a_ << "DISCARD ALL";
        if (how == 1) a_.reconnect();
        if (how == 2) {
            onlooker_ << "SELECT pg_terminate_backend(" << pid_of(a_) << ")";
            await([&] { return lost.stop_requested(); }, "the loss is not told");
        }
        await([&] { return !both.owns_lock(); }, "the loss is not noticed");
        EXPECT_TRUE(lost.stop_requested());
        EXPECT_EQ(both.state(), lock_state::lost);
        EXPECT_EQ(unlock(both), errc::lost);
        if (how == 2) a_.reconnect();
    }
    EXPECT_TRUE(both.try_lock());
    const auto silent = both.lost();
    both.unlock();
    EXPECT_FALSE(silent.stop_requested());
}

TEST_F(MultiLock, WhatTheCallerHasUnlockedHimselfIsReported) {
    postgresql_server own;  // it complains in its log
    soci::session db{own.url()};
    by_number all{db, {1, 2, 3}};
    all.lock();
    db << "SELECT pg_advisory_unlock(2)";
    EXPECT_EQ(unlock(all), errc::lost);
    EXPECT_EQ(granted(db), 0);
}

TEST_F(MultiLock, StatementsThatTheServerForgotArePreparedAnew) {
    multi_lock both{a_, {"x", "y"}};
    for (const char* forget : {"DEALLOCATE ALL", "DO $d$ BEGIN DEALLOCATE ALL; END $d$"}) {
        both.lock();
        execute(raw(a_), forget);
        EXPECT_FALSE(unlock(both));
        execute(raw(a_), forget);
        EXPECT_TRUE(both.try_lock_for(1s));
        EXPECT_FALSE(unlock(both));
        execute(raw(a_), forget);
        EXPECT_TRUE(both.try_lock());
        EXPECT_FALSE(unlock(both));
    }
}

TEST_F(MultiLock, PairsAreAKeySpaceOfTheirOwn) {
    using by_pair = basic_lock<postgresql::advisory_set, each<integer_pair_key>>;
    by_pair pairs{a_, {integer_pair{0, 1}, integer_pair{-1, -2}, integer_pair{2'147'483'647, -2'147'483'647 - 1}}};
    by_number numbers{b_, {1, 2}};
    basic_lock<postgresql::advisory, integer_pair_key> one{b_, integer_pair{-1, -2}};
    const std::scoped_lock held{pairs, numbers};
    EXPECT_EQ(held_by(a_), 3);
    EXPECT_FALSE(one.try_lock());
    EXPECT_EQ(pairs.holders().size(), 1U);
    pairs.unlock();
    EXPECT_EQ(held_by(a_), 0);
    ASSERT_TRUE(one.try_lock());
    EXPECT_FALSE(pairs.try_lock());
    EXPECT_FALSE(pairs.try_lock_for(5ms));
    EXPECT_EQ(held_by(a_), 0);
    one.unlock();
    pairs.lock();
}

// --- transactions

TEST_F(MultiLock, InsideATransactionLeavesItAsItWas) {
    number_lock theirs{b_, 3};
    by_number mine{a_, {1, 2, 3, 4}};
    theirs.lock();
    a_ << "CREATE TEMPORARY TABLE work (n int)";
    soci::transaction work{a_};
    a_ << "SET LOCAL lock_timeout = '9s'";
    a_ << "INSERT INTO work VALUES (1)";
    EXPECT_FALSE(mine.try_lock_for(20ms));
    EXPECT_EQ(keys_of(a_), "");
    EXPECT_FALSE(mine.try_lock());
    EXPECT_EQ(keys_of(a_), "");
    theirs.unlock();
    EXPECT_TRUE(mine.try_lock_for(1s));
    EXPECT_EQ(ask<std::string>(a_, "SHOW lock_timeout"), "9s");
    EXPECT_EQ(ask<int>(a_, "SELECT count(*)::int FROM work"), 1);
    mine.unlock();
    EXPECT_EQ(keys_of(a_), "") << "an unlock does not wait for the commit";
    mine.lock_shared();
    work.commit();
    EXPECT_TRUE(mine.owns_lock());
    EXPECT_EQ(keys_of(a_), "1,2,3,4");
}

TEST_F(MultiLock, OfAThousandNamesInsideATransaction) {
    std::vector<std::string> names;
    for (int i = 0; i < 1000; ++i) names.push_back("a rather long name of an account, number " + std::to_string(i));
    multi_lock all{a_, names};
    lock one{b_, names[500]};
    soci::transaction work{a_};
    ASSERT_TRUE(all.try_lock());
    EXPECT_EQ(held_by(a_), 1000);
    all.unlock();
    one.lock();
    EXPECT_FALSE(all.try_lock());
    EXPECT_FALSE(all.try_lock_for(5ms));
    EXPECT_EQ(held_by(a_), 0);
    one.unlock();
    all.lock();
    EXPECT_EQ(held_by(a_), 1000);
}

TEST_F(MultiLock, InAnAbortedTransactionTheReleaseWaitsForItsEnd) {
    by_number all{a_, {1, 2, 3}};
    number_lock next{a_, 7};
    for (const bool by_another : {false, true}) {
        a_.begin();
        all.lock();
        EXPECT_THROW(a_ << "SELECT 1/0", soci::soci_error);
        EXPECT_EQ(unlock(all), std::errc::operation_in_progress);
        EXPECT_EQ(keys_of(a_), "1,2,3");
        EXPECT_EQ(reason_of([&] { all.lock(); }), errc::already_owned);
        a_.rollback();
        if (by_another) {
            next.lock();
            EXPECT_EQ(keys_of(a_), "7");
            EXPECT_FALSE(all.owns_lock());
            next.unlock();
        } else {
            EXPECT_FALSE(unlock(all));
            EXPECT_EQ(keys_of(a_), "");
        }
    }
    {
        by_number forgotten{a_, {4, 5}};
        a_.begin();
        forgotten.lock();
        EXPECT_THROW(a_ << "SELECT 1/0", soci::soci_error);
    }
    await([&] { return granted(onlooker_) == 0; }, "held by nobody's knowledge");
    EXPECT_THROW(a_ << "SELECT 1", soci::soci_error) << "the session had to end";
    a_.reconnect();
}

TEST_F(MultiLock, AStaleSnapshotIsRefusedBeforeAnythingIsLocked) {
    multi_lock both{a_, {"x", "y"}};
    soci::transaction work{a_};
    a_ << "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE";
    for (const auto& error : {error_of([&] { both.lock(); }), error_of([&] { (void)both.try_lock(); })}) {
        EXPECT_EQ(error.reason(), errc::unsupported);
        EXPECT_NE(std::string{error.what()}.find("READ COMMITTED"), std::string::npos) << error.what();
    }
    EXPECT_EQ(held_by(a_), 0);
}

TEST_F(MultiLock, APoolerThatSharesSessionsIsRefusedBeforeAnythingIsLocked) {
    pgbouncer pooler{server_, pool_mode::transaction};
    soci::session c{pooler.url()};
    multi_lock both{c, {"x", "y"}};
    EXPECT_EQ(reason_of([&] { both.lock(); }), errc::unsupported);
    EXPECT_EQ(reason_of([&] { (void)both.try_lock(); }), errc::unsupported);
    postgresql::assume_session_pooling(c);
    soci::session d{pooler.url()};
    soci::transaction occupies{d};  // the server connection that c was introduced to
    d << "SELECT 1";
    EXPECT_EQ(reason_of([&] { (void)both.try_lock(); }), errc::unsupported);
    EXPECT_EQ(reason_of([&] { (void)both.try_lock_for(1s); }), errc::unsupported);
    EXPECT_EQ(reason_of([&] { both.lock(); }), errc::unsupported);
    EXPECT_EQ(granted(onlooker_), 0);
}

// --- the statements

TEST_F(MultiLock, AStatementThatAnotherBackendExecutesLocksNothing) {
    namespace sql = postgresql::sql;
    using enum mode;
    constexpr auto bigint = postgresql::space::bigint;
    for (const char* text : {sql::try_set_alone.at(exclusive, bigint), sql::acquire_set_alone.at(exclusive, bigint),
                             sql::until_set_alone.at(exclusive, bigint), sql::release_set_alone.at(exclusive, bigint)}) {
        for (const bool ours : {true, false}) {
            const auto pid = std::to_string(pid_of(a_) + (ours ? 0 : 1));
            constexpr Oid as_text = 25;
            const Oid types[]{0, as_text, 0};
            const char* const values[]{"{1,2}", "5", pid.c_str()};
            const raw_result answer{PQexecParams(raw(a_), text, 3, types, values, nullptr, nullptr, 0)};
            ASSERT_EQ(sqlstate(answer), "") << text << PQerrorMessage(raw(a_));
            EXPECT_EQ(PQgetisnull(answer.get(), 0, 0) != 0, !ours) << text;
            EXPECT_EQ(held_by(a_), ours && text != sql::release_set_alone.at(exclusive, bigint) ? 2 : 0) << text;
            if (ours) execute(raw(a_), "SELECT pg_advisory_unlock_all()");
        }
    }
}

TEST_F(MultiLock, AThousandNamesAreOneStatement) {
    postgresql_server own{{.settings = {"log_statement=all"}}};
    soci::session db{own.url()};
    std::vector<std::string> names;
    for (int i = 0; i < 1000; ++i) names.push_back("account/" + std::to_string(i));
    multi_lock all{db, names};
    for (int i = 0; i < 2; ++i) {  // first: what is prepared once
        db << "SELECT 'from here'";
        all.lock();
        EXPECT_EQ(granted(db), 1000);
        all.unlock();
        EXPECT_TRUE(all.try_lock());
        all.unlock();
        EXPECT_TRUE(all.try_lock_for(1s));
        all.unlock();
        EXPECT_EQ(granted(db), 0);
        db << "SELECT 'to here'";
    }
    std::string log;
    await([&] { return (log = own.log()).rfind("to here") != std::string::npos && log.rfind("to here") > log.rfind("from here"); }, "the log is late");
    const auto from = log.rfind("from here");
    log = log.substr(from, log.rfind("to here") - from);
    const auto count = [&](std::string_view what) {
        int found = 0;
        for (auto at = log.find(what); at != log.npos; at = log.find(what, at + 1)) ++found;
        return found;
    };
    EXPECT_EQ(count("execute dlock_2_lock_set"), 1);
    EXPECT_EQ(count("execute dlock_2_try_set"), 1);
    EXPECT_EQ(count("execute dlock_2_until_set"), 1);
    EXPECT_EQ(count("execute dlock_2_release_set"), 3);
    EXPECT_EQ(count("LOG:  execute") + count("LOG:  statement"), 6 + 3) << log;  // three are the test's
}

}  // namespace
}  // namespace dlock::testing
