// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/wait_policy.hpp>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <random>

namespace dlock::detail {

void random_naps::sleep(deadline until, const std::stop_token& stop) {
    using rep = std::chrono::nanoseconds::rep;
    std::minstd_rand engine{last_ != 0 ? last_ : static_cast<std::uint32_t>(std::random_device{}())};
    std::uniform_int_distribution<rep> spread{interval_.count() / 2, interval_.count()};
    const auto wake = deadline::clock::now() + std::chrono::nanoseconds{spread(engine)};
    last_ = static_cast<std::uint32_t>(engine());
    std::mutex mutex;
    std::unique_lock guard{mutex};
    std::condition_variable_any woken;
    woken.wait_until(guard, stop, until.is_never() ? wake : std::min(wake, until.time()), [] { return false; });
}

}  // namespace dlock::detail
