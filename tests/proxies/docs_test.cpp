// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// docs/proxies.md says what the checks of proxies_test expect. DLOCK_PAGE=FILE writes the table there instead.
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "tests/servers/server_traits.hpp"

namespace dlock::testing {
namespace {

constexpr const char* begin_of_table = "<!-- table -->\n";
constexpr const char* end_of_table = "<!-- end -->\n";

std::string table() {
    std::string text = "| proxy | `lock`, `fenced_lock`, `multi_lock`, `leased_lock`, `lock_manager` | `transaction_lock` |\n|---|---|---|\n";
    for (const auto* const proxy : server_traits::proxies) {
        text += std::string{"| "} + proxy->called + " | " +
                (!proxy->keeps_sessions ? "refused" : proxy->wants_a_promise ? "refused; work after the promise" : "work") + " | " +
                (proxy->speaks_postgresql ? "works" : "") + " |\n";
    }
    return text;
}

TEST(ProxiesPage, HasTheTableOfTheTraits) {
    const char* const target = std::getenv("DLOCK_PAGE");
    const std::string file = target != nullptr ? target : "docs/proxies.md";
    std::stringstream page;
    page << std::ifstream{file}.rdbuf();
    const std::string text = page.str();
    const auto begin = text.find(begin_of_table), end = text.find(end_of_table);
    ASSERT_NE(begin, text.npos) << file;
    ASSERT_NE(end, text.npos);
    const auto first = begin + std::string{begin_of_table}.size();
    if (target != nullptr) {
        std::ofstream{file} << text.substr(0, first) << table() << text.substr(end);
    } else {
        EXPECT_EQ(text.substr(first, end - first), table());
    }
}

}  // namespace
}  // namespace dlock::testing
