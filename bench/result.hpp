// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What one contender needs, as a line of a table: what every programme of the suite finds, and what the report is made of.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace dlock::bench {

/// Of what is shown. Times are kept in nanoseconds, and rates as the nanoseconds from one to the next.
enum class unit { microseconds, milliseconds, seconds, per_second, bytes, connections, instructions };

[[nodiscard]] double in_unit(unit u, double kept);
[[nodiscard]] std::string symbol(unit u);  ///< "µs"
[[nodiscard]] std::string shown(unit u, double kept);  ///< "38.2", without the symbol; as exact as is sensible

struct percentiles {
    double p50 = 0, p99 = 0;
};

struct result {
    std::string contest = {};  ///< "postgresql/lock"
    std::string where = {};    ///< "PostgreSQL 15.8"
    std::string what = {};     ///< "lock(), unlock()"
    std::string name = {};     ///< of the contender: "libpq, prepared"
    std::string id = {};       ///< "libpq_prepared"
    bench::unit unit = bench::unit::microseconds;
    bool is_yardstick = false;

    percentiles figure = {};                 ///< what is compared
    percentiles acquire = {}, release = {};  ///< its parts, or 0
    double largest = 0;
    double ratio = 0, ratio_low = 0, ratio_high = 0;  ///< to the yardstick, with quartiles; 0: there is none

    std::string goal = {};                  ///< its id; goals.hpp
    std::string plot = {};                  ///< the id of the one it is in; plots.hpp
    std::optional<double> x = {};           ///< where in that plot
    std::vector<double> distribution = {};  ///< percentiles from the 0th to the 100th, if they are plotted
    std::string error = {};                 ///< why there are no figures
};

/// A file of them, one a line, for the report.
void write(const std::string& file, const std::vector<result>& all);

/// \throws std::runtime_error  when the file is not there or is not one of these
[[nodiscard]] std::vector<result> read_results(const std::string& file);

}  // namespace dlock::bench
