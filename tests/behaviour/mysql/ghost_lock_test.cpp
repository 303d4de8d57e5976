// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Whether a wait that the server says has failed can leave a lock behind: the holder lets go at the very instant at which
// the wait ends by its timeout or by KILL QUERY, 1,000 times each. A timeout never left one; so its "0" is believed, and
// the backend saves itself a question. Every other failure it answers with the proof; so a ghost is no failure there, and
// is only counted.
#include <chrono>
#include <future>
#include <iostream>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "tests/mysql/client.hpp"
#include "tests/support/aim.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto limit = 4ms;

class GhostLock : public ::testing::TestWithParam<kind> {
protected:
    struct tally {
        int granted = 0, failed = 0, ghosts = 0;
    };

    /// `end_wait(begin)` runs beside a wait that began at `begin` and may end it; `may_say` are its answers then.
    template <class EndWait>
    tally race(const std::string& wait, const std::set<std::string>& may_say, EndWait end_wait) {
        aim when{limit};
        tally seen;
        for (int i = 0; i < tries; ++i) {
            EXPECT_EQ(a_.ask("SELECT GET_LOCK('k', 0)"), "1");
            const auto begin = clock::now();
            b_.send(wait);
            auto let_go = std::async(std::launch::async, [&] {
                busy_wait_until(begin + when.offset());
                return a_.ask("SELECT RELEASE_LOCK('k')");
            });
            end_wait(begin);
            const auto answer = b_.receive();
            EXPECT_EQ(let_go.get(), "1");
            const bool granted = answer == "1";
            const bool held = onlooker_.holder_of("k") != "NULL";
            when.adjust(granted);
            if (granted) {
                ++seen.granted;
                EXPECT_TRUE(held);
            } else {
                ++seen.failed;
                seen.ghosts += held;
                EXPECT_EQ(may_say.count(answer), 1U) << answer;
            }
            EXPECT_EQ(b_.ask("SELECT RELEASE_LOCK('k')"), held ? "1" : "NULL");
        }
        std::cout << seen.granted << " granted, " << seen.failed << " failed, of those ghosts: " << seen.ghosts << '\n';
        EXPECT_GT(seen.granted, tries / 10) << "badly aimed";
        EXPECT_GT(seen.failed, tries / 10) << "badly aimed";
        return seen;
    }

    mysql_family& server_ = GetParam().server();
    client onlooker_{server_}, a_{server_}, b_{server_};
};

INSTANTIATE_TEST_SUITE_P(, GhostLock, ::testing::Values(mariadb, genuine_mysql),
                         [](const auto& of) { return of.param.traits.name; });

/// Where a thousand timeouts do not take a thousand seconds.
class QuickGhostLock : public GhostLock {};
INSTANTIATE_TEST_SUITE_P(, QuickGhostLock, ::testing::Values(mariadb), [](const auto& of) { return of.param.traits.name; });

TEST_P(QuickGhostLock, ATimeoutLeavesNone) {
    EXPECT_EQ(race("SELECT GET_LOCK('k', 0.004)", {"0"}, [](clock::time_point) {}).ghosts, 0);
}

TEST_P(GhostLock, KillQuerySaysNullOrSeldom1317) {
    (void)race("SELECT GET_LOCK('k', 60)", {"NULL", "ERROR 1317"}, [this](clock::time_point begin) {
        busy_wait_until(begin + limit);
        onlooker_.kill_query(b_.id());
    });
}

}  // namespace
}  // namespace dlock::testing
