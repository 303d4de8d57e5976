// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// How fast does a lock go from one process to another, and how long does who waits for it wait at most?
//
//     bazel run --config=bench //bench:processes
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "bench/question.hpp"
#include "bench/relay.hpp"
#include "bench/rivals.hpp"

namespace dlock::bench {
namespace {

/// Long enough that who waits has begun to, and that who looks again and again has slowed down.
constexpr std::chrono::milliseconds hold{2};

contender in_processes(int how_many, const locker& who, std::string goal = {}) {
    return {who.name, who.id, handing_over({.are = members::processes, .how_many = how_many, .hold = hold}, who.make),
            how_many == 2 ? std::move(goal) : ""};
}

contest hand_over(std::string where, const std::string& id, int processes, std::vector<contender> contenders) {
    return {
        .where = std::move(where),
        .id = id + "/hand_off/" + std::to_string(processes),
        .what = "from before unlock() in one process to after lock() in another, of " + std::to_string(processes),
        .contenders = std::move(contenders),
        .plot = id + "_processes",
        .x = processes,
    };
}

contest hand_over(const server_rivals& server, int processes) {
    return hand_over(server.where(), server.id(), processes,
                     {in_processes(processes, server.raw(how::lock)),
                      in_processes(processes, {"dlock", "dlock", server.on_a_session(how::lock)}, server.id() + "/hand_off"),
                      in_processes(processes, {"dlock, lock_manager", "dlock_managed", server.through_a_manager(how::lock, 2)})});
}

locker on_sqlite(const std::string& folder) { return {"dlock", "dlock", sqlite_rivals::dlock(folder, how::lock)}; }

contest hand_over(const std::string& folder, int processes) {
    return hand_over(sqlite_rivals::where(), "sqlite", processes,
                     {in_processes(processes, sqlite_rivals::raw(folder)),
                      in_processes(processes, on_sqlite(folder), "sqlite/hand_off"),
                      in_processes(processes, sqlite_rivals::flock(folder))});
}

contest longest_wait(const std::string& folder) {
    const auto saturate = [](const locker& who, std::string goal = {}) {
        return contender{who.name, who.id, saturating(3, who.make), std::move(goal)};
    };
    return {
        .where = sqlite_rivals::where(),
        .id = "sqlite/saturated",
        .what = "waits of 3 processes that all want the lock again as soon as they have released it",
        .unit = unit::milliseconds,
        .has_yardstick = false,
        .contenders =
            {
                saturate(sqlite_rivals::raw(folder)),
                saturate(on_sqlite(folder), "sqlite/longest_wait"),
                saturate(sqlite_rivals::flock(folder)),
            },
        .pace = {.cycles = 1},
    };
}

std::vector<contest> contests(const places& where) {
    std::vector<contest> all;
    for (const auto* const server : where.servers()) {
        for (const int processes : {2, 4, 8}) all.push_back(hand_over(*server, processes));
    }
    for (const auto& folder : where.sqlite()) {
        for (const int processes : {2, 4, 8}) all.push_back(hand_over(folder, processes));
        all.push_back(longest_wait(folder));
    }
    return all;
}

}  // namespace

const question the_question{"processes", "how fast a lock goes from one process to another, and how long who wants it waits at most",
                            processors::all, contests};

}  // namespace dlock::bench
