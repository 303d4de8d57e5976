// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A line chart, as SVG. On a white ground, and readable without colours: each line ends in its name.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace dlock::bench {

struct axis {
    std::string title;
    bool logarithmic = false;
    /// Ticks and what is written there; none: powers of ten, or round numbers from 0.
    std::vector<std::pair<double, std::string>> ticks = {};
};

struct curve {
    std::string name;
    std::vector<std::pair<double, double>> points;
    bool marked = false;  ///< each point gets a dot
};

struct chart {
    std::string title;
    axis x, y;
    std::vector<curve> curves;
};

/// \pre some curve has points; where an axis is logarithmic, they are positive
[[nodiscard]] std::string svg(const chart& what);

}  // namespace dlock::bench
