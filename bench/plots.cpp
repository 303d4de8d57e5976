// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "bench/plots.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

#include "bench/chart.hpp"

namespace dlock::bench {
namespace {

/// What an axis of a plot is, by the end of the plot's id.
struct kind {
    std::string_view ends_in;
    std::string_view what;  ///< after the server
    std::string_view x;
    bool logarithmic_y;
};

constexpr kind along_x[]{
    {"_threads", "acquisitions per second of threads that want one key", "threads", true},
    {"_processes", "hand-off from process to process, median", "processes that want one key", true},
    {"_keys", "lock() and unlock() while other locks are held, median", "other locks held", false},
};

/// The share of samples that are not faster, on a scale that gives each further nine the same room.
std::vector<std::pair<double, double>> tail(const result& r) {
    std::vector<std::pair<double, double>> points;
    const auto count = static_cast<double>(r.distribution.size() - 1);
    for (std::size_t i = 0; i + 1 < r.distribution.size(); ++i) {
        points.emplace_back(1 / (1 - static_cast<double>(i) / count), in_unit(r.unit, r.distribution[i]));
    }
    return points;
}

chart distributions(const std::vector<result>& all) {
    chart c{.title = all.front().where + ": " + all.front().what,
            .x = {"percentile", true, {{1, "0"}, {2, "50"}, {4, "75"}, {10, "90"}, {20, "95"}, {100, "99"}, {200, "99.5"}}},
            .y = {symbol(all.front().unit), true, {}},
            .curves = {}};
    for (const auto& r : all) c.curves.push_back({r.name, tail(r), false});
    return c;
}

chart lines(const std::vector<result>& all, const kind& k) {
    chart c{.title = all.front().where + ": " + std::string{k.what},
            .x = {std::string{k.x}, true, {}},
            .y = {symbol(all.front().unit), k.logarithmic_y, {}},
            .curves = {}};
    for (const auto& r : all) {
        auto line = std::find_if(c.curves.begin(), c.curves.end(), [&](const curve& each) { return each.name == r.name; });
        if (line == c.curves.end()) line = c.curves.insert(line, {r.name, {}, true});
        line->points.emplace_back(*r.x, in_unit(r.unit, r.figure.p50));
        if (line == c.curves.begin()) c.x.ticks.emplace_back(*r.x, std::to_string(static_cast<long>(*r.x)));
    }
    return c;
}

}  // namespace

std::vector<plot> plots(const std::vector<result>& all) {
    std::vector<std::pair<std::string, std::vector<result>>> by_id;
    for (const auto& r : all) {
        if (r.plot.empty() || !r.error.empty()) continue;
        auto same = std::find_if(by_id.begin(), by_id.end(), [&](const auto& p) { return p.first == r.plot; });
        if (same == by_id.end()) same = by_id.insert(same, {r.plot, {}});
        same->second.push_back(r);
    }
    std::vector<plot> drawn;
    for (const auto& [id, of_one] : by_id) {
        const auto* const k = std::find_if(std::begin(along_x), std::end(along_x),
                                           [name = std::string_view{id}](const kind& each) { return name.ends_with(each.ends_in); });
        const auto c = k == std::end(along_x) ? distributions(of_one) : lines(of_one, *k);
        drawn.push_back({id, c.title, svg(c)});
    }
    return drawn;
}

}  // namespace dlock::bench
