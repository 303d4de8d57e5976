// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What does taking and releasing a lock cost, beside the raw driver and beside SOCI?
//
//     bazel run --config=bench //bench:acquire_release
//     bazel run --config=bench //bench:acquire_release -- --on 'postgresql://host=db.example dbname=app'
//     bazel run --config=bench //bench:acquire_release -- --help
#include <benchmark/benchmark.h>
#include <sched.h>

#include <algorithm>
#include <exception>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bench/command_line.hpp"
#include "bench/contest.hpp"
#include "bench/report.hpp"
#include "bench/rivals.hpp"
#include "tests/servers/mariadb_server.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/servers/temporary_directory.hpp"

namespace dlock::bench {
namespace {

void append(std::vector<contest>& to, std::vector<contest> more) {
    to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

/// Keeps this process, and what it starts, on one processor. Where the scheduler puts client and server changes the time
/// of a round trip threefold, and now and then it changes its mind.
void share_one_processor() {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(std::max(0, ::sched_getcpu())), &one);
    (void)::sched_setaffinity(0, sizeof one, &one);
}

std::vector<contest> on_throw_away_servers() {
    share_one_processor();
    static const testing::postgresql_server postgresql{{.tcp = true}};
    static const testing::mariadb_server mariadb{{.tcp = true}};
    static const testing::temporary_directory folder;
    auto all = postgresql_contests(postgresql.url());
    append(all, mysql_contests(mariadb.url()));
    append(all, sqlite_contests(folder.path()));
    append(all, memory_contests());
    return all;
}

std::vector<contest> on_yours(const std::vector<std::string>& urls) {
    std::vector<contest> all;
    for (const auto& url : urls) {
        const auto colon = url.find("://");
        const auto kind = url.substr(0, colon);
        if (kind == "postgresql")
            append(all, postgresql_contests(url));
        else if (kind == "mysql")
            append(all, mysql_contests(url));
        else
            append(all, sqlite_contests(url.substr(colon + 3)));
    }
    return all;
}

int run(int argc, char** argv) {
    auto line = parse(argc, argv);
    if (line.help) {
        std::cout << help;
        return 0;
    }
    int count = static_cast<int>(line.for_benchmark.size());
    benchmark::Initialize(&count, line.for_benchmark.data());
    if (benchmark::ReportUnrecognizedArguments(count, line.for_benchmark.data())) return 1;

    const auto contests = line.on.empty() ? on_throw_away_servers() : on_yours(line.on);
    std::vector<std::vector<measurement>> measured(contests.size());
    for (std::size_t i = 0; i < contests.size(); ++i) enter(contests[i], measured[i]);
    benchmark::RunSpecifiedBenchmarks();
    for (std::size_t i = 0; i < contests.size(); ++i) print(std::cerr, contests[i], measured[i]);
    benchmark::Shutdown();
    return 0;
}

}  // namespace
}  // namespace dlock::bench

int main(int argc, char** argv) {
    try {
        return dlock::bench::run(argc, argv);
    } catch (const std::exception& error) {
        std::string what = error.what();  // what a driver has to say may take several lines
        std::replace_if(what.begin(), what.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
        std::cerr << "acquire_release: " << what << '\n';
        return 1;
    }
}
