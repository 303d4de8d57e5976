// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What does a limit to the wait cost, when the lock is free? One round trip is the least that it can.
//
//     bazel run --config=bench //bench:timed_acquire
#include <vector>

#include "bench/question.hpp"
#include "bench/rivals.hpp"

namespace dlock::bench {
namespace {

std::vector<contest> contests(const places& where) {
    std::vector<contest> all;
    for (const auto* const server : where.servers()) {
        const bool is_postgresql = server->id() == "postgresql";  // which has no function with a limit
        all.push_back({
            .where = server->where(),
            .id = server->id() + "/try_lock_for",
            .what = "try_lock_for() of a free lock, beside a round trip",
            .figure = figure::acquire,
            .contenders =
                {
                    server->round_trip(),
                    {"dlock", "dlock", server->on_a_session(how::try_lock_for), server->id() + "/timed"},
                    {"dlock, lock_manager", "dlock_managed", server->through_a_manager(how::try_lock_for)},
                    is_postgresql ? postgresql_set_local(server->url()) : server->raw(how::try_lock_for),
                    server->soci_one_time(how::try_lock_for),
                },
        });
        if (is_postgresql) all.back().contenders.back().name += ", without a limit";
    }
    return all;
}

}  // namespace

const question the_question{"timed_acquire", "what a limit to the wait costs when the lock is free", processors::one, contests};

}  // namespace dlock::bench
