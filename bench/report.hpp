// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The table at the end.
#pragma once

#include <iosfwd>
#include <vector>

#include "bench/contest.hpp"

namespace dlock::bench {

/// One line for each contender that was measured.
void print(std::ostream& to, const contest& what, const std::vector<measurement>& measured);

}  // namespace dlock::bench
