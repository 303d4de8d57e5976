// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What does a cycle cost through a lock_manager, which does not await its releases, and how long does unlock() keep its caller?
//
//     bazel run --config=bench //bench:managed
#include <vector>

#include "bench/question.hpp"
#include "bench/rivals.hpp"

namespace dlock::bench {
namespace {

std::vector<contest> contests(const places& where) {
    std::vector<contest> all;
    for (const auto* const server : where.servers()) {
        const auto managed = [&](const char* goal) {
            return contender{"dlock, lock_manager", "dlock_managed", server->through_a_manager(how::lock), server->id() + goal};
        };
        const contender session{"dlock, session", "dlock", server->on_a_session(how::lock)};
        all.push_back({
            .where = server->where(),
            .id = server->id() + "/managed",
            .what = "lock(), unlock() through a lock_manager of one connection",
            .contenders = {server->raw(how::lock), managed("/managed"), session},
            .plot = server->id() + "_managed",
        });
        all.push_back({
            .where = server->where(),
            .id = server->id() + "/unlock",
            .what = "unlock() through a lock_manager, beside a round trip",
            .figure = figure::release,
            .contenders = {server->round_trip(), managed("/unlock"), session},
        });
    }
    return all;
}

}  // namespace

const question the_question{"managed", "what a cycle costs through a lock_manager, and how long unlock() keeps its caller",
                            processors::two, contests};  // a release that nobody awaits needs somebody else to do it

}  // namespace dlock::bench
