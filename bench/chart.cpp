// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "bench/chart.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <sstream>
#include <string_view>

namespace dlock::bench {
namespace {

constexpr double width = 920, height = 420;
constexpr double left = 72, right = 310, top = 48, bottom = 56;  // margins; the names stand on the right
constexpr double line_height = 17;

constexpr std::array<std::string_view, 6> colours{"#5f6b7a", "#0b62c4", "#d1495b", "#2e8b57", "#b8860b", "#7b4fa3"};

std::string escaped(std::string_view text) {
    std::string safe;
    for (const char c : text) {
        if (c == '<') safe += "&lt;";
        else if (c == '&') safe += "&amp;";
        else if (c == '"') safe += "&quot;";
        else safe += c;
    }
    return safe;
}

std::string number(double value) {
    std::ostringstream text;
    text.precision(12);
    text << value;
    auto digits = text.str();
    if (digits.find_first_not_of("0123456789") == digits.npos) {
        for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) digits.insert(static_cast<std::size_t>(at), 1, ',');
    }
    return digits;
}

/// Values onto pixels.
class scale {
public:
    scale(const axis& a, double least, double most, double from, double to) : logarithmic_{a.logarithmic}, from_{from}, to_{to}, ticks_{a.ticks} {
        if (!ticks_.empty()) {
            low_ = std::min(least, ticks_.front().first);
            high_ = std::max(most, ticks_.back().first);
        } else if (logarithmic_) {
            set_powers(least, most);
        } else {
            set_round(most);
        }
    }

    [[nodiscard]] double at(double value) const {
        const double part = logarithmic_ ? std::log(value / low_) / std::log(high_ / low_) : (value - low_) / (high_ - low_);
        return from_ + part * (to_ - from_);
    }
    [[nodiscard]] const std::vector<std::pair<double, std::string>>& ticks() const noexcept { return ticks_; }

private:
    void set_powers(double least, double most) {
        low_ = std::pow(10, std::floor(std::log10(least)));
        high_ = std::pow(10, std::ceil(std::log10(most)));
        if (high_ <= low_) high_ = low_ * 10;
        // The ends close to the data; a decade more would be empty.
        while (least > low_ * 2 && least < low_ * 10) low_ *= least >= low_ * 5 ? 5 : 2;
        if (most <= high_ / 5) high_ /= 5;
        else if (most <= high_ / 2) high_ /= 2;
        for (double power = std::pow(10, std::floor(std::log10(low_))); power <= high_ * 1.001; power *= 10) {
            for (const double step : {1.0, 2.0, 5.0}) {
                if (step * power >= low_ * 0.999 && step * power <= high_ * 1.001) ticks_.emplace_back(step * power, number(step * power));
            }
        }
    }

    void set_round(double most) {
        const double power = std::pow(10, std::floor(std::log10(most)));
        const double step = most / power <= 2 ? power / 2 : most / power <= 5 ? power : power * 2;
        low_ = 0;
        high_ = std::ceil(most / step) * step;
        for (double tick = 0; tick <= high_ * 1.001; tick += step) ticks_.emplace_back(tick, number(tick));
    }

    bool logarithmic_;
    double from_, to_, low_ = 0, high_ = 1;
    std::vector<std::pair<double, std::string>> ticks_;
};

struct limits {
    double least = std::numeric_limits<double>::infinity(), most = -std::numeric_limits<double>::infinity();
    void include(double v) {
        least = std::min(least, v);
        most = std::max(most, v);
    }
};

void text(std::ostream& to, double x, double y, std::string_view anchor, std::string_view what, std::string_view more = "") {
    to << "<text x=\"" << x << "\" y=\"" << y << "\" text-anchor=\"" << anchor << "\" " << more << '>' << escaped(what) << "</text>\n";
}

void line(std::ostream& to, double x1, double y1, double x2, double y2, std::string_view colour) {
    to << "<line x1=\"" << x1 << "\" y1=\"" << y1 << "\" x2=\"" << x2 << "\" y2=\"" << y2 << "\" stroke=\"" << colour << "\"/>\n";
}

void draw_axes(std::ostream& to, const chart& what, const scale& x, const scale& y) {
    constexpr double end = width - right, ground = height - bottom;
    for (const auto& [value, label] : y.ticks()) {
        line(to, left, y.at(value), end, y.at(value), "#e3e6ea");
        text(to, left - 8, y.at(value) + 4, "end", label);
    }
    for (const auto& [value, label] : x.ticks()) {
        line(to, x.at(value), ground, x.at(value), ground + 5, "#8a929c");
        text(to, x.at(value), ground + 20, "middle", label);
    }
    line(to, left, ground, end, ground, "#8a929c");
    text(to, (left + end) / 2, height - 12, "middle", what.x.title);
    text(to, left, top - 12, "start", what.y.title);
    text(to, 16, 20, "start", what.title, "font-weight=\"bold\" font-size=\"15\"");
}

/// Where the names of curves stand: where the curves end, but none on another.
std::vector<double> heights_of_names(const std::vector<curve>& curves, const scale& y) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < curves.size(); ++i) {
        if (!curves[i].points.empty()) order.push_back(i);
    }
    const auto end = [&](std::size_t i) { return y.at(curves[i].points.back().second); };
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return end(a) < end(b); });
    std::vector<double> heights(curves.size());
    double free = top;
    for (const auto i : order) {
        heights[i] = std::max(end(i), free);
        free = heights[i] + line_height;
    }
    double limit = height - bottom;
    for (auto i = order.rbegin(); i != order.rend(); ++i) {
        heights[*i] = std::min(heights[*i], limit);
        limit = heights[*i] - line_height;
    }
    return heights;
}

}  // namespace

std::string svg(const chart& what) {
    limits xs, ys;
    for (const auto& each : what.curves) {
        for (const auto& [x, y] : each.points) xs.include(x), ys.include(y);
    }
    const scale x{what.x, xs.least, xs.most, left, width - right};
    const scale y{what.y, ys.least, ys.most, height - bottom, top};
    std::ostringstream to;
    to.precision(6);
    to << "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " << width << ' ' << height
       << "\" font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#2b3036\">\n"
       << "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n";
    draw_axes(to, what, x, y);
    const auto heights = heights_of_names(what.curves, y);
    for (std::size_t i = 0; i < what.curves.size(); ++i) {
        const auto& each = what.curves[i];
        if (each.points.empty()) continue;
        const auto colour = colours[i % colours.size()];
        to << "<polyline fill=\"none\" stroke=\"" << colour << "\" stroke-width=\"2\" points=\"";
        for (const auto& [px, py] : each.points) to << x.at(px) << ',' << y.at(py) << ' ';
        to << "\"/>\n";
        if (each.marked) {
            for (const auto& [px, py] : each.points)
                to << "<circle cx=\"" << x.at(px) << "\" cy=\"" << y.at(py) << "\" r=\"3.5\" fill=\"" << colour << "\"/>\n";
        }
        const double end_x = x.at(each.points.back().first), end_y = y.at(each.points.back().second);
        line(to, end_x + 5, end_y, width - right + 14, heights[i], "#c3c8cf");
        text(to, width - right + 18, heights[i] + 4, "start", each.name, "fill=\"" + std::string{colour} + '"');
    }
    to << "</svg>\n";
    return to.str();
}

}  // namespace dlock::bench
