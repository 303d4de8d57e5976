// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "bench/command_line.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>
#include <string_view>

namespace dlock::bench {

const char* const help =
    R"(  (no options)                starts the servers that it needs, on 127.0.0.1, and measures those
  --on URL                    measures your server only, which may be far away; more than one --on is fine
                                postgresql://host=db.example user=app dbname=app
                                mysql://host=db.example user=app dbname=app
                                sqlite3:///var/lib/app/locks     a folder: its file system matters; two small files stay
  --processors one|two|all    one: client and servers share it; two: the servers have one, the client another. Where the
                              scheduler puts them changes a round trip threefold, so questions about one thread say one,
                              unless you do; others say all
  --quick                     a look, for a moment: says whether it runs, and little else
  --results FILE              writes what //bench:report reads
  --sqlalchemy-dlock FOLDER   also measures Python's sqlalchemy-dlock, which is imported from this folder
  --python PROGRAM            the Python that has sqlalchemy and a driver; python3 unless said otherwise

  --benchmark_filter=REGEX    only benchmarks of such names: postgresql, /lock/, dlock ...
  --benchmark_list_tests      their names
  --benchmark_min_time=SECONDS, --benchmark_out=FILE, --benchmark_format=json|csv and what else Google Benchmark knows

Its counters, and the tables at the end: p50 and p99 of what is asked, and the ratio of the contender's median by that of
the yardstick, the first one of the table. The two take turns, within milliseconds; each pair of turns gives a ratio, and
shown is their median. The yardstick beside itself shows the noise. "Library was built as DEBUG" is about Debian's
libbenchmark.
)";

namespace {

processors which_processors(std::string_view given) {
    if (given == "one") return processors::one;
    if (given == "two") return processors::two;
    if (given == "all") return processors::all;
    throw std::invalid_argument{"--processors takes one, two or all"};
}

std::string url(std::string_view given) {
    constexpr std::array known{"postgresql://", "mysql://", "sqlite3://"};
    if (std::none_of(known.begin(), known.end(), [&](std::string_view k) { return given.starts_with(k) && given != k; }))
        throw std::invalid_argument{"--on takes postgresql://..., mysql://... or sqlite3://FOLDER; --help shows how"};
    return std::string{given};
}

}  // namespace

command_line parse(int argc, char** argv) {
    static std::string seconds = "--benchmark_min_time=1", a_moment = "--benchmark_min_time=0.02", aligned = "--benchmark_counters_tabular=true";
    command_line found;
    found.for_benchmark = {argv[0], seconds.data(), aligned.data()};
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        const auto value_of = [&](std::string_view option) -> std::optional<std::string> {
            if (argument.starts_with(option) && argument.substr(option.size()).starts_with('='))
                return std::string{argument.substr(option.size() + 1)};
            if (argument != option) return std::nullopt;
            return i + 1 < argc ? argv[++i] : "";
        };
        if (argument == "--help" || argument == "-h") found.help = true;
        else if (argument == "--quick") found.for_benchmark.push_back(a_moment.data());  // the last one counts
        else if (const auto on = value_of("--on")) found.on.push_back(url(*on));
        else if (const auto file = value_of("--results")) found.results = *file;
        else if (const auto folder = value_of("--sqlalchemy-dlock")) found.sqlalchemy_dlock = *folder;
        else if (const auto which = value_of("--processors")) found.use = which_processors(*which);
        else if (const auto program = value_of("--python")) found.python = *program;
        else found.for_benchmark.push_back(argv[i]);
    }
    return found;
}

}  // namespace dlock::bench
