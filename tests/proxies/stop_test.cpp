// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Pgpool-II answers a request to cancel a second after it has passed it on. Stop requests race releases here, many at a time.
#include <atomic>
#include <chrono>
#include <iostream>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <soci/soci.h>

#include <dlock/postgresql.hpp>

#include "tests/servers/pgpool.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/postgresql.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;

TEST(Stop, ThroughPgpoolEndsNoSession) {
    const pgpool proxy{postgresql_server::shared()};
    const std::string url = "postgresql://host=127.0.0.1 port=" + std::to_string(proxy.port()) + " user=dlock dbname=postgres";
    constexpr int pairs = 7, races = 29;  // 203
    std::atomic<int> granted_in_time = 0, cancelled = 0, others = 0, sessions_ended = 0;
    const auto race = [&](int pair) {
        soci::session a{url}, b{url};
        const std::string name = "k" + std::to_string(pair);
        postgresql::lock mine{a, name}, theirs{b, name}, beside{b, name + " beside"};
        beside.lock();  // by which the end of the session is told
        for (int i = 0; i < races; ++i) {
            mine.lock();
            std::stop_source stop;
            std::jthread releases{[&, i] {
                std::this_thread::sleep_for(std::chrono::microseconds{(i * 397) % 4000});  // spreads the race, waits for nothing
                mine.unlock();
            }};
            std::jthread stops{[&, i] {
                std::this_thread::sleep_for(std::chrono::microseconds{2000 + (i * 251) % 3000});
                stop.request_stop();
            }};
            try {
                theirs.lock(stop.get_token());
                ++granted_in_time;
                theirs.unlock();
            } catch (const lock_error& error) {
                ++(error.reason() == errc::cancelled ? cancelled : others);
                if (error.reason() != errc::cancelled) ADD_FAILURE() << error.what();
                EXPECT_FALSE(theirs.owns_lock());
            }
            if (!beside.owns_lock()) {
                ++sessions_ended;
                ADD_FAILURE() << "the session was ended";
                return;
            }
        }
    };
    {
        std::vector<std::jthread> threads;
        for (int pair = 0; pair < pairs; ++pair) threads.emplace_back(race, pair);
    }
    std::cout << pairs * races << " races: " << granted_in_time << " granted, " << cancelled << " cancelled, " << others << " else, " << sessions_ended
              << " sessions ended\n";
    EXPECT_GT(cancelled, 0);
    soci::session onlooker{postgresql_server::shared().url()};
    await([&] { return granted(onlooker) == 0; }, "a lock is left");
}

}  // namespace
}  // namespace dlock::testing
