// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// How long one statement waits, and what is done with the rest of the time.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <random>
#include <thread>

#include <dlock/deadline.hpp>
#include <dlock/mysql/server.hpp>

namespace dlock::mysql {

/// What one statement may wait for in the server's queue. Rounded up where the server can, or else down: the rest is polled.
[[nodiscard]] inline std::chrono::milliseconds slice(const server& server, deadline until) {
    using std::chrono::milliseconds;
    constexpr milliseconds longest = std::chrono::hours{1};
    if (until.is_never()) return longest;
    const auto left = std::min(longest, until.remaining<milliseconds>());
    return server.waits_whole_seconds() ? std::chrono::floor<std::chrono::seconds>(left) : left;
}

/// The pauses between two statements where the server cannot wait for as long as it should: 1 to 20 ms, so short that a
/// stop request need not end them.
class pauses {
public:
    void sleep(deadline until) {
        using std::chrono::milliseconds;
        if (!engine_) engine_.emplace(std::random_device{}());
        milliseconds pause{std::uniform_int_distribution<int>{(longest_ + 1) / 2, longest_}(*engine_)};
        if (!until.is_never()) pause = std::min(pause, until.remaining<milliseconds>());
        std::this_thread::sleep_for(pause);
        longest_ = std::min(20, 2 * longest_);
    }

private:
    std::optional<std::minstd_rand> engine_;
    int longest_ = 1;
};

}  // namespace dlock::mysql
