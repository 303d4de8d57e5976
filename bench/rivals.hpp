// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Who competes with dlock on each kind of server: the raw driver, and plain SOCI statements. dlock works on SOCI's
// connection; that it need not pay for SOCI's statements is part of what is measured.
#pragma once

#include <string>
#include <vector>

#include "bench/contest.hpp"

namespace dlock::bench {

/// \param url  as SOCI takes it
[[nodiscard]] std::vector<contest> postgresql_contests(const std::string& url);
[[nodiscard]] std::vector<contest> mysql_contests(const std::string& url);

/// \param directory  where the lock files are made
[[nodiscard]] std::vector<contest> sqlite_contests(const std::string& directory);

[[nodiscard]] std::vector<contest> memory_contests();

}  // namespace dlock::bench
