// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A monotonic clock that also counts while the machine sleeps, which std::chrono::steady_clock on Linux does not: a lease
// runs on at the server meanwhile. https://man7.org/linux/man-pages/man2/clock_getres.2.html
#pragma once

#include <ctime>

#include <dlock/detail/chrono.hpp>

namespace dlock {

struct boot_clock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<boot_clock>;
    static constexpr bool is_steady = true;

    [[nodiscard]] static time_point now() noexcept {
        std::timespec t{};
        ::clock_gettime(CLOCK_BOOTTIME, &t);
        return time_point{std::chrono::seconds{t.tv_sec} + std::chrono::nanoseconds{t.tv_nsec}};
    }
};

}  // namespace dlock
