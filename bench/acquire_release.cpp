// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What does taking and releasing a free lock cost, beside the raw driver and beside SOCI?
//
//     bazel run --config=bench //bench:acquire_release
//     bazel run --config=bench //bench:acquire_release -- --on 'postgresql://host=db.example dbname=app'
//     bazel run --config=bench //bench:acquire_release -- --help
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "bench/cycles.hpp"
#include "bench/question.hpp"
#include "bench/rivals.hpp"
#include "bench/sqlalchemy_dlock.hpp"

namespace dlock::bench {
namespace {

contest on_sqlite(const std::string& folder, how way) {
    using namespace sqlite_rivals;
    const bool waits = way == how::lock;
    return {
        .where = where(),
        .id = waits ? "sqlite/lock" : "sqlite/try_lock",
        .what = waits ? "lock(), unlock()" : "try_lock(), unlock()",
        .contenders =
            {
                raw(folder),
                {"dlock", "dlock", sqlite_rivals::dlock(folder, way), waits ? "sqlite/cycle" : ""},
                soci_prepared(folder),
                soci_one_time(folder),
                flock(folder),
            },
        .plot = waits ? "sqlite_cycle" : "",
    };
}

contest in_memory() {
    return {
        .where = "memory",
        .id = "memory/lock",
        .what = "lock(), unlock()",
        .contenders = {memory_rivals::standard_mutex(), {"dlock", "dlock", memory_rivals::dlock()}},
    };
}

std::vector<contest> contests(const places& where) {
    std::vector<contest> all;
    for (const auto* const server : where.servers()) {
        auto here = cycles(*server);
        if (!where.line().sqlalchemy_dlock.empty()) here.front().contenders.push_back(sqlalchemy_dlock(server->url(), where.line()));
        all.insert(all.end(), std::make_move_iterator(here.begin()), std::make_move_iterator(here.end()));
    }
    for (const auto& folder : where.sqlite()) {
        for (const auto way : {how::lock, how::try_lock}) all.push_back(on_sqlite(folder, way));
    }
    if (where.are_throw_away()) all.push_back(in_memory());
    return all;
}

}  // namespace

const question the_question{"acquire_release", "what taking and releasing a free lock costs, beside the raw driver and beside SOCI",
                            processors::one, contests};

}  // namespace dlock::bench
