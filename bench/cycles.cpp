// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "bench/cycles.hpp"

namespace dlock::bench {
namespace {

contest cycle(const server_rivals& server, how way) {
    const bool waits = way == how::lock;
    return {
        .where = server.where(),
        .id = server.id() + (waits ? "/lock" : "/try_lock"),
        .what = waits ? "lock(), unlock()" : "try_lock(), unlock()",
        .contenders =
            {
                server.raw(way),
                {"dlock", "dlock", server.on_a_session(way), waits ? server.id() + "/cycle" : ""},
                server.soci_prepared(way),
                server.soci_one_time(way),
            },
        .plot = waits ? server.id() + "_cycle" : "",
    };
}

}  // namespace

std::vector<contest> cycles(const server_rivals& server) { return {cycle(server, how::lock), cycle(server, how::try_lock)}; }

}  // namespace dlock::bench
