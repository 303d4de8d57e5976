// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// TCP's own means to notice a peer that has vanished without a word.
#pragma once

#include <chrono>
#include <stdexcept>

namespace dlock::soci_support {

/// How probes are spaced so that silence is noticed within `bound`: idle + count × interval stays below it.
struct keepalive {
    explicit keepalive(std::chrono::seconds longest) : bound{longest}, idle{longest * 2 / 5}, interval{longest / 5} {
        if (longest < std::chrono::seconds{3}) throw std::invalid_argument{"dlock: a bound on silence must be 3 s or more"};
        if (idle < std::chrono::seconds{1}) idle = std::chrono::seconds{1};
        if (interval < std::chrono::seconds{1}) interval = std::chrono::seconds{1};
    }

    /// For our side of the connection; nothing for a socket that is not TCP's.
    /// https://man7.org/linux/man-pages/man7/tcp.7.html
    void apply_to(int socket) const noexcept;

    std::chrono::milliseconds bound;
    std::chrono::seconds idle;
    std::chrono::seconds interval;
    int count = 2;
};

}  // namespace dlock::soci_support
