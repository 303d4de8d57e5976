// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What does including a header of dlock cost, beside including SOCI?
//
//     bazel run //bench:compile_cost
//     bazel run //bench:compile_cost -- --compiler clang++-14 --rounds 15 --results FILE
//
// Each file has one line, the include. They are compiled in turns, round after round, and what counts is the median of
// the processor's seconds: the machine may be busy with other things meanwhile.
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "bench/markdown.hpp"
#include "bench/percentiles.hpp"
#include "bench/result.hpp"
#include "tests/servers/find_program.hpp"
#include "tests/servers/temporary_directory.hpp"

namespace dlock::bench {
namespace {

const char* const help =
    R"(compile_cost: the processor's seconds that a file costs which includes one of dlock's headers, or SOCI's

  compile_cost [--compiler NAME] [--rounds N] [--results FILE]

The table goes to standard output, in Markdown; --results FILE has what //bench:report reads.
)";

struct subject {
    std::string what;     ///< in the table
    std::string source;
    std::string goal = {};  ///< its id: goals.hpp
    std::vector<double> seconds = {};

    [[nodiscard]] double median() const { return percentile(seconds, 0.5); }
};

std::vector<subject> subjects() {
    const auto file = [](const std::string& header, std::string goal = {}) {
        return subject{"`<" + header + ">`", "#include <" + header + ">\n", goal};
    };
    return {
        file("soci/soci.h"),  // the yardstick
        {"`<soci/soci.h>` and `<soci/postgresql/soci-postgresql.h>`",
         "#include <soci/soci.h>\n#include <soci/postgresql/soci-postgresql.h>\n"},
        {"nothing", "\n"},
        file("dlock/lock.hpp"),
        file("dlock/memory.hpp"),
        file("dlock/sqlite.hpp"),
        file("dlock/mysql.hpp"),
        file("dlock/postgresql.hpp", "compile/postgresql"),
        file("dlock/any_lock.hpp"),
        file("dlock/make_lock.hpp"),
        {"`<soci/soci.h>` and `<dlock/postgresql.hpp>`", "#include <soci/soci.h>\n#include <dlock/postgresql.hpp>\n"},
    };
}

struct options {
    std::string compiler = "g++", results;
    int rounds = 7;
    bool help = false;
};

options parse(int argc, char** argv) {
    options found;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        const auto value = [&] {
            if (++i == argc) throw std::invalid_argument{std::string{argument} + " needs a value; --help says which"};
            return std::string{argv[i]};
        };
        if (argument == "--help" || argument == "-h") found.help = true;
        else if (argument == "--compiler") found.compiler = value();
        else if (argument == "--rounds") found.rounds = std::stoi(value());
        else if (argument == "--results") found.results = value();
        else throw std::invalid_argument{"no such option: " + std::string{argument} + "; --help says which there are"};
    }
    if (found.rounds < 1) throw std::invalid_argument{"--rounds must be 1 or more"};
    return found;
}

/// What the build says of where headers are; see include_flags.bzl.
std::vector<std::string> include_flags() {
    std::ifstream file{"bench/include_flags"};
    if (!file) throw std::runtime_error{"started outside `bazel run`: bench/include_flags is not there"};
    std::vector<std::string> flags;
    for (std::string line; std::getline(file, line);) flags.push_back(line);
    return flags;
}

double seconds(const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; }

/// Runs it to its end: the processor's seconds, in user mode and for it in the kernel, with those of its own children.
double processor_seconds(std::vector<std::string> command) {
    std::vector<char*> arguments;
    for (auto& word : command) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_t pid = -1;
    if (const int error = ::posix_spawn(&pid, arguments[0], nullptr, nullptr, arguments.data(), ::environ); error != 0) {
        throw std::system_error{error, std::generic_category(), command.front()};
    }
    int status = 0;
    rusage used{};
    while (::wait4(pid, &status, 0, &used) == -1) {
        if (errno != EINTR) throw std::system_error{errno, std::generic_category(), "wait4"};
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw std::runtime_error{"the compiler fails on " + command.back()};
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

void compile_all(std::vector<subject>& all, const options& how) {
    const testing::temporary_directory folder;
    std::vector<std::string> command{testing::find_program(how.compiler, "g++"), "-std=c++20", "-O2", "-c", "-o", "/dev/null"};
    const auto flags = include_flags();
    command.insert(command.end(), flags.begin(), flags.end());
    command.emplace_back();
    const auto source_of = [&](std::size_t i) { return (folder.path() / (std::to_string(i) + ".cpp")).string(); };
    for (std::size_t i = 0; i < all.size(); ++i) std::ofstream{source_of(i)} << all[i].source;
    for (int round = -1; round < how.rounds; ++round) {  // the first one is for the caches
        for (std::size_t i = 0; i < all.size(); ++i) {
            command.back() = source_of(i);
            const double took = processor_seconds(command);
            if (round >= 0) all[i].seconds.push_back(took);
        }
    }
}

std::vector<result> results(const std::vector<subject>& all) {
    constexpr double kept = 1e9;  // nanoseconds
    std::vector<result> found;
    for (const auto& s : all) {
        const double soci = all.front().median();
        found.push_back({.contest = "compile_cost", .what = "A file that includes ...", .name = s.what, .id = s.what, .unit = unit::seconds,
                         .figure = {s.median() * kept, percentile(s.seconds, 0.99) * kept},
                         .largest = percentile(s.seconds, 1) * kept,
                         .ratio = s.median() / soci,
                         .ratio_low = percentile(s.seconds, 0.25) / soci,
                         .ratio_high = percentile(s.seconds, 0.75) / soci,
                         .goal = s.goal});
    }
    return found;
}

void measure(const options& how) {
    auto all = subjects();
    compile_all(all, how);
    const auto found = results(all);
    print_contests(std::cout, found);
    if (!how.results.empty()) write(how.results, found);
}

}  // namespace
}  // namespace dlock::bench

int main(int argc, char** argv) {
    try {
        const auto how = dlock::bench::parse(argc, argv);
        if (how.help) std::cout << dlock::bench::help;
        else dlock::bench::measure(how);
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "compile_cost: " << error.what() << '\n';
        return 1;
    }
}
