// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "bench/report.hpp"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <ostream>
#include <string>

namespace dlock::bench {
namespace {

[[gnu::format(printf, 1, 2)]] std::string format(const char* how, ...) {
    char text[256];
    std::va_list values;
    va_start(values, how);
    const int length = std::vsnprintf(text, sizeof text, how, values);
    va_end(values);
    return {text, std::min(sizeof text - 1, static_cast<std::size_t>(length))};
}

double microseconds(nanoseconds n) { return n.count() / 1e3; }

/// "≤ 1.10: met", for dlock only.
std::string verdict(const contest& what, const measurement& of) {
    const bool met = of.ratio() <= what.goal;
    return (what.meaning.empty() ? format("≤ %.2f", what.goal) : what.meaning) + (met ? ": met" : ": MISSED");
}

}  // namespace

void print(std::ostream& to, const contest& what, const std::vector<measurement>& measured) {
    if (std::all_of(measured.begin(), measured.end(), [](const auto& m) { return m.empty(); })) return;
    to << '\n' << what.where << ": " << what.what << '\n';
    to << format("  %-24s %17s %17s %17s   %-9s   %s\n", "microseconds", "acquire", "release", "cycle", "yardstick",
                 "ratio of medians");
    to << format("  %-24s %8s %8s %8s %8s %8s %8s   %-9s   %-20s %s\n", "", "p50", "p99", "p50", "p99", "p50", "p99",
                 "meanwhile", "(quartiles)", "goal");
    for (std::size_t i = 0; i < measured.size(); ++i) {
        const auto& m = measured[i];
        if (m.empty()) continue;
        to << format("  %-24s %8.2f %8.2f %8.2f %8.2f %8.2f %8.2f   %9.2f   ", what.contenders[i].name.c_str(),
                     microseconds(m.acquire.p50()), microseconds(m.acquire.p99()), microseconds(m.release.p50()),
                     microseconds(m.release.p99()), microseconds(m.cycle.p50()), microseconds(m.cycle.p99()),
                     microseconds(m.yardstick.p50()));
        to << format("%5.2f (%.2f to %.2f)   ", m.ratio(), m.ratio(0.25), m.ratio(0.75));
        if (i == 0) to << "(beside itself: noise)";
        if (i == 1 && what.goal > 0) to << verdict(what, m);
        to << '\n';
    }
}

}  // namespace dlock::bench
