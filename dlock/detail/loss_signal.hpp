// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The news that a session has ended, for whoever holds a lock on it. Nothing of it exists until somebody asks.
#pragma once

#include <cstdint>
#include <mutex>
#include <stop_token>
#include <unordered_map>

#include <dlock/detail/raised.hpp>

namespace dlock::detail {

/// The tokens of the grants of one session. Any thread may call any member.
class loss_signal {
public:
    /// Stop is requested when the session ends, by the thread that notices first; that thread runs the callbacks.
    [[nodiscard]] std::stop_token of(std::uint64_t grant) {
        const std::lock_guard guard{mutex_};
        if (over_) return raised();
        return grants_[grant].get_token();
    }

    /// The grant has ended well: its token stays silent.
    void forget(std::uint64_t grant) noexcept {
        const std::lock_guard guard{mutex_};
        grants_.erase(grant);
    }

    /// Every grant that has a token is lost.
    void raise() noexcept { raise(false); }

    /// The same, and so is every grant whose token is asked for from now on.
    void raise_for_good() noexcept { raise(true); }

    /// The token of what is lost already.
    [[nodiscard]] static std::stop_token raised() { return detail::raised(); }

private:
    void raise(bool for_good) noexcept {
        std::unordered_map<std::uint64_t, std::stop_source> lost;
        {
            const std::lock_guard guard{mutex_};
            over_ = over_ || for_good;
            lost.swap(grants_);
        }
        for (auto& [grant, source] : lost) source.request_stop();  // without the mutex: a callback may come back here
    }

    std::mutex mutex_;
    bool over_ = false;
    std::unordered_map<std::uint64_t, std::stop_source> grants_;
};

}  // namespace dlock::detail
