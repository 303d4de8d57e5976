// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The report runs from its first line to its last: every programme, every goal, every plot is there, and no figure is judged.
// How fast anything is, on a machine that also tests, says nothing.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "bench/goals.hpp"
#include "tests/servers/child_process.hpp"

namespace dlock::bench {
namespace {

namespace fs = std::filesystem;

bool has(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

// Valgrind runs no programme with a sanitizer in it, and a child that was forked by one with threads may start none.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#elif defined(__has_feature)
constexpr bool sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool sanitized = false;
#endif

std::string line_with(const std::string& text, std::string_view part) {
    const auto at = text.find(part);
    return at == text.npos ? "" : text.substr(at, text.find('\n', at) - at);
}

const fs::path folder{std::getenv("TEST_TMPDIR")};

/// The page that it writes.
std::string report(const std::vector<std::string>& more) {
    std::vector<std::string> command{"bench/report", "--quick", "--into", folder.string()};
    command.insert(command.end(), more.begin(), more.end());
    const auto log = folder / "log";
    EXPECT_NO_THROW(testing::run({.command = command, .log = log}, std::chrono::minutes{30})) << testing::contents(log);
    return testing::contents(folder / "benchmarks.md");
}

TEST(Report, RunsAProgramme) {
    const auto page = report({"--only", "acquire_release", "--only", "threads"});
    EXPECT_TRUE(has(page, "PostgreSQL 15") && has(page, "MariaDB 10") && has(page, "SQLite 3")) << page;
    EXPECT_FALSE(has(page, "Not all of it was measured")) << page;
}

TEST(Report, MeasuresEveryGoal) {
    if (sanitized) GTEST_SKIP() << "what can be measured then is run by Report.RunsAProgramme";
    const auto page = report({});
    for (const auto& g : goals()) {
        const auto line = line_with(page, g.what);
        EXPECT_TRUE(has(line, "| met") || has(line, "| **missed**")) << g.what << ": " << line;
    }
    for (const auto* const part : {"machine: ", "PostgreSQL 15", "MariaDB 10", "SQLite 3", "noise: beside itself", "--sqlalchemy-dlock"})
        EXPECT_TRUE(has(page, part)) << part;
    EXPECT_FALSE(has(page, folder.string())) << "a path of this machine";
    for (const auto* const name : {"postgresql_cycle", "mysql_cycle", "sqlite_cycle", "postgresql_managed", "postgresql_threads",
                                   "postgresql_hand_over", "postgresql_processes", "mysql_processes", "sqlite_processes", "postgresql_keys"}) {
        const auto file = std::string{"benchmarks/"} + name + ".svg";
        EXPECT_TRUE(has(page, '(' + file + ')')) << file;
        EXPECT_TRUE(testing::contents(folder / file).ends_with("</svg>\n")) << file;
    }
}

TEST(Report, SaysWhatItDoesNotKnow) {
    const auto log = folder / "refusal";
    EXPECT_ANY_THROW(testing::run({.command = {"bench/report", "--only", "nothing"}, .log = log}, std::chrono::minutes{1}));
    EXPECT_TRUE(has(testing::contents(log), "no such programme: nothing")) << testing::contents(log);
}

}  // namespace
}  // namespace dlock::bench
