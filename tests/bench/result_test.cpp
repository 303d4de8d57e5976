// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What the report is made of: results that come back from a file as they were, goals and their verdicts, tables, plots.
#include "bench/result.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "bench/goals.hpp"
#include "bench/markdown.hpp"
#include "bench/plots.hpp"

namespace dlock::bench {
namespace {

std::string a_file() { return std::string{std::getenv("TEST_TMPDIR")} + "/results"; }

result of(std::string goal, double ratio, double p50 = 1, double largest = 1) {
    return {.contest = "c", .where = "PostgreSQL 15.8", .what = "lock()", .name = "dlock", .id = "dlock",
            .figure = {p50, p50}, .largest = largest, .ratio = ratio, .ratio_low = ratio, .ratio_high = ratio, .goal = std::move(goal)};
}

TEST(Results, ComeBackFromAFileAsTheyWere) {
    auto one = of("postgresql/cycle", 1.0 / 3, 38'123.456, 1e9);
    one.is_yardstick = true;
    one.acquire = {1, 2};
    one.release = {3, 4};
    one.ratio_low = 0.1;
    one.ratio_high = 0.7;
    one.plot = "threads";
    one.x = 16;
    one.distribution = {1, 2.5, 1e6};
    one.unit = unit::per_second;
    auto failed = of("", 0);
    failed.error = "a\tb\nc";
    write(a_file(), {one, failed});
    const auto back = read_results(a_file());
    ASSERT_EQ(back.size(), 2U);
    EXPECT_EQ(back[0].contest, one.contest);
    EXPECT_EQ(back[0].where, one.where);
    EXPECT_EQ(back[0].what, one.what);
    EXPECT_EQ(back[0].name, one.name);
    EXPECT_EQ(back[0].id, one.id);
    EXPECT_EQ(back[0].unit, one.unit);
    EXPECT_TRUE(back[0].is_yardstick);
    EXPECT_EQ(back[0].figure.p50, one.figure.p50);
    EXPECT_EQ(back[0].figure.p99, one.figure.p99);
    EXPECT_EQ(back[0].acquire.p99, 2);
    EXPECT_EQ(back[0].release.p50, 3);
    EXPECT_EQ(back[0].largest, one.largest);
    EXPECT_EQ(back[0].ratio, one.ratio);
    EXPECT_EQ(back[0].ratio_low, one.ratio_low);
    EXPECT_EQ(back[0].ratio_high, one.ratio_high);
    EXPECT_EQ(back[0].goal, one.goal);
    EXPECT_EQ(back[0].plot, one.plot);
    EXPECT_EQ(back[0].x, one.x);
    EXPECT_EQ(back[0].distribution, one.distribution);
    EXPECT_EQ(back[0].error, "");
    EXPECT_FALSE(back[1].is_yardstick);
    EXPECT_EQ(back[1].x, std::nullopt);
    EXPECT_TRUE(back[1].distribution.empty());
    EXPECT_EQ(back[1].error, "a b c");
}

TEST(Results, AreNotReadFromAnythingElse) {
    EXPECT_THROW((void)read_results(a_file() + ".missing"), std::runtime_error);
    std::ofstream{a_file()} << "postgresql/lock\tPostgreSQL 15.8\t\n";
    EXPECT_THROW((void)read_results(a_file()), std::runtime_error);
}

TEST(Results, AreShownInTheirUnits) {
    EXPECT_EQ(shown(unit::microseconds, 38'123.4), "38.12");
    EXPECT_EQ(shown(unit::milliseconds, 0.8e6), "0.80");
    EXPECT_EQ(shown(unit::per_second, 50'000), "20000");  // one every 50 µs
    EXPECT_EQ(shown(unit::bytes, 1024), "1024");
}

TEST(Goals, AreTheirOwn) {
    std::set<std::string_view> ids;
    for (const auto& g : goals()) EXPECT_TRUE(ids.insert(g.id).second) << g.id;
    EXPECT_EQ(find_goal("nobody's"), nullptr);
}

TEST(Goals, AreMetUpToTheirBound) {
    const auto& ratio = *find_goal("postgresql/cycle");
    EXPECT_TRUE(is_met(ratio, of("", ratio.bound)));
    EXPECT_FALSE(is_met(ratio, of("", ratio.bound + 0.001)));
    const auto& speed_up = *find_goal("threads");
    EXPECT_TRUE(is_met(speed_up, of("", 1 / speed_up.bound)));
    EXPECT_FALSE(is_met(speed_up, of("", 1 / (speed_up.bound - 0.1))));
    const auto& median = *find_goal("threads/hand_over");  // microseconds
    EXPECT_TRUE(is_met(median, of("", 9, 10e3, 1e9)));
    EXPECT_FALSE(is_met(median, of("", 0.1, 10.1e3)));
    auto waits = of("", 0, 1e6, 200e6);
    waits.unit = unit::milliseconds;
    const auto& largest = *find_goal("sqlite/longest_wait");
    EXPECT_TRUE(is_met(largest, waits));
    waits.largest = 200.1e6;
    EXPECT_FALSE(is_met(largest, waits));
}

TEST(Goals, HaveALineEachMeasuredOrNot) {
    auto failed = of("mysql/cycle", 0);
    failed.error = "no server";
    std::ostringstream page;
    print_goals(page, {of("postgresql/cycle", 1.01), of("postgresql/managed", 0.7), failed});
    const auto text = page.str();
    for (const auto& g : goals()) EXPECT_NE(text.find(g.what), text.npos) << g.what;
    const auto line_of = [&](std::string_view id) {
        const auto at = text.find(find_goal(id)->what);
        return text.substr(at, text.find('\n', at) - at);
    };
    EXPECT_NE(line_of("postgresql/cycle").find("| met"), text.npos);
    EXPECT_NE(line_of("postgresql/managed").find("**missed**"), text.npos);
    EXPECT_NE(line_of("mysql/cycle").find("not measured: no server"), text.npos);
    EXPECT_NE(line_of("mysql/managed").find("not measured"), text.npos);
}

TEST(Goals, ThatAreMissedAreExplainedIfAnybodyKnowsWhy) {
    const auto& threads = *find_goal("threads");
    ASSERT_FALSE(threads.bounded_by.empty());
    const auto page = [&](double speed_up) {
        std::ostringstream text;
        print_goals(text, {of("threads", 1 / speed_up)});
        return text.str();
    };
    EXPECT_NE(page(threads.bound - 1).find(threads.bounded_by), std::string::npos);
    EXPECT_EQ(page(threads.bound + 1).find(threads.bounded_by), std::string::npos);
}

TEST(Tables, HaveALineForEachContender) {
    auto yardstick = of("", 1);
    yardstick.name = "libpq";
    yardstick.is_yardstick = true;
    std::ostringstream page;
    print_contests(page, {yardstick, of("postgresql/cycle", 2)});
    const auto text = page.str();
    EXPECT_NE(text.find("PostgreSQL 15.8: lock()"), text.npos);
    EXPECT_NE(text.find("| libpq"), text.npos);
    EXPECT_NE(text.find("noise"), text.npos);
    EXPECT_NE(text.find("≤ 1.05: **missed**"), text.npos) << text;
}

TEST(Plots, AreOnePerIdAndHaveEveryName) {
    auto a = of("", 1), b = of("", 1), other = of("", 1);
    a.plot = b.plot = "postgresql_threads";
    a.x = 1;
    b.x = 16;
    b.figure.p50 = 100;
    other.plot = "sqlite_cycle";
    other.name = "<dlock> & \"others\"";
    other.distribution = {1, 2, 3};
    const auto drawn = plots({a, b, other, of("", 1)});
    ASSERT_EQ(drawn.size(), 2U);
    EXPECT_EQ(drawn[0].id, "postgresql_threads");
    EXPECT_NE(drawn[0].svg.find(">dlock<"), std::string::npos);
    EXPECT_NE(drawn[1].svg.find("&lt;dlock> &amp; &quot;others&quot;"), std::string::npos) << drawn[1].svg;
    for (const auto& p : drawn) {
        EXPECT_TRUE(p.svg.starts_with("<svg ")) << p.svg;
        EXPECT_TRUE(p.svg.ends_with("</svg>\n")) << p.svg;
        EXPECT_EQ(p.svg.find("nan"), std::string::npos) << p.svg;
        EXPECT_EQ(p.svg.find("inf"), std::string::npos) << p.svg;
    }
}

}  // namespace
}  // namespace dlock::bench
