// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What do many names cost when they are locked at once, beside as many single locks?
//
//     bazel run --config=bench //bench:multi_lock
#include <cstddef>
#include <string>
#include <vector>

#include "bench/question.hpp"
#include "bench/rivals.hpp"

namespace dlock::bench {
namespace {

contest cycle(const server_rivals& server, std::size_t names, bool with_limit, pace how_much) {
    const auto count = std::to_string(names);
    const auto goal = server.id() + "/multi_lock/" + count;
    contest c{
        .where = server.where(),
        .id = server.id() + "/multi_lock/" + count,
        .what = "lock(), unlock() of " + count + " names",
        .contenders =
            {
                {count + " single locks of dlock", "single_locks", server.single_locks(names)},
                {"multi_lock", "multi_lock", server.multi_lock(how::lock, names), goal},
            },
        .pace = how_much,
    };
    if (with_limit)
        c.contenders.push_back({"multi_lock, with a total deadline", "multi_lock_timed", server.multi_lock(how::try_lock_for, names), goal + "_timed"});
    return c;
}

std::vector<contest> contests(const places& where) {
    std::vector<contest> all;
    for (const auto* const server : where.servers()) {
        all.push_back(cycle(*server, 8, true, {}));
        all.push_back(cycle(*server, 1'000, true, {.cycles = 2, .warm_up = 1}));  // a cycle of single locks is 2,000 round trips
    }
    return all;
}

}  // namespace

const question the_question{"multi_lock", "what many names cost when they are locked at once, beside as many single locks",
                            processors::one, contests};

}  // namespace dlock::bench
