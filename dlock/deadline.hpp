// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The one way dlock writes down "until when": monotonic, saturating, rounded up.
//
// A deadline counts on std::chrono::steady_clock, so that a stepped wall clock neither lengthens nor shortens a wait.
// Whatever is too far away to matter (a century) is never(). Servers count in units of their own; remaining<Unit>()
// rounds up, because a truncated 0 means "for ever" to one server and "not at all" to another.
#pragma once

#include <compare>
#include <concepts>
#include <stdexcept>

#include <dlock/detail/chrono.hpp>

namespace dlock {

class deadline {
public:
    using clock = std::chrono::steady_clock;

    [[nodiscard]] static constexpr deadline never() noexcept { return deadline{clock::time_point::max()}; }

    /// Zero and negative durations give a deadline that has expired: a wait for it is a try.
    /// \throws std::invalid_argument  for a duration that is not a number
    template <class Rep, class Period>
    [[nodiscard]] static deadline after(std::chrono::duration<Rep, Period> wait) {
        using real_seconds = std::chrono::duration<long double>;
        const real_seconds exact{wait};
        if (exact.count() != exact.count()) throw std::invalid_argument{"dlock: a timeout must be a number"};
        const auto now = clock::now();
        if (exact.count() <= 0) return deadline{now};
        if (exact >= real_seconds{far_away}) return never();
        return deadline{now + std::chrono::ceil<clock::duration>(wait)};
    }

    /// A time point of another clock is converted once, now; later steps of that clock do not move the deadline.
    template <class Clock, class Duration>
    [[nodiscard]] static deadline at(const std::chrono::time_point<Clock, Duration>& when) {
        using real_seconds = std::chrono::duration<long double>;  // time_point::min() - now() would overflow
        return after(real_seconds{when.time_since_epoch()} - real_seconds{Clock::now().time_since_epoch()});
    }

    [[nodiscard]] constexpr bool is_never() const noexcept { return at_ == clock::time_point::max(); }
    [[nodiscard]] bool expired() const noexcept { return !is_never() && clock::now() >= at_; }

    /// What is left, rounded up: zero only when the deadline has expired.
    /// \pre !is_never()
    template <class Unit>
    [[nodiscard]] Unit remaining() const noexcept {
        const auto left = std::chrono::ceil<Unit>(at_ - clock::now());
        return left > Unit::zero() ? left : Unit::zero();
    }

    /// For the standard library's own waits. \pre !is_never()
    [[nodiscard]] constexpr clock::time_point time() const noexcept { return at_; }

    friend constexpr auto operator<=>(deadline, deadline) noexcept = default;

private:
    static constexpr std::chrono::hours far_away{24 * 365 * 100};

    constexpr explicit deadline(clock::time_point at) noexcept : at_{at} {}

    clock::time_point at_;
};

}  // namespace dlock
