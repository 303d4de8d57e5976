// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What dlock is to reach. The report has a line for each of these, measured or not.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/result.hpp"

namespace dlock::bench {

struct goal {
    enum class figure {
        ratio,     ///< to the yardstick's
        speed_up,  ///< its reciprocal: how many times as many in the same time
        median,
        largest,
    };

    std::string_view id;    ///< what a contender names in contest.hpp
    std::string_view what;  ///< "PostgreSQL: a cycle on the caller's session ÷ a raw prepared cycle"
    figure of = figure::ratio;
    double bound = 0;  ///< at most that, but of a speed-up at least that
    bench::unit unit = bench::unit::microseconds;  ///< of the bound, unless it is a ratio or a speed-up
    std::string_view remark = {};
    std::string_view bounded_by = {};  ///< shown when it is missed: what a profile has said
};

[[nodiscard]] std::span<const goal> goals();

/// Nothing: no goal is set.
[[nodiscard]] const goal* find_goal(std::string_view id);

[[nodiscard]] double measured(const goal& g, const result& r);
[[nodiscard]] bool is_met(const goal& g, const result& r);

[[nodiscard]] std::string bound(const goal& g);                     ///< "≤ 0.80 ms"
[[nodiscard]] std::string shown(const goal& g, const result& r);    ///< what was measured, as the goal has it
[[nodiscard]] std::string verdict(const goal& g, const result& r);  ///< "met", "**missed**" or "not measured: …"

/// Of these results the one that the goal is about.
[[nodiscard]] const result* about(const goal& g, const std::vector<result>& all);

}  // namespace dlock::bench
