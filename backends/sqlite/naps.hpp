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
    /// Another wait begins.
    void restart() noexcept { taken_ = 0; }

    /// Sleeps for a random time between half an interval and a whole one, which doubles from 50 µs to 1.6 ms: short enough
    /// that a stop request needs no more than a look at it.
    void sleep(deadline until) {
        using std::chrono::nanoseconds;
        constexpr nanoseconds shortest = std::chrono::microseconds{50};
        constexpr unsigned doublings = 5;
        const auto longest = shortest * (1 << std::min(taken_++, doublings));
        nanoseconds time{std::uniform_int_distribution{longest.count() / 2, longest.count()}(jitter_)};
        if (!until.is_never()) time = std::min(time, until.remaining<nanoseconds>());
        std::this_thread::sleep_for(time);
    }

private:
    unsigned taken_ = 0;
    std::minstd_rand jitter_{std::random_device{}()};
};

}  // namespace dlock::sqlite
