// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// TCP's own means to notice a peer that has vanished without a word.
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <chrono>
#include <stdexcept>

namespace dlock::soci_support {

/// How probes are spaced so that silence is noticed within a bound: by the probe at idle + count × interval, which is below
/// it. A user timeout replaces the count of probes, and is looked at when one is sent; so it ends half an interval before.
/// https://man7.org/linux/man-pages/man7/tcp.7.html
struct keepalive {
    explicit keepalive(std::chrono::seconds longest) : idle{longest * 2 / 5}, interval{longest / 5} {
        if (longest < std::chrono::seconds{4}) throw std::invalid_argument{"dlock: a bound on silence must be 4 s or more"};
        if (idle < std::chrono::seconds{1}) idle = std::chrono::seconds{1};
        if (interval < std::chrono::seconds{1}) interval = std::chrono::seconds{1};
        user_timeout = idle + count * interval - std::chrono::milliseconds{interval} / 2;
    }

    /// For our side of the connection; nothing for a socket that is not TCP's.
    void apply_to(int socket) const noexcept;

    std::chrono::seconds idle;
    std::chrono::seconds interval;
    int count = 2;
    std::chrono::milliseconds user_timeout{};  ///< also for what was sent and is not acknowledged
};

}  // namespace dlock::soci_support
