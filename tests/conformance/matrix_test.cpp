// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// No legal combination is missing. What is legal is written down here by hand; what is tested, the conformance tests say
// themselves (--gtest_list_tests); what there is to combine is read from dlock's headers and its registry.
#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <ostream>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <dlock/make_lock.hpp>

namespace dlock::testing {
namespace {

namespace fs = std::filesystem;
using names = std::set<std::string>;

struct kind {
    std::string title;
    std::vector<std::string> owners, keys, modes;
    std::size_t count;

    friend void PrintTo(const kind& k, std::ostream* out) { *out << k.title; }
};

const std::vector<std::string> any_owner{"OwnSession", "PooledSession"}, no_pool{"OwnSession"};
const std::vector<std::string> integers{"HashedKey",           "IntegerKey",           "IntegerPairKey",    "NamespacedHashedKey",
                                        "NamespacedIntegerKey", "EachHashedKey", "EachIntegerPairKey"};
const std::vector<std::string> texts{"HashedName", "VerbatimKey", "NamespacedVerbatimKey", "EachVerbatimKey"};
const std::vector<std::string> any_key = [] {
    auto both = integers;
    both.insert(both.end(), texts.begin(), texts.end());
    return both;
}();
const std::vector<std::string> waits{"Block", "Poll"};
const std::vector<std::string> exclusive{"Exclusive"}, any_mode{"Exclusive", "Shared"};

const std::vector<kind> kinds{
    {"memory", no_pool, any_key, any_mode, 44},
    {"mysql", any_owner, texts, exclusive, 16},
    {"postgresql", any_owner, integers, any_mode, 56},
    {"sqlite", no_pool, any_key, any_mode, 44},
};

names legal(const kind& k) {
    names all;
    for (const auto& owner : k.owners)
        for (const auto& key : k.keys)
            for (const auto& wait : waits)
                for (const auto& mode : k.modes) all.insert(owner + "_" + key + "_" + wait + "_" + mode);
    return all;
}

/// Every test of a conformance binary, with the combinations that it is made for.
std::map<std::string, names> tested(const kind& k) {
    const auto command = "tests/conformance/" + k.title + "_conformance_test --gtest_list_tests '--gtest_filter=*' --gtest_output=";
    FILE* const pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) throw std::runtime_error{"cannot run " + command};
    std::string listed;
    std::array<char, 4096> bytes{};
    while (const auto count = std::fread(bytes.data(), 1, bytes.size(), pipe)) listed.append(bytes.data(), count);
    EXPECT_EQ(::pclose(pipe), 0) << command;

    std::map<std::string, names> found;
    std::istringstream lines{listed};
    for (std::string line; std::getline(lines, line);) {  // "  Test/Combination  # GetParam() = …"
        const auto slash = line.find('/');
        if (line.starts_with("  ") && slash != std::string::npos) {
            found[line.substr(2, slash - 2)].insert(line.substr(slash + 1, line.find(' ', slash) - slash - 1));
        }
    }
    return found;
}

class Matrix : public ::testing::TestWithParam<kind> {};
INSTANTIATE_TEST_SUITE_P(, Matrix, ::testing::ValuesIn(kinds), [](const auto& of) { return of.param.title; });

TEST_P(Matrix, HasEveryLegalCombinationAndNoOtherInEveryTest) {
    const auto expected = legal(GetParam());
    EXPECT_EQ(expected.size(), GetParam().count);
    const auto suite = tested(GetParam());
    EXPECT_GT(suite.size(), 20U) << "the suite was not listed";
    for (const auto& [test, combinations] : suite) EXPECT_EQ(combinations, expected) << test;
}

TEST_P(Matrix, HasTheSameTestsForEveryServer) {
    const auto test_names = [](const kind& k) {
        names found;
        for (const auto& [test, combinations] : tested(k)) found.insert(test);
        return found;
    };
    EXPECT_EQ(test_names(GetParam()), test_names(kinds.front()));
}

// --- what there is to combine

template <class... Entries>
std::vector<std::string_view> backends_of(registry<Entries...>) {
    return {Entries::backend...};
}

TEST(MatrixLists, HaveEveryBackendOfTheRegistry) {
    for (const auto backend : backends_of(default_registry)) {
        const auto is_tested = [&](const kind& k) { return backend.starts_with(k.title); };  // SOCI's sqlite3 is our sqlite
        EXPECT_TRUE(std::any_of(kinds.begin(), kinds.end(), is_tested)) << backend;
    }
}

/// integer_pair_key: IntegerPairKey
std::string pascal(std::string_view snake) {
    std::string title;
    bool begins = true;
    for (const char c : snake) {
        if (c != '_') title += begins ? static_cast<char>(std::toupper(c)) : c;
        begins = c == '_';
    }
    return title;
}

TEST(MatrixLists, HaveEveryKeyPolicy) {
    names headers;  // without interop/: what it computes is others' business, how it locks is any integer's
    for (const auto& entry : fs::directory_iterator{"dlock/keys"}) {
        if (entry.path().extension() == ".hpp") headers.insert(pascal(entry.path().stem().string()));
    }
    names listed;
    for (const auto& key : any_key) listed.insert(key.starts_with("Namespaced") ? "InNamespace" : key.starts_with("Each") ? "Each" : key);
    EXPECT_EQ(listed, headers);
}

TEST(MatrixLists, HaveEveryWaitPolicy) {
    names policies;
    std::ifstream header{"dlock/wait_policy.hpp"};
    for (std::string line; std::getline(header, line);) {
        constexpr std::string_view mark = " : public detail::limited<";
        const auto at = line.find(mark);
        if (at != std::string::npos) policies.insert(pascal(line.substr(at + mark.size(), line.find('>') - at - mark.size())));
    }
    EXPECT_EQ(names(waits.begin(), waits.end()), policies);
}

}  // namespace
}  // namespace dlock::testing
