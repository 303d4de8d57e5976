// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Several ways to do the same, measured against one of them, the yardstick.
//
// A shared machine is now slow, now fast. So no competitor is measured alone: competitor and yardstick take turns, within
// milliseconds. Each pair of turns gives a ratio of two medians, and what counts is the median of those ratios. Both get new
// connections again and again, because one connection may be a little faster than its twin for as long as it lives. The
// yardstick is measured against itself, too: how far that ratio strays from 1 is the noise.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/percentiles.hpp"
#include "bench/result.hpp"

namespace dlock::bench {

/// How much of it is a turn, and for how many turns connections are used.
struct pace {
    int cycles = 32;
    int warm_up = 3;  ///< cycles of each turn that do not count: the other one has had the processor and its caches
    int turns = 16;
};

struct turn {
    samples acquire, release;  ///< empty unless a cycle has these parts
    samples whole;             ///< cycles, or whatever the contest is about
    nanoseconds took{0};       ///< for Google Benchmark, to know when it is enough
};

/// Connected, and ready to take turns. Throws when it cannot do what it is asked for.
class competitor {
public:
    competitor() = default;
    virtual ~competitor() = default;
    competitor(const competitor&) = delete;
    competitor& operator=(const competitor&) = delete;

    virtual turn take_turn(const pace& how) = 0;
};

/// A connection with a lock that is free. A turn of it is cycles of acquire() and release().
class rival : public competitor {
public:
    virtual void acquire() = 0;
    virtual void release() = 0;

    turn take_turn(const pace& how) override;
};

using competitor_maker = std::function<std::unique_ptr<competitor>()>;
using rival_maker = std::function<std::unique_ptr<rival>()>;

struct contender {
    std::string name;  ///< for the table: "libpq, prepared"
    std::string id;    ///< for --benchmark_filter: "libpq_prepared"
    competitor_maker make;
    std::string goal = {};  ///< its id, which need not exist: goals.hpp
};

/// What of a turn is compared.
enum class figure { whole, acquire, release };

struct contest {
    std::string where;  ///< "PostgreSQL 15.8"
    std::string id;     ///< "postgresql/lock"
    std::string what;   ///< "lock() and unlock()"
    bench::figure figure = bench::figure::whole;
    bench::unit unit = bench::unit::microseconds;
    bool has_yardstick = true;  ///< the first contender; else there are no ratios
    std::vector<contender> contenders;
    bench::pace pace = {};
    std::string plot = {};        ///< the id of the one it is in: plots.hpp
    std::optional<double> x = {};  ///< where in that plot; nothing: its distributions are the plot
};

/// What was measured of one contender.
struct measurement {
    samples acquire, release, whole;
    std::vector<double> ratios;  ///< of the contest's figure to the yardstick's: one per pair of turns
    int turns = 0;
    std::string error;  ///< why it was not measured, if it was asked for

    [[nodiscard]] const samples& of(figure f) const noexcept {
        return f == figure::whole ? whole : f == figure::acquire ? acquire : release;
    }
};

/// Makes the contest's contenders known to Google Benchmark: one benchmark each, "<contest>/<contender>".
/// `measured[i]` belongs to contenders[i]; it has no turns if its benchmark was not asked for. Both outlive the benchmarks.
void enter(const contest& what, std::vector<measurement>& measured);

/// One for each contender that was measured, or could not be.
[[nodiscard]] std::vector<result> results(const contest& what, const std::vector<measurement>& measured);

}  // namespace dlock::bench
