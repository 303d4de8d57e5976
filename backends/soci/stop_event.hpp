// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A stop request as something that poll(2) can wait for.
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <chrono>
#include <optional>
#include <stop_token>

namespace dlock::soci_support {

class stop_event {
public:
    stop_event() noexcept {}
    /// Without a descriptor unless a stop can be requested; with it, costs two system calls.
    explicit stop_event(const std::stop_token& stop);
    ~stop_event();
    stop_event(const stop_event&) = delete;
    stop_event& operator=(const stop_event&) = delete;

    [[nodiscard]] bool is_possible() const noexcept { return stop_.stop_possible(); }
    [[nodiscard]] bool requested() const noexcept { return stop_.stop_requested(); }

    /// Readable once a stop was requested; -1: there is none.
    [[nodiscard]] int descriptor() const noexcept { return fd_; }
    /// A stop can be requested, and the process had no descriptor left for it: ask requested() now and then.
    [[nodiscard]] bool must_be_looked_for() const noexcept { return fd_ < 0 && stop_.stop_possible(); }

    /// Waits until the socket has something to say, be it the end. False: the time is over.
    [[nodiscard]] static bool wait_for(int socket, std::chrono::milliseconds longest) noexcept;

private:
    struct raise {
        int fd;
        void operator()() const noexcept;
    };

    std::stop_token stop_;
    int fd_ = -1;
    std::optional<std::stop_callback<raise>> on_stop_;
};

}  // namespace dlock::soci_support
