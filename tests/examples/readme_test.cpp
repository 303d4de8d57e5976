// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The C++ of README.md is compiled and run: every block of it stands in an example, line by line.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

using lines = std::vector<std::string>;

lines read(const std::filesystem::path& file) {
    std::ifstream in{file};
    lines all;
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
}

/// What stands between ```cpp and ```.
std::vector<lines> blocks_of(const lines& text) {
    std::vector<lines> blocks;
    for (bool inside = false; const auto& line : text) {
        if (inside && line == "```")
            inside = false;
        else if (inside)
            blocks.back().push_back(line);
        else if (line == "```cpp")
            blocks.emplace_back(), inside = true;
    }
    return blocks;
}

/// An example may indent the block, all of it by the same.
bool is_at(const lines& block, lines::const_iterator line) {
    const std::string indent(std::min(line->find_first_not_of(' '), line->size()), ' ');
    return std::all_of(block.begin(), block.end(), [&](const std::string& wanted) {
        const std::string& found = *line++;
        return found == wanted || (!wanted.empty() && found == indent + wanted);
    });
}

bool contains(const lines& example, const lines& block) {
    for (std::size_t i = 0; i + block.size() <= example.size(); ++i) {
        if (is_at(block, example.begin() + static_cast<std::ptrdiff_t>(i))) return true;
    }
    return false;
}

TEST(Readme, ShowsOnlyCodeOfTheExamples) {
    std::map<std::string, lines> examples;
    for (const auto& entry : std::filesystem::recursive_directory_iterator{"examples"}) {
        if (entry.path().extension() == ".cpp") examples[entry.path()] = read(entry.path());
    }
    ASSERT_FALSE(examples.empty());

    const auto blocks = blocks_of(read("README.md"));
    EXPECT_GE(blocks.size(), 4U);
    for (const auto& block : blocks) {
        ASSERT_FALSE(block.empty());
        EXPECT_TRUE(std::any_of(examples.begin(), examples.end(),
                                [&](const auto& example) { return contains(example.second, block); }))
            << "the block that begins with\n    " << block.front() << "\nis in no example";
    }
}

}  // namespace
