// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Several ways to take and release the same lock, measured against one of them, the yardstick.
//
// A shared machine is now slow, now fast. So no rival is measured alone: rival and yardstick take turns, a few dozen
// cycles each, within milliseconds. Each pair of turns gives a ratio of two medians, and what counts is the median of
// those ratios. Both get new connections again and again, because one connection may be a little faster than its twin
// for as long as it lives. The yardstick is measured against itself, too: how far that ratio strays from 1 is the noise.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/percentiles.hpp"

namespace dlock::bench {

/// A connection with a lock that is free. Throws when it cannot do what it is asked for.
class rival {
public:
    rival() = default;
    virtual ~rival() = default;
    rival(const rival&) = delete;
    rival& operator=(const rival&) = delete;

    virtual void acquire() = 0;
    virtual void release() = 0;
};

struct contender {
    std::string name;  ///< for the table: "libpq, prepared"
    std::string id;    ///< for --benchmark_filter: "libpq_prepared"
    std::function<std::unique_ptr<rival>()> make;
};

/// What of a cycle is compared.
enum class figure { cycle, acquire };

struct contest {
    std::string where;  ///< "PostgreSQL 15.8"
    std::string id;     ///< "postgresql/lock"
    std::string what;   ///< "lock() and unlock()"
    bench::figure figure = bench::figure::cycle;
    std::vector<contender> contenders;  ///< the first one is the yardstick, the second one is dlock
    double goal = 0;                    ///< of dlock's ratio; 0: none is set
    std::string meaning = {};           ///< of the goal, if it is not plain: "one round trip"
};

/// What was measured of one contender.
struct measurement {
    samples acquire, release, cycle;
    samples yardstick;           ///< the contest's figure of the yardstick, meanwhile
    std::vector<double> ratios;  ///< of the contest's figure to the yardstick's: one per pair of turns

    [[nodiscard]] bool empty() const noexcept { return ratios.empty(); }
    [[nodiscard]] double ratio(double part = 0.5) const { return percentile(ratios, part); }
};

/// Makes the contest's contenders known to Google Benchmark: one benchmark each, "<contest>/<contender>".
/// `measured[i]` belongs to contenders[i]; it is empty if its benchmark was not asked for. Both outlive the benchmarks.
void enter(const contest& what, std::vector<measurement>& measured);

}  // namespace dlock::bench
