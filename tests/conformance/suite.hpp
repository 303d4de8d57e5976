// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What every lock must do, on whatever server. One binary per server: `INSTANTIATE_LOCK_CONFORMANCE(kind_of_server)`.
#pragma once

#include <gtest/gtest.h>

#include "tests/conformance/matrix.hpp"
#include "tests/conformance/world.hpp"

namespace dlock::testing {

class LockConformance : public ::testing::TestWithParam<world_ptr> {
protected:
    void TearDown() override { EXPECT_EQ(world_->held(), 0) << "the test left something locked"; }

    /// Returns when `count` sessions wait in the server's queue; at once where waiting leaves no trace.
    void await_waiters(int count);

    world_ptr world_ = GetParam();
};

}  // namespace dlock::testing

#define INSTANTIATE_LOCK_CONFORMANCE(server)                                                            \
    INSTANTIATE_TEST_SUITE_P(, LockConformance, ::testing::ValuesIn(::dlock::testing::worlds<server>()), \
                             [](const auto& of) { return of.param->name(); })
