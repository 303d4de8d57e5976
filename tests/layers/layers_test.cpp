// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Who may look at whom. What is shipped is what //:dlock depends on; its build graph may have the arrows below and
// no others, and a new package is in no layer until it is written down here.
#include <gtest/gtest.h>

#include <cstddef>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace {

using packages = std::set<std::string, std::less<>>;
using arrows = std::map<std::string, packages, std::less<>>;

const arrows allowed{
    {"//",
     {"//backends", "//backends/memory", "//backends/mysql", "//backends/postgresql", "//backends/sqlite", "//dlock"}},
    {"//backends",
     {"//backends/mysql", "//backends/postgresql", "//backends/soci", "//backends/sqlite", "//dlock", "@soci//"}},
    {"//backends/memory", {"//dlock"}},
    {"//backends/mysql", {"//backends/soci", "//dlock", "@mariadb//", "@soci//"}},
    {"//backends/postgresql", {"//backends/soci", "//dlock", "@libpq//", "@soci//"}},
    {"//backends/sqlite", {"//backends/soci", "//dlock", "@soci//", "@sqlite3//"}},
    {"//backends/soci", {"//dlock", "@soci//"}},
    {"//dlock", {"@boost.hana//"}},
};

/// Under bzlmod a repository of an extension has a canonical name, which ends with its own: @@_main~system_libraries~soci.
std::string package(std::string_view label) {
    label = label.substr(0, label.find(':'));
    if (!label.starts_with("@@")) return std::string{label};
    return '@' + std::string{label.substr(label.find_last_of("~+@", label.find("//")) + 1)};
}

/// Lines of the form   "//a:x" -> "//b:y"   without the arrows inside a package and those that others' packages have.
arrows read_graph(const char* path) {
    arrows graph;
    std::ifstream file{path};
    for (std::string line; std::getline(file, line);) {
        const auto arrow = line.find("\" -> \"");
        if (arrow == std::string::npos) continue;
        const auto begin = line.find('"') + 1;
        const auto from = package(std::string_view{line}.substr(begin, arrow - begin));
        const auto to = package(std::string_view{line}.substr(arrow + 6));
        if (from.front() == '/' && from != to) graph[from].insert(to);
    }
    return graph;
}

TEST(Layers, HaveNoOtherArrowsThanThese) {
    const auto graph = read_graph("tests/layers/graph");
    for (const auto& [from, targets] : graph) {
        const auto layer = allowed.find(from);
        ASSERT_NE(layer, allowed.end()) << from << " is in no layer";
        for (const auto& to : targets) EXPECT_TRUE(layer->second.contains(to)) << from << " -> " << to;
    }
    for (const auto& [layer, targets] : allowed) EXPECT_TRUE(graph.contains(layer)) << layer << " was not in the graph";
}

}  // namespace
