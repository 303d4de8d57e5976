// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "bench/result.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <limits>
#include <ostream>
#include <sstream>
#include <stdexcept>
#include <string_view>

namespace dlock::bench {
namespace {

struct unit_kind {
    unit is;
    std::string_view symbol;
    double kept;  ///< that make one; 0: a rate
};

constexpr std::array kinds{
    unit_kind{unit::microseconds, "µs", 1e3}, unit_kind{unit::milliseconds, "ms", 1e6},
    unit_kind{unit::seconds, "s", 1e9},       unit_kind{unit::per_second, "1/s", 0},
    unit_kind{unit::bytes, "bytes", 1},       unit_kind{unit::connections, "connections", 1},
    unit_kind{unit::instructions, "instructions", 1},
};

const unit_kind& kind(unit u) {
    return *std::find_if(kinds.begin(), kinds.end(), [&](const auto& k) { return k.is == u; });
}

/// Fields of a line end in a tab; none has a tab or a line's end in it.
class fields_out {
public:
    fields_out& operator<<(std::string text) {
        std::replace_if(text.begin(), text.end(), [](char c) { return c == '\t' || c == '\n' || c == '\r'; }, ' ');
        line_ << text << '\t';
        return *this;
    }
    fields_out& operator<<(double number) {
        line_ << number << '\t';
        return *this;
    }
    fields_out& operator<<(const percentiles& p) { return *this << p.p50 << p.p99; }

    [[nodiscard]] std::string line() const { return line_.str(); }

private:
    std::ostringstream line_{[] {
        std::ostringstream s;
        s.precision(std::numeric_limits<double>::max_digits10);
        return s;
    }()};
};

class fields_in {
public:
    explicit fields_in(const std::string& line) : line_{line} {}

    fields_in& operator>>(std::string& text) {
        if (!std::getline(line_, text, '\t')) throw std::runtime_error{"a line of results is too short"};
        return *this;
    }
    fields_in& operator>>(double& number) {
        std::string text;
        *this >> text;
        number = std::stod(text);
        return *this;
    }
    fields_in& operator>>(percentiles& p) { return *this >> p.p50 >> p.p99; }

    [[nodiscard]] bool more() { return line_.peek() != std::istringstream::traits_type::eof(); }

private:
    std::istringstream line_;
};

std::string line(const result& r) {
    fields_out out;
    out << r.contest << r.where << r.what << r.name << r.id << std::string{kind(r.unit).symbol} << (r.is_yardstick ? 1.0 : 0.0);
    out << r.figure << r.acquire << r.release << r.largest << r.ratio << r.ratio_low << r.ratio_high;
    out << r.goal << r.plot << (r.x ? 1.0 : 0.0) << r.x.value_or(0) << r.error;
    for (const double d : r.distribution) out << d;
    return out.line();
}

result parse(const std::string& line) {
    fields_in in{line};
    result r;
    std::string symbol;
    double is_yardstick = 0, has_x = 0, x = 0;
    in >> r.contest >> r.where >> r.what >> r.name >> r.id >> symbol >> is_yardstick;
    in >> r.figure >> r.acquire >> r.release >> r.largest >> r.ratio >> r.ratio_low >> r.ratio_high;
    in >> r.goal >> r.plot >> has_x >> x >> r.error;
    while (in.more()) in >> r.distribution.emplace_back();
    const auto known = std::find_if(kinds.begin(), kinds.end(), [&](const auto& k) { return k.symbol == symbol; });
    if (known == kinds.end()) throw std::runtime_error{"results in a unit that nobody knows: " + symbol};
    r.unit = known->is;
    r.is_yardstick = is_yardstick != 0;
    if (has_x != 0) r.x = x;
    return r;
}

}  // namespace

double in_unit(unit u, double kept) {
    const double one = kind(u).kept;
    return one == 0 ? 1e9 / kept : kept / one;
}

std::string symbol(unit u) { return std::string{kind(u).symbol}; }

std::string shown(unit u, double kept) {
    const double value = in_unit(u, kept);
    const bool counted = u == unit::connections || u == unit::instructions || u == unit::bytes || u == unit::per_second;
    const int digits = counted || value >= 1000 ? 0 : value >= 100 ? 1 : 2;
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%.*f", digits, value);
    return text.data();
}

void write(const std::string& file, const std::vector<result>& all) {
    std::ofstream to{file};
    for (const auto& r : all) to << line(r) << '\n';
    if (!to.flush()) throw std::runtime_error{"cannot write " + file};
}

std::vector<result> read_results(const std::string& file) {
    std::ifstream from{file};
    if (!from) throw std::runtime_error{"cannot read " + file};
    std::vector<result> all;
    for (std::string line; std::getline(from, line);) all.push_back(parse(line));
    return all;
}

}  // namespace dlock::bench
