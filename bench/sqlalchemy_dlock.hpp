// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Python's sqlalchemy-dlock, in an interpreter of its own, which takes turns as it is told and times them itself.
#pragma once

#include <string>

#include "bench/command_line.hpp"
#include "bench/contest.hpp"

namespace dlock::bench {

/// \param url  as SOCI takes it
/// \param line  says where Python finds it
[[nodiscard]] contender sqlalchemy_dlock(const std::string& url, const command_line& line);

}  // namespace dlock::bench
