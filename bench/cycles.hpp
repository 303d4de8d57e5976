// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Cycles of acquiring and releasing a free lock: what //bench:acquire_release times and //bench:client_cost counts.
#pragma once

#include <vector>

#include "bench/contest.hpp"
#include "bench/rivals.hpp"

namespace dlock::bench {

/// By lock() and by try_lock(). The second contender is dlock.
[[nodiscard]] std::vector<contest> cycles(const server_rivals& server);

}  // namespace dlock::bench
