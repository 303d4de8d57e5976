// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Members that hand one lock to each other: threads of one process, or processes. Both follow the same protocol, and so does
// every rival:
//
//  - a member says that it is about to wait, and waits in acquire();
//  - who has the lock keeps it until somebody has said so, and for a while longer, so that the other one does wait by then;
//  - it notes the time, calls release(), and does not compete until somebody else has the lock. Who gets it notes the time.
//
// A hand-over is the time from before release() in one member to after acquire() in another.
#pragma once

#include <chrono>
#include <memory>

#include "bench/contest.hpp"

namespace dlock::bench {

enum class members { threads, processes };

struct relay {
    members are = members::processes;
    int how_many = 2;
    std::chrono::microseconds hold{0};
};

/// Each member makes a rival of its own. A turn's cycles are hand-overs, and none warms up.
[[nodiscard]] competitor_maker handing_over(relay how, rival_maker make);

/// Processes that all want the lock again as soon as they have released it. A turn is a second, its samples are the
/// waits.
[[nodiscard]] competitor_maker saturating(int processes, rival_maker make);

}  // namespace dlock::bench
