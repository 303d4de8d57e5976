// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The pauses of who finds a file locked and looks again. Internal to this backend.
#pragma once

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include <dlock/deadline.hpp>

namespace dlock::sqlite {

class naps {
public:
    static constexpr std::chrono::nanoseconds shortest = std::chrono::microseconds{50};
    static constexpr unsigned doublings = 4;
    static constexpr std::chrono::nanoseconds longest = shortest * (1 << doublings);

    /// Another wait begins.
    void restart() noexcept { taken_ = 0; }

    /// A random time between half an interval and a whole one, which doubles from the shortest to the longest: short
    /// enough that a stop request needs no more than a look at it.
    [[nodiscard]] std::chrono::nanoseconds next() {
        const auto interval = shortest * (1 << std::min(taken_++, doublings));
        return std::chrono::nanoseconds{std::uniform_int_distribution{interval.count() / 2, interval.count()}(jitter_)};
    }

    void sleep(deadline until) {
        auto time = next();
        if (!until.is_never()) time = std::min(time, until.remaining<std::chrono::nanoseconds>());
        std::this_thread::sleep_for(time);
    }

private:
    unsigned taken_ = 0;
    std::minstd_rand jitter_{std::random_device{}()};
};

}  // namespace dlock::sqlite
