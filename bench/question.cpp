// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "bench/question.hpp"

#include <benchmark/benchmark.h>
#include <sched.h>

#include <algorithm>
#include <exception>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "bench/command_line.hpp"
#include "bench/markdown.hpp"
#include "bench/result.hpp"

namespace dlock::bench {
namespace {

/// This thread, and what it starts from now on.
void stay_on(std::size_t processor) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processor, &one);
    (void)::sched_setaffinity(0, sizeof one, &one);
}

std::size_t this_processor() { return static_cast<std::size_t>(std::max(0, ::sched_getcpu())); }

std::size_t another_processor(std::size_t than) {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    (void)::sched_getaffinity(0, sizeof allowed, &allowed);
    for (std::size_t i = 0; i < CPU_SETSIZE; ++i) {
        if (CPU_ISSET(i, &allowed) && i != than) return i;
    }
    return than;
}

int answer(int argc, char** argv) {
    auto line = parse(argc, argv);
    if (line.help) {
        std::cout << the_question.name << ": " << the_question.asks << "\n\n" << help;
        return 0;
    }
    int count = static_cast<int>(line.for_benchmark.size());
    benchmark::Initialize(&count, line.for_benchmark.data());
    if (benchmark::ReportUnrecognizedArguments(count, line.for_benchmark.data())) return 1;

    const auto use = line.use.value_or(the_question.use);
    const auto for_servers = this_processor();
    const auto for_client = another_processor(for_servers);
    if (use != processors::all) stay_on(for_servers);
    const places where{line};
    const auto contests = the_question.contests(where);  // starts the servers
    if (use == processors::two) stay_on(for_client);
    std::vector<std::vector<measurement>> measured(contests.size());
    for (std::size_t i = 0; i < contests.size(); ++i) enter(contests[i], measured[i]);
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();

    std::vector<result> all;
    for (std::size_t i = 0; i < contests.size(); ++i) {
        auto more = results(contests[i], measured[i]);
        all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    }
    print_contests(std::cerr, all);
    if (!line.results.empty()) write(line.results, all);
    return std::any_of(all.begin(), all.end(), [](const result& r) { return !r.error.empty(); }) ? 1 : 0;
}

}  // namespace
}  // namespace dlock::bench

int main(int argc, char** argv) {
    try {
        return dlock::bench::answer(argc, argv);
    } catch (const std::exception& error) {
        std::string what = error.what();  // what a driver has to say may take several lines
        std::replace_if(what.begin(), what.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
        std::cerr << dlock::bench::the_question.name << ": " << what << '\n';
        return 1;
    }
}
