// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The report's pictures.
#pragma once

#include <string>
#include <vector>

#include "bench/result.hpp"

namespace dlock::bench {

struct plot {
    std::string id;     ///< of the file: "postgresql_cycle"
    std::string title;  ///< "PostgreSQL 15.8: lock(), unlock()"
    std::string svg;
};

/// One for each id that results have, in their order.
[[nodiscard]] std::vector<plot> plots(const std::vector<result>& all);

}  // namespace dlock::bench
