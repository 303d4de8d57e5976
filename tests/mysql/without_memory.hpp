// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Attempts that fail while the program is out of memory.
#pragma once

#include <new>

#include <gtest/gtest.h>

#include "tests/mysql/fixture.hpp"
#include "tests/mysql/middleman.hpp"
#include "tests/support/allocations.hpp"
#include "tests/support/expect.hpp"

namespace dlock::testing {

/// The server grants, and the client reads of an interruption: whichever allocation fails then, nothing is held.
/// \param holds_nothing  as the server knows
template <class Lock, class Question>
void expect_nothing_held_without_memory(session& on, Lock& lock, middleman& liar, Question holds_nothing) {
    for (long nth = 1;; ++nth) {
        first_use(on);
        liar.turn_rows_into_interruptions(1);
        fail_allocation(nth);
        bool failed = false;
        try {
            lock.lock();
        } catch (const std::bad_alloc&) {
            failed = true;
        } catch (const lock_error& error) {
            fail_allocation(0);
            failed = error.reason() == errc::lost;  // no memory for the proof: the session was ended, and that is said
            EXPECT_TRUE(failed || error.reason() == errc::cancelled) << error.what();
        }
        fail_allocation(0);
        liar.turn_rows_into_interruptions(0);
        await(holds_nothing, "it is held, and nobody knows");
        EXPECT_FALSE(lock.owns_lock());
        if (!failed) {
            EXPECT_GT(nth, 1) << "nothing was allocated";
            return;
        }
        if (::testing::Test::HasFailure()) return;
        on.reconnect();  // where the session was ended
        mysql::accept_one_lock_per_session(on);
    }
}

}  // namespace dlock::testing
