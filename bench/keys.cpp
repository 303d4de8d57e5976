// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Does a lock cost more when many others are held, what does each of many need, and how soon is the loss of all told?
//
//     bazel run --config=bench //bench:keys
#include <cstddef>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "bench/question.hpp"
#include "bench/rivals.hpp"

namespace dlock::bench {
namespace {

constexpr std::size_t many = 10'000;

contest cycle_beside(const server_rivals& server, std::size_t others) {
    return {
        .where = server.where(),
        .id = server.id() + "/keys/" + std::to_string(others),
        .what = "lock(), unlock() while the session holds other locks: " + std::to_string(others),
        .contenders =
            {
                server.raw(how::lock, others),  // the server, too, may mind how many its session holds
                {"dlock, session", "dlock", server.on_a_session(how::lock, others)},
                {"dlock, lock_manager", "dlock_managed", server.through_a_manager(how::lock, 1, others)},
            },
        .pace = {.turns = 256},  // taking the others takes long
        .plot = server.id() + "_keys",
        .x = static_cast<double>(others),
    };
}

contest of_many(const server_rivals& server, const std::string& id, std::string what, unit in, std::vector<contender> contenders) {
    return {
        .where = server.where(),
        .id = server.id() + "/keys/" + id,
        .what = "10,000 keys held at once over a lock_manager: " + std::move(what),
        .unit = in,
        .has_yardstick = false,
        .contenders = std::move(contenders),
        .pace = {.cycles = 1, .turns = 1},
    };
}

std::vector<contest> contests(const places& where) {
    using of = server_rivals::of_many;
    std::vector<contest> all;
    for (const auto* const server : where.servers()) {
        for (const std::size_t others : std::initializer_list<std::size_t>{1, 10, 100, 1'000, 10'000}) all.push_back(cycle_beside(*server, others));
        const auto goal = [&](const char* id) { return server->id() + "/keys/" + id; };
        all.push_back(of_many(*server, "connections", "how many connections", unit::connections,
                              {{"dlock, lock_manager", "dlock_managed", server->many_keys(many, of::connections), goal("connections")}}));
        all.push_back(of_many(*server, "memory", "memory of the client for each, the lock object included", unit::bytes,
                              {{"dlock, lock_manager", "dlock_managed", server->many_keys(many, of::memory)},
                               {"dlock, lock_manager, with lost() listened to", "dlock_listening",
                                server->many_keys(many, of::memory_when_listening), goal("memory")}}));
        if (!where.are_throw_away()) continue;
        all.push_back(of_many(*server, "loss", "from the kill of the connections to the last lost() that is told", unit::milliseconds,
                              {{"dlock, lock_manager", "dlock_managed", server->many_keys(many, of::loss), goal("loss")}}));
    }
    return all;
}

}  // namespace

const question the_question{"keys", "whether a lock costs more when many are held, what each needs, and when its loss is told",
                            processors::one, contests};

}  // namespace dlock::bench
