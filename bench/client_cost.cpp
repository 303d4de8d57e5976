// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// How many instructions does the client execute to take a lock and to give it back? Unlike time, this can be repeated.
//
//     bazel run --config=bench //bench:client_cost
//     bazel run --config=bench //bench:client_cost -- --only postgresql/lock --results FILE
//
// Counted by valgrind's callgrind, in a process of its own for each contender of //bench:acquire_release, and only while it
// goes through its cycles: neither the start of the program counts, nor the connection and the first use of it. What free()
// and malloc() do depends on what lies beside in memory, which can make a twentieth of the whole; so each contender gets
// many connections, one after the other, in a heap that is another one every time, and the same in every run.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/contest.hpp"
#include "bench/cycles.hpp"
#include "bench/markdown.hpp"
#include "bench/result.hpp"
#include "bench/rivals.hpp"
#include "tests/servers/child_process.hpp"
#include "tests/servers/find_program.hpp"
#include "tests/servers/mariadb_server.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/servers/temporary_directory.hpp"

namespace dlock::bench {
constexpr int cycles_a_connection = 25;
}

/// What is counted; callgrind knows it by its name.
extern "C" [[gnu::noinline]] void dlock_bench_cycles(dlock::bench::rival& who) {
    for (int i = 0; i < dlock::bench::cycles_a_connection; ++i) {
        who.acquire();
        who.release();
    }
}

namespace dlock::bench {
namespace {

const char* const help =
    R"(client_cost: how many instructions the client executes for a cycle of acquire and release

  client_cost [--only TEXT] [--results FILE]

  --only TEXT      only contenders with TEXT in "contest/contender", say postgresql/lock/
  --results FILE   writes what //bench:report reads

Starts the servers it needs. Needs valgrind. The table goes to standard output, in Markdown.
)";

constexpr int connections = 40;

struct options {
    std::string only, results;
    std::string contender, url;  ///< in the child process: what to run, and where
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
        else if (argument == "--only") found.only = value();
        else if (argument == "--results") found.results = value();
        else if (argument == "--contender") found.contender = value();
        else if (argument == "--url") found.url = value();
        else throw std::invalid_argument{"no such option: " + std::string{argument} + "; --help says which there are"};
    }
    return found;
}

std::vector<contest> contests_at(const std::string& url) {
    return cycles(*(url.starts_with("postgresql://") ? postgresql_rivals(url) : mysql_rivals(url)));
}

void measure_cycles(const contender& who) {
    std::minstd_rand random;
    std::vector<std::unique_ptr<char[]>> others;  // memory that the rest of a program would have
    for (int i = 0; i < connections; ++i) {
        for (int k = 0; k < 50; ++k) {
            auto other = std::make_unique<char[]>(random() % 4096);
            if (random() % 2 == 0) others.push_back(std::move(other));
        }
        const auto competing = who.make();
        auto& lock = dynamic_cast<rival&>(*competing);  // what all cycles are made of
        for (int k = 0; k < 3; ++k) {  // the first use prepares
            lock.acquire();
            lock.release();
        }
        dlock_bench_cycles(lock);
    }
}

/// In the child process.
void run_contender(const options& what) {
    for (const auto& each : contests_at(what.url)) {
        for (const auto& who : each.contenders) {
            if (each.id + "/" + who.id == what.contender) return measure_cycles(who);
        }
    }
    throw std::invalid_argument{"no such contender: " + what.contender};
}

class counter {
public:
    [[nodiscard]] std::int64_t instructions_per_cycle(const std::string& contender, const std::string& url) const {
        const auto counts = folder_.path() / "counts", log = folder_.path() / "log";
        testing::run({.command = {valgrind_, "--tool=callgrind", "--toggle-collect=dlock_bench_cycles",
                                  "--callgrind-out-file=" + counts.string(), std::filesystem::read_symlink("/proc/self/exe").string(),
                                  "--contender", contender, "--url", url},
                      .log = log},
                     std::chrono::minutes{2});
        std::ifstream file{counts};
        for (std::string line; std::getline(file, line);) {
            if (constexpr std::string_view key = "totals: "; line.starts_with(key)) {
                if (const auto total = std::stoll(line.substr(key.size())); total > 0) return total / (connections * cycles_a_connection);
            }
        }
        throw std::runtime_error{"callgrind has counted nothing: " + testing::tail(log)};
    }

private:
    std::string valgrind_ = testing::find_program("valgrind", "valgrind");
    testing::temporary_directory folder_;
};

result counted(const contest& in, const contender& who, std::int64_t instructions, std::int64_t yardstick) {
    const auto count = static_cast<double>(instructions);
    const double ratio = yardstick > 0 ? count / static_cast<double>(yardstick) : 0;  // 0: the yardstick was left out
    return {.contest = "client_cost/" + in.id, .where = in.where, .what = in.what, .name = who.name, .id = who.id,
            .unit = unit::instructions, .figure = {count, count}, .largest = count,
            .ratio = ratio, .ratio_low = ratio, .ratio_high = ratio,
            .goal = who.id == "dlock" && in.id == "postgresql/lock" ? "postgresql/instructions" : ""};
}

std::vector<result> count(const std::string& url, const std::string& only, const counter& instructions) {
    std::vector<result> found;
    for (const auto& each : contests_at(url)) {
        std::int64_t yardstick = 0;
        for (std::size_t i = 0; i < each.contenders.size(); ++i) {
            const auto& who = each.contenders[i];
            const auto id = each.id + "/" + who.id;
            if (id.find(only) == id.npos) continue;
            std::cerr << id << " ...\n";
            const auto cost = instructions.instructions_per_cycle(id, url);
            if (i == 0) yardstick = cost;
            found.push_back(counted(each, who, cost, yardstick));
        }
    }
    return found;
}

void measure(const options& what) {
    const counter instructions;  // without valgrind nothing need be started
    std::vector<result> all;
    const auto add = [&](const std::string& url) {
        auto more = count(url, what.only, instructions);
        all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    };
    if (!what.only.starts_with("mysql")) add(testing::postgresql_server{{.tcp = true}}.url());
    if (!what.only.starts_with("postgresql")) add(testing::mariadb_server{{.tcp = true}}.url());
    if (all.empty()) throw std::invalid_argument{"there is no contender like " + what.only};
    print_contests(std::cout, all);
    if (!what.results.empty()) write(what.results, all);
}

}  // namespace
}  // namespace dlock::bench

int main(int argc, char** argv) {
    try {
        const auto what = dlock::bench::parse(argc, argv);
        if (what.help) {
            std::cout << dlock::bench::help;
        } else if (!what.contender.empty()) {
            dlock::bench::run_contender(what);
        } else {
            dlock::bench::measure(what);
        }
        return 0;
    } catch (const std::exception& error) {
        std::cerr << "client_cost: " << error.what() << '\n';
        return 1;
    }
}
