// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// No memory, at the worst moment: when a lock file is open, and the session is about to remember it.
#include <new>
#include <optional>
#include <string>

#include <dlock/sqlite.hpp>

#include "tests/sqlite/support.hpp"
#include "tests/support/allocations.hpp"
#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

using sqlite::lock_database;
using sqlite::session;

using SqliteMemory = SqliteTest;

TEST_F(SqliteMemory, ThatIsRefusedLeavesNoLockThatNobodyKnows) {
    session a{locks}, b{locks};
    const auto take_and_give_back = [](session& s, const std::string& name) {
        const sqlite::key k{name};
        const auto g = lock_database::try_acquire(s, k, mode::exclusive);
        return g && lock_database::release(s, k, mode::exclusive, *g) == released::yes;
    };
    for (const char* name : {"a", "b", "k"}) EXPECT_TRUE(take_and_give_back(b, name));  // their files are there
    EXPECT_TRUE(take_and_give_back(a, "a"));                                           // and its table of connections

    const sqlite::key measured{"b"}, k{"k"};
    const long before = allocations();
    const auto one = lock_database::try_acquire(a, measured, mode::exclusive);
    const long last = allocations() - before;  // for the entry in the table: the connection is there by then
    ASSERT_TRUE(one);
    ASSERT_GT(last, 1);

    fail_allocation(last);
    EXPECT_THROW((void)lock_database::try_acquire(a, k, mode::exclusive), std::bad_alloc);
    fail_allocation(0);

    const auto grant = lock_database::try_acquire(a, k, mode::exclusive);
    ASSERT_TRUE(grant);
    for (int i = 0; i < 40; ++i) EXPECT_TRUE(take_and_give_back(a, "another " + std::to_string(i)));  // the oldest is closed
    EXPECT_TRUE(lock_database::still_held(a, k, mode::exclusive, *grant));
    EXPECT_EQ(lock_database::release(a, k, mode::exclusive, *grant), released::yes);
    EXPECT_TRUE(take_and_give_back(b, "k")) << "held, and nobody knows by whom";
    EXPECT_EQ(lock_database::release(a, measured, mode::exclusive, *one), released::yes);
}

}  // namespace
}  // namespace dlock::testing
