// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Whom the end of a session is told.
#include <dlock/detail/loss_signal.hpp>

#include <stop_token>
#include <vector>

#include <gtest/gtest.h>

namespace dlock::testing {
namespace {

TEST(LossSignal, IsToldToEveryGrantThatHasATokenAndNotToTheNext) {
    detail::loss_signal signal;
    std::vector<std::stop_token> tokens;
    for (std::uint64_t grant = 1; grant <= 1000; ++grant) tokens.push_back(signal.of(grant));
    EXPECT_EQ(signal.of(7), tokens[6]) << "a grant has one";
    signal.raise();
    for (const auto& token : tokens) EXPECT_TRUE(token.stop_requested());
    EXPECT_FALSE(signal.of(1001).stop_requested());
}

TEST(LossSignal, IsNotToldToAGrantThatEndedWell) {
    detail::loss_signal signal;
    const auto released = signal.of(1), held = signal.of(2);
    signal.forget(1);
    signal.forget(3);
    signal.raise();
    EXPECT_FALSE(released.stop_requested());
    EXPECT_TRUE(held.stop_requested());
}

TEST(LossSignal, OfASessionThatHasEndedForGoodIsRaisedAlready) {
    detail::loss_signal signal;
    signal.raise_for_good();
    EXPECT_TRUE(signal.of(1).stop_requested());
}

TEST(LossSignal, ItsCallbacksMayComeBackToIt) {
    detail::loss_signal signal;
    const std::stop_callback forgets{signal.of(1), [&] { signal.forget(2); }};
    (void)signal.of(2);
    signal.raise();
}

}  // namespace
}  // namespace dlock::testing
