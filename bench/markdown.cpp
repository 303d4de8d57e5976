// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "bench/markdown.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <ostream>
#include <utility>

#include "bench/goals.hpp"

namespace dlock::bench {
namespace {

std::size_t width(const std::string& text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

bool is_a_number(const std::string& text) { return text.empty() || (text[0] >= '0' && text[0] <= '9'); }

std::string two_digits(double ratio) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), ratio < 0.1 ? "%.3f" : "%.2f", ratio);
    return text.data();
}

std::string pair(unit u, const percentiles& p) { return p.p50 == 0 ? "" : shown(u, p.p50) + " / " + shown(u, p.p99); }

std::string ratio(const result& r) {
    if (r.ratio == 0) return "";
    const bool is_rate = r.unit == unit::per_second;  // kept as times
    auto text = is_rate ? two_digits(1 / r.ratio) + " (" + two_digits(1 / r.ratio_high) + " to " + two_digits(1 / r.ratio_low) + ')'
                        : two_digits(r.ratio) + " (" + two_digits(r.ratio_low) + " to " + two_digits(r.ratio_high) + ')';
    if (r.is_yardstick) text += ": noise";
    return text;
}

std::string goal_of(const result& r) {
    const auto* const g = find_goal(r.goal);
    if (g == nullptr) return "";
    const auto reached = g->of == goal::figure::speed_up ? " times as many" : g->of == goal::figure::largest ? " at most" : "";
    return bound(*g) + reached + ": " + verdict(*g, r);
}

void print_contest(std::ostream& to, const std::vector<result>& of_one) {
    const auto& first = of_one.front();
    const auto has = [&](auto part) { return std::any_of(of_one.begin(), of_one.end(), part); };
    const bool parts = has([](const result& r) { return r.acquire.p50 != 0; });
    const bool ratios = has([](const result& r) { return r.ratio != 0; });
    const bool has_goals = has([](const result& r) { return find_goal(r.goal) != nullptr; });
    const bool rates = first.unit == unit::per_second;
    std::vector<std::string> heading{symbol(first.unit), "p50", rates ? "p1" : "p99", rates ? "least" : "largest"};
    if (parts) heading.insert(heading.end(), {"acquire p50 / p99", "release p50 / p99"});
    if (ratios) heading.emplace_back("÷ yardstick (quartiles)");
    if (has_goals) heading.emplace_back("goal");
    markdown_table table{heading};
    for (const auto& r : of_one) {
        std::vector<std::string> row{r.name};
        if (!r.error.empty()) {
            row.push_back("not measured: " + r.error);
            row.resize(heading.size());
            table.add(std::move(row));
            continue;
        }
        row.insert(row.end(), {shown(r.unit, r.figure.p50), shown(r.unit, r.figure.p99), shown(r.unit, r.largest)});
        if (parts) row.insert(row.end(), {pair(r.unit, r.acquire), pair(r.unit, r.release)});
        if (ratios) row.push_back(ratio(r));
        if (has_goals) row.push_back(goal_of(r));
        table.add(std::move(row));
    }
    to << '\n' << (first.where.empty() ? "" : first.where + ": ") << first.what << "\n\n" << table;
}

}  // namespace

std::ostream& operator<<(std::ostream& to, const markdown_table& table) {
    const auto& rows = table.rows_;
    std::vector<std::size_t> widths(rows.front().size());
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
    }
    const auto is_number = [&](std::size_t column) {
        return column > 0 && std::all_of(rows.begin() + 1, rows.end(), [&](const auto& row) { return is_a_number(row[column]); });
    };
    const auto print = [&](const std::vector<std::string>& row) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            const std::string padding(widths[i] - width(row[i]), ' ');
            to << "| " << (is_number(i) ? padding + row[i] : row[i] + padding) << ' ';
        }
        to << "|\n";
    };
    print(rows.front());
    for (std::size_t i = 0; i < widths.size(); ++i) to << '|' << std::string(widths[i] + 1, '-') << (is_number(i) ? ':' : '-');
    to << "|\n";
    for (std::size_t i = 1; i < rows.size(); ++i) print(rows[i]);
    return to;
}

void print_contests(std::ostream& to, const std::vector<result>& all) {
    for (auto from = all.begin(); from != all.end();) {
        const auto end = std::find_if(from, all.end(), [&](const result& r) { return r.contest != from->contest; });
        print_contest(to, {from, end});
        from = end;
    }
}

void print_goals(std::ostream& to, const std::vector<result>& all) {
    markdown_table table{{"figure", "measured", "goal", ""}};
    std::string why;
    for (const auto& g : goals()) {
        const auto* const r = about(g, all);
        auto what = std::string{g.what};
        if (!g.remark.empty()) what += ", " + std::string{g.remark};
        if (r == nullptr) {
            table.add({what, "", bound(g), "not measured"});
            continue;
        }
        table.add({what, r->error.empty() ? shown(g, *r) : "", bound(g), verdict(g, *r)});
        if (r->error.empty() && !is_met(g, *r) && !g.bounded_by.empty()) {
            why += "\nWhat bounds it: " + std::string{g.what} + ".\n" + std::string{g.bounded_by} + '\n';
        }
    }
    to << table << why;
}

}  // namespace dlock::bench
