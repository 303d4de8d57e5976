// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// For a race at the end of a wait: the holder lets go at the very instant at which the wait is over. Where that is, is found
// out on the way.
#pragma once

#include <chrono>

#include "tests/support/slowdown.hpp"

namespace dlock::testing {

/// How often each race is run. With a sanitizer less often: it looks at what a race does, not for one in a thousand.
inline constexpr int tries = 1000 / slowdown;

/// Finds the instant at which half of the waits fail, and stays there: later after a grant, earlier after a failure.
class aim {
    using duration = std::chrono::steady_clock::duration;

public:
    explicit aim(duration first) : offset_{first} {}

    [[nodiscard]] duration offset() const { return offset_; }
    void adjust(bool granted) {
        offset_ += granted ? step_ : -step_;
        if (granted != last_ && step_ > std::chrono::microseconds{20}) step_ = step_ * 3 / 4;
        last_ = granted;
    }

private:
    duration offset_;
    duration step_ = std::chrono::microseconds{500};
    bool last_ = false;
};

inline void busy_wait_until(std::chrono::steady_clock::time_point when) {
    while (std::chrono::steady_clock::now() < when) {
    }
}

}  // namespace dlock::testing
