// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Every program in cases/ says in its first comment with which sentence a compiler must refuse it. With -DFIXED it must
// compile, so that none fails for a reason of its own. The flags are a user's: none makes a compiler say more.
#include <gtest/gtest.h>

#include <array>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <map>
#include <ostream>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

namespace {

namespace fs = std::filesystem;

const std::string folder = "tests/compile_fail/";

std::string contents(const fs::path& file) {
    std::ifstream in{file};
    return {std::istreambuf_iterator<char>{in}, {}};
}

struct outcome {
    bool succeeded;
    std::string output;
};

outcome run(const std::string& command) {
    FILE* const pipe = ::popen(("export LC_ALL=C; " + command + " 2>&1").c_str(), "r");  // C: quotation marks are ASCII
    if (pipe == nullptr) throw std::runtime_error{"cannot run " + command};
    std::string output;
    std::array<char, 4096> bytes{};
    while (const auto count = std::fread(bytes.data(), 1, bytes.size(), pipe)) output.append(bytes.data(), count);
    return {::pclose(pipe) == 0, output};
}

class compiler {
public:
    compiler(const std::string& title, const std::string& program)
        : title_{title}, program_{program}, command_{program + " -std=c++20 -Werror=unused-result @" + folder + "headers.flags "} {}

    [[nodiscard]] const std::string& title() const { return title_; }
    [[nodiscard]] bool is_installed() const { return run("command -v " + program_).succeeded; }

    /// Reads prelude.hpp, once: that takes a compiler longer than all the cases together.
    void prepare() const {
        static std::map<std::string, outcome> read;
        if (!read.contains(title_)) read[title_] = run(command_ + "-x c++-header " + folder + "prelude.hpp -o " + prelude() + ".gch");
        ASSERT_TRUE(read[title_].succeeded) << read[title_].output;
    }

    [[nodiscard]] outcome compile(const fs::path& source, const std::string& macro) const {
        return run(command_ + "-include " + prelude() + " -fsyntax-only " + macro + " " + source.string());
    }

private:
    [[nodiscard]] std::string prelude() const { return ::testing::TempDir() + title_ + ".hpp"; }

    std::string title_, program_, command_;
};

void PrintTo(const compiler& c, std::ostream* out) { *out << c.title(); }

std::vector<fs::path> cases() {
    return {fs::directory_iterator{folder + "cases"}, {}};
}

/// What stands between `before` and `after`, once for each time it does.
std::vector<std::string> between(const std::string& before, const std::string& after, const std::string& text) {
    std::vector<std::string> found;
    for (auto at = text.find(before); at != std::string::npos; at = text.find(before, at)) {
        at += before.size();
        found.push_back(text.substr(at, text.find(after, at) - at));
    }
    return found;
}

/// What a case expects.
std::string sentence(const fs::path& source) { return between("// error: ", "\n", contents(source)).at(0); }

class CompileFail : public ::testing::TestWithParam<std::tuple<compiler, fs::path>> {};

TEST_P(CompileFail, WithTheSentence) {
    const auto& [with, source] = GetParam();
    if (with.title() == "Clang" && !with.is_installed()) GTEST_SKIP() << "clang++-14 is not installed: what it says is not tested";
    ASSERT_NO_FATAL_FAILURE(with.prepare());
    auto compiled = std::async(std::launch::async, &compiler::compile, &with, source, "-DFIXED");
    const auto wrong = with.compile(source, "");
    const auto fixed = compiled.get();
    EXPECT_TRUE(fixed.succeeded) << fixed.output;
    EXPECT_FALSE(wrong.succeeded) << "it compiles";
    EXPECT_NE(wrong.output.find(sentence(source)), std::string::npos) << sentence(source) << "\n--- is not in\n" << wrong.output;
}

/// Gcc_AKeyPolicyWithState
std::string title(const ::testing::TestParamInfo<CompileFail::ParamType>& of) {
    const auto& [with, source] = of.param;
    std::string name = with.title() + "_";
    bool begins = true;
    for (const char c : source.stem().string()) {
        if (c != '_') name += begins ? static_cast<char>(std::toupper(c)) : c;
        begins = c == '_';
    }
    return name;
}

INSTANTIATE_TEST_SUITE_P(, CompileFail,
                         ::testing::Combine(::testing::Values(compiler{"Gcc", "g++"}, compiler{"Clang", "clang++-14"}),
                                            ::testing::ValuesIn(cases())),
                         title);

TEST(CompileFailCases, CoverEverySentence) {
    std::set<std::string> expected;
    for (const auto& source : cases()) expected.insert(sentence(source));
    int covered = 0;
    for (const auto& file : fs::recursive_directory_iterator{"."}) {
        if (file.path().extension() != ".hpp") continue;
        for (const auto& said : between("unmet<\"", "\">", contents(file.path()))) {  // one piece: so g++ prints it
            EXPECT_TRUE(expected.contains(said)) << file.path() << " says, and no case makes it: " << said;
            ++covered;
        }
    }
    EXPECT_GT(covered, 15) << "the headers were not found";
}

}  // namespace
