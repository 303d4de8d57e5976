// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Threads of one process that all want one key, as fast as they can.
#pragma once

#include "bench/contest.hpp"

namespace dlock::bench {

/// Each thread makes a rival of its own. A turn gives one sample: the time that an acquisition took on average.
[[nodiscard]] competitor_maker all_at_once(int threads, rival_maker make);

}  // namespace dlock::bench
