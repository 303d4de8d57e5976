// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// All questions, their answers and the goals on one page, docs/benchmarks.md, with its plots in docs/benchmarks/.
//
//     bazel run --config=bench //bench:report
//     bazel run --config=bench //bench:report -- --help
//
// Each question is asked by a programme of its own, one after the other: what it does to the heap, to its processors and to
// its servers is no other question's business. Within a programme the rivals take turns.
#include <sys/utsname.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "bench/goals.hpp"
#include "bench/markdown.hpp"
#include "bench/plots.hpp"
#include "bench/result.hpp"
#include "tests/servers/child_process.hpp"
#include "tests/servers/temporary_directory.hpp"

namespace dlock::bench {
namespace {

namespace fs = std::filesystem;

const char* const help =
    R"(report: every benchmark, the goals and the plots on one page

  report [--quick] [--only NAME]... [--into FOLDER] [--sqlalchemy-dlock FOLDER [--python PROGRAM]]

  --quick                     a look of two minutes, to see that all of it runs; its figures say little
  --only NAME                 only this programme, say threads; nothing is written unless --into says where
  --into FOLDER               writes benchmarks.md and benchmarks/*.svg there; docs of the workspace unless said otherwise
  --sqlalchemy-dlock FOLDER   also measures Python's sqlalchemy-dlock, which is imported from this folder
  --python PROGRAM            the Python that has sqlalchemy and a driver; python3 unless said otherwise

Starts the servers it needs, and takes a quarter of an hour. Let the machine do nothing else meanwhile.
)";

struct programme {
    std::string name;
    std::string heading;
    std::string remark;
    std::vector<std::string> quick;  ///< arguments
    bool takes_python = false;
    std::vector<std::string> always = {};  ///< arguments
    bool again = false;  ///< it has been asked already: no goal and no plot is about this time
};

const std::vector<programme>& programmes() {
    const std::string pinned = "Client and servers share one processor, over TCP loopback.";
    const std::string apart = "The servers have one processor and the client another, over TCP loopback.";
    const std::string free = "Client and servers have all processors, over TCP loopback.";
    static const std::vector<programme> all{
        {"acquire_release", "Taking and releasing a free lock", pinned, {"--quick"}, true},
        {"timed_acquire", "A limit to the wait, when the lock is free", pinned, {"--quick"}},
        {"managed", "Through a lock_manager, which does not await its releases", apart, {"--quick"}},
        {"managed", "The same on one processor", pinned + " So nobody does anything meanwhile, and what is gained is fewer wake-ups.",
         {"--quick"}, false, {"--processors", "one"}, true},
        {"multi_lock", "Many names at once", pinned, {"--quick"}},
        {"threads", "Threads of one process that want one key", free, {"--quick"}},
        {"processes", "Processes that want one key", free, {"--quick"}},
        {"keys", "Many keys held at once", pinned, {"--quick", "--benchmark_filter=/keys/(1|1000|[a-z]+)/"}},
        {"client_cost", "Instructions of the client", "Counted by callgrind; for a cycle. There is no noise to speak of.", {"--only", "postgresql/lock/"}},
        {"compile_cost", "Seconds of the compiler", "Of the processor, for a file that has nothing but this include.", {"--rounds", "1"}},
    };
    return all;
}

struct options {
    bool quick = false, help = false;
    std::vector<std::string> only;
    std::string into, sqlalchemy_dlock, python = "python3";
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
        else if (argument == "--quick") found.quick = true;
        else if (argument == "--only") found.only.push_back(value());
        else if (argument == "--into") found.into = value();
        else if (argument == "--sqlalchemy-dlock") found.sqlalchemy_dlock = fs::absolute(value()).string();
        else if (argument == "--python") found.python = value();
        else throw std::invalid_argument{"no such option: " + std::string{argument} + "; --help says which there are"};
    }
    for (const auto& name : found.only) {
        const auto& all = programmes();
        if (std::none_of(all.begin(), all.end(), [&](const programme& p) { return p.name == name; }))
            throw std::invalid_argument{"no such programme: " + name};
    }
    return found;
}

struct section {
    programme by;
    std::vector<result> results;
    std::string error;  ///< why there are none, or not all
};

section ask(const programme& what, const options& how) {
    const testing::temporary_directory folder;
    const auto file = (folder.path() / "results").string(), log = (folder.path() / "log").string();
    std::vector<std::string> command{fs::absolute("bench/" + what.name).string(), "--results", file};
    command.insert(command.end(), what.always.begin(), what.always.end());
    if (how.quick) command.insert(command.end(), what.quick.begin(), what.quick.end());
    if (what.takes_python && !how.sqlalchemy_dlock.empty())
        command.insert(command.end(), {"--sqlalchemy-dlock", how.sqlalchemy_dlock, "--python", how.python});
    section answer{.by = what, .results = {}, .error = {}};
    try {
        testing::run({.command = std::move(command), .log = log}, std::chrono::hours{1});
    } catch (const std::exception& e) {
        answer.error = e.what();
    }
    if (fs::exists(file)) answer.results = read_results(file);
    if (what.again) {
        for (auto& r : answer.results) r.goal.clear(), r.plot.clear();
    }
    return answer;
}

std::string processor() {
    std::ifstream info{"/proc/cpuinfo"};
    for (std::string line; std::getline(info, line);) {
        if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
    }
    return "unknown";
}

std::string kernel() {
    utsname name{};
    (void)::uname(&name);
    return std::string{name.sysname} + ' ' + name.release;
}

/// "PostgreSQL 15.8, MariaDB 10.11.6": whatever was measured and has a version.
std::string servers(const std::vector<result>& all) {
    std::set<std::string> seen;
    std::string text;
    for (const auto& r : all) {
        if (r.where.find_first_of("0123456789") != r.where.npos && seen.insert(r.where).second) text += (text.empty() ? "" : ", ") + r.where;
    }
    return text;
}

/// How far yardsticks stray from themselves.
std::string noise(const std::vector<result>& all) {
    std::vector<std::pair<double, std::string>> strayed;
    for (const auto& r : all) {
        if (r.is_yardstick && r.ratio != 0) strayed.emplace_back(std::abs(r.ratio - 1) * 100, r.contest);
    }
    if (strayed.empty()) return "no yardstick was measured";
    std::sort(strayed.begin(), strayed.end());
    std::ostringstream text;
    text.precision(2);
    text << "beside itself a yardstick strays by " << strayed[strayed.size() / 2].first << " % (the median of " << strayed.size() << "), and by "
         << strayed.back().first << " % at most (" << strayed.back().second << ")";
    return text.str();
}

void print(std::ostream& to, const std::vector<section>& sections, const std::vector<plot>& pictures, const options& how) {
    std::vector<result> all;
    for (const auto& s : sections) all.insert(all.end(), s.results.begin(), s.results.end());
    to << "# Benchmarks\n\n"
       << "Written by `bazel run --config=bench //bench:report" << (how.quick ? " -- --quick`: a look to see that it runs. Its figures say little.\n\n" : "`.\n\n")
       << "- machine: " << processor() << ", " << std::thread::hardware_concurrency() << " processors, " << kernel() << "\n"
       << "- servers: " << servers(all) << ", with their usual settings but for durability, which locks do not need\n"
       << "- noise: " << noise(all) << "\n\n"
       << "A ratio is one of medians: contender and yardstick, the first one of a table, take turns within milliseconds; each pair of turns\n"
          "gives a ratio, and shown are the median and the quartiles of these. \"largest\" is the largest of all samples, which on a machine\n"
          "that does anything else is the scheduler's.\n\n## Goals\n\n";
    print_goals(to, all);
    for (const auto& s : sections) {
        to << "\n## " << s.by.heading << "\n\n" << s.by.remark << " `//bench:" << s.by.name << "`\n";
        if (!s.error.empty()) to << "\nNot all of it was measured: " << s.error.substr(0, s.error.find('\n')) << '\n';
        if (s.by.takes_python && how.sqlalchemy_dlock.empty())
            to << "\nsqlalchemy-dlock (Python) was not measured: `--sqlalchemy-dlock FOLDER` says where it is.\n";
        print_contests(to, s.results);
        for (const auto& p : pictures) {
            const bool here = std::any_of(s.results.begin(), s.results.end(), [&](const result& r) { return r.plot == p.id; });
            if (here) to << "\n![" << p.title << "](benchmarks/" << p.id << ".svg)\n";
        }
    }
}

void save(const fs::path& file, const std::string& text) {
    std::ofstream to{file};
    to << text;
    if (!to.flush()) throw std::runtime_error{"cannot write " + file.string()};
}

/// Nothing: nowhere.
fs::path destination(const options& how) {
    if (!how.into.empty() || !how.only.empty()) return how.into;
    const char* const workspace = std::getenv("BUILD_WORKSPACE_DIRECTORY");
    if (workspace == nullptr) throw std::invalid_argument{"started outside `bazel run`: --into says where to write"};
    return fs::path{workspace} / "docs";
}

int report(const options& how) {
    const auto into = destination(how);
    std::vector<section> sections;
    std::vector<result> all;
    for (const auto& each : programmes()) {
        if (!how.only.empty() && std::find(how.only.begin(), how.only.end(), each.name) == how.only.end()) continue;
        std::cerr << each.name << (each.again ? ", again" : "") << " ...\n";
        sections.push_back(ask(each, how));
        if (!sections.back().error.empty()) std::cerr << each.name << ": " << sections.back().error << '\n';
        const auto& more = sections.back().results;
        all.insert(all.end(), more.begin(), more.end());
    }
    if (how.sqlalchemy_dlock.empty()) std::cerr << "sqlalchemy-dlock is not measured: --sqlalchemy-dlock says where it is\n";
    const auto pictures = plots(all);
    std::ostringstream page;
    print(page, sections, pictures, how);
    std::cout << page.str();
    if (!into.empty()) {
        fs::create_directories(into / "benchmarks");
        save(into / "benchmarks.md", page.str());
        for (const auto& p : pictures) save(into / "benchmarks" / (p.id + ".svg"), p.svg);
        std::cerr << "written: " << (into / "benchmarks.md").string() << '\n';
    }
    return std::any_of(sections.begin(), sections.end(), [](const section& s) { return !s.error.empty(); }) ? 1 : 0;
}

}  // namespace
}  // namespace dlock::bench

int main(int argc, char** argv) {
    try {
        const auto how = dlock::bench::parse(argc, argv);
        if (how.help) {
            std::cout << dlock::bench::help;
            return 0;
        }
        return dlock::bench::report(how);
    } catch (const std::exception& error) {
        std::cerr << "report: " << error.what() << '\n';
        return 1;
    }
}
