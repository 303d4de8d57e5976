// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// How often do threads of one process that all want one key get it, and how fast does it go from one to the next?
//
//     bazel run --config=bench //bench:threads
#include <string>
#include <vector>

#include "bench/question.hpp"
#include "bench/relay.hpp"
#include "bench/rivals.hpp"
#include "bench/throughput.hpp"

namespace dlock::bench {
namespace {

contest throughput(const server_rivals& server, int threads) {
    const auto by = [&](std::string name, std::string id, const rival_maker& make, std::string goal = {}) {
        return contender{std::move(name), std::move(id), all_at_once(threads, make), std::move(goal)};
    };
    const auto no_server = memory_rivals::one_fair_mutex();
    return {
        .where = server.where(),
        .id = server.id() + "/threads/" + std::to_string(threads),
        .what = std::to_string(threads) + (threads == 1 ? " thread, acquisitions" : " threads that want one key, acquisitions"),
        .unit = unit::per_second,
        .contenders =
            {
                by("the driver, a connection per thread", "raw", server.raw(how::lock).make),
                by("dlock, lock_manager with one connection", "dlock_managed", server.through_one_manager(how::lock),
                   threads == 16 && server.id() == "postgresql" ? "threads" : ""),
                by("dlock, a session per thread", "dlock", server.on_a_session(how::lock)),
                by(no_server.name, no_server.id, no_server.make),
            },
        .pace = {.cycles = 1},
        .plot = server.id() + "_threads",
        .x = threads,
    };
}

contest hand_over(const server_rivals& server) {
    const auto by = [](std::string name, std::string id, const rival_maker& make, std::string goal = {}) {
        constexpr relay how{.are = members::threads, .how_many = 2, .hold = std::chrono::microseconds{200}};
        return contender{std::move(name), std::move(id), handing_over(how, make), std::move(goal)};
    };
    return {
        .where = server.where(),
        .id = server.id() + "/threads/hand_over",
        .what = "from before unlock() in one thread to after lock() in another, which waits",
        .contenders =
            {
                by("the driver, a connection per thread", "raw", server.raw(how::lock).make),
                by("dlock, lock_manager with one connection", "dlock_managed", server.through_one_manager(how::lock),
                   server.id() == "postgresql" ? "threads/hand_over" : ""),
            },
        .plot = server.id() + "_hand_over",
    };
}

std::vector<contest> contests(const places& where) {
    std::vector<contest> all;
    for (const auto* const server : where.servers()) {
        for (const int threads : {1, 2, 4, 8, 16}) all.push_back(throughput(*server, threads));
        all.push_back(hand_over(*server));
    }
    return all;
}

}  // namespace

const question the_question{"threads", "how often threads that want one key get it, and how fast it goes from one to the next",
                            processors::all, contests};

}  // namespace dlock::bench
