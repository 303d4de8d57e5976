// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Several names at once on SQLite: whatever ends the wait in the middle, no file stays locked.
#include <chrono>
#include <stop_token>

#include <dlock/sqlite.hpp>
#include <dlock/sqlite/multi_lock.hpp>

#include "tests/sqlite/support.hpp"
#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;

class SqliteMultiLock : public SqliteTest {
protected:
    sqlite::session a{locks}, b{locks};
    sqlite::lock theirs{a, "k"};
    sqlite::multi_lock several{b, {"l", "k", "j", "k"}};
};

TEST_F(SqliteMultiLock, AStopRequestInTheMiddleLeavesNothing) {
    theirs.lock();
    for (const bool timed : {false, true}) {
        std::stop_source stop;
        background waiting{[&] {
            return reason_of([&] { timed ? (void)several.try_lock_for(1h, stop.get_token()) : several.lock(stop.get_token()); });
        }};
        waiting.await_naps();
        stop.request_stop();
        EXPECT_EQ(waiting.get(), errc::cancelled);
        EXPECT_EQ(b.held(), 0u);
    }
    theirs.unlock();
    EXPECT_TRUE(several.try_lock());
    EXPECT_EQ(b.held(), 3u);
}

TEST_F(SqliteMultiLock, WhatMeetsABusyNameHoldsNothing) {
    theirs.lock_shared();
    EXPECT_FALSE(several.try_lock());
    EXPECT_FALSE(several.try_lock_for(5ms));
    EXPECT_EQ(b.held(), 0u);
    EXPECT_TRUE(several.try_lock_shared());
    EXPECT_EQ(b.held(), 3u);
}

TEST_F(SqliteMultiLock, AKeyThatTheSessionHoldsIsAlreadyOwned) {
    sqlite::lock own{b, "k"};
    own.lock();
    EXPECT_EQ(reason_of([&] { several.lock(); }), errc::already_owned);
    EXPECT_EQ(b.held(), 1u);
    own.unlock();
    several.lock();
    EXPECT_EQ(reason_of([&] { (void)own.try_lock(); }), errc::already_owned);
}

}  // namespace
}  // namespace dlock::testing
