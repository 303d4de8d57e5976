// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A session is killed while another waits for its lock: for how long does the old holder's owns_lock() say yes after the new one has it?
// A server says that it ends a session, gives its locks to others, and closes; a proxy may pass the first on and close much later. Whatever
// the old holder could have read by then it must have heard.
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <future>
#include <iostream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <soci/soci.h>

#include <dlock/postgresql.hpp>

#include "tests/servers/odyssey.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/postgresql.hpp"

namespace dlock::testing {
namespace {

using clock = std::chrono::steady_clock;
using std::chrono::microseconds;

/// The server's ErrorResponse is the first that has come.
bool can_be_read(soci::session& of) {
    char first = 0;
    return ::recv(PQsocket(raw(of)), &first, 1, MSG_PEEK | MSG_DONTWAIT) == 1 && first == 'E';
}

struct tally {
    int kills = 0;
    int deaf = 0;  ///< the last words could be read, and owns_lock() said yes
    std::vector<microseconds> yes_after_grant{};
};

tally kill(int kills, const std::string& url, bool promise) {
    tally seen;
    soci::session onlooker{postgresql_server::shared().url()};
    for (; seen.kills < kills; ++seen.kills) {
        soci::session a{url}, b{url};
        for (auto* const each : {&a, &b}) {
            if (promise) postgresql::assume_session_pooling(*each);
        }
        postgresql::lock mine{a, "k"}, theirs{b, "k"};
        mine.lock();
        const int backend = std::stoi(mine.holders().at(0).session);
        std::atomic<clock::rep> granted_at = 0;
        auto waits = std::async(std::launch::async, [&] {
            theirs.lock();
            granted_at = clock::now().time_since_epoch().count();
        });
        await([&] { return waiting(onlooker) == 1; }, "nobody waits");
        auto killing = std::async(std::launch::async, [&] { end_session(onlooker, backend); });
        clock::rep last_yes = 0;
        for (bool owns = true; owns;) {
            const auto now = clock::now().time_since_epoch().count();
            const bool told = can_be_read(a);
            owns = mine.owns_lock();
            if (!owns) break;
            last_yes = now;
            seen.deaf += told ? 1 : 0;
        }
        killing.get();
        waits.get();
        if (last_yes > granted_at) seen.yes_after_grant.push_back(std::chrono::duration_cast<microseconds>(clock::duration{last_yes - granted_at}));
        theirs.unlock();
    }
    std::sort(seen.yes_after_grant.begin(), seen.yes_after_grant.end());
    const auto& late = seen.yes_after_grant;
    std::cout << kills << " kills: owns_lock() said yes after the grant in " << late.size();
    if (!late.empty()) std::cout << ", for " << late[late.size() / 2].count() << " us in the median, " << late.back().count() << " us at most";
    std::cout << '\n';
    return seen;
}

TEST(LastWords, AreHeardOnADirectConnection) { EXPECT_EQ(kill(200, postgresql_server::shared().url(), false).deaf, 0); }

TEST(LastWords, AreHeardBehindAProxyThatClosesASecondLater) {
    const odyssey proxy{postgresql_server::shared(), pool_mode::session};
    const auto seen = kill(200, "postgresql://host=127.0.0.1 port=" + std::to_string(proxy.port()) + " user=dlock dbname=postgres", true);
    EXPECT_EQ(seen.deaf, 0);
    for (const auto late : seen.yes_after_grant) EXPECT_LT(late, std::chrono::milliseconds{500}) << "it waited for the end";
}

}  // namespace
}  // namespace dlock::testing
