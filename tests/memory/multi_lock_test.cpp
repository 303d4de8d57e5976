// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Several names at once on memory::server, which tells who waits and how many locks there are.
#include <dlock/memory/multi_lock.hpp>

#include <future>
#include <stop_token>

#include <gtest/gtest.h>

#include <dlock/memory.hpp>

#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

using memory::multi_lock;

class MemoryMultiLock : public ::testing::Test {
protected:
    memory::server server_;
    memory::session a_{server_}, b_{server_};
    memory::lock theirs_{b_, "b"};
    multi_lock mine_{a_, {"c", "b", "a", "b"}};
};

TEST_F(MemoryMultiLock, AStopRequestInTheMiddleLeavesNothing) {
    theirs_.lock();
    std::stop_source stop;
    auto waits = std::async(std::launch::async, [&] { return reason_of([&] { mine_.lock(stop.get_token()); }); });
    await([&] { return server_.waiting(memory::key{"b"}) == 1; }, "nobody waits");
    EXPECT_EQ(server_.held(), 2U) << "theirs, and the one in front of it";
    stop.request_stop();
    EXPECT_EQ(waits.get(), errc::cancelled);
    EXPECT_EQ(server_.held(), 1U);
    EXPECT_FALSE(mine_.try_lock());
    EXPECT_EQ(server_.held(), 1U);
}

TEST_F(MemoryMultiLock, TheVictimOfADeadlockHoldsNothingOfItAndKeepsItsOtherLocks) {
    memory::lock own{a_, "z"}, wanted{b_, "z"};
    own.lock();
    theirs_.lock();
    auto other = std::async(std::launch::async, [&] { wanted.lock(); });
    await([&] { return server_.waiting() == 1; }, "nobody waits");
    EXPECT_EQ(reason_of([&] { mine_.lock(); }), errc::deadlock);
    EXPECT_EQ(server_.held(), 2U);
    EXPECT_TRUE(own.owns_lock());
    own.unlock();
    other.get();
}

TEST_F(MemoryMultiLock, IsLostAsAWholeAndTold) {
    mine_.lock();
    const auto lost = mine_.lost();
    EXPECT_FALSE(lost.stop_requested());
    a_.close();
    EXPECT_TRUE(lost.stop_requested());
    EXPECT_EQ(mine_.state(), lock_state::lost);
    EXPECT_EQ(unlock(mine_), errc::lost);
    EXPECT_EQ(server_.held(), 0U);
}

}  // namespace
}  // namespace dlock::testing
