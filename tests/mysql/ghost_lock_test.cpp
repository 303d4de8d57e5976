// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The holder lets go at the very instant at which the wait ends: by its deadline, by a stop request, by an administrator's
// KILL QUERY. After each of 1,000 tries of a kind the server is asked: what was not granted must not be held.
#include <dlock/mysql.hpp>

#include <chrono>
#include <functional>
#include <future>
#include <iostream>
#include <optional>
#include <stop_token>

#include <gtest/gtest.h>

#include "tests/mysql/client.hpp"
#include "tests/mysql/fixture.hpp"
#include "tests/support/aim.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto limit = 4ms;

class GhostLock : public NamedLock {
protected:
    void race(const std::function<void(std::stop_source&)>& end_wait,
              std::optional<std::chrono::milliseconds> deadline_after = {}) {
        session a{url()}, b{url()};
        mysql::lock holder{a, "k"};
        aim when{limit};
        int granted = 0, failed = 0, leaked = 0;
        for (int i = 0; i < tries; ++i) {
            holder.lock();
            std::stop_source stop;
            const auto begin = clock::now();
            auto let_go = std::async(std::launch::async, [&] {
                busy_wait_until(begin + when.offset());
                return unlock(holder);
            });
            auto ends = std::async(std::launch::async, [&] {
                if (!end_wait) return;
                busy_wait_until(begin + limit);
                end_wait(stop);
            });
            std::optional<mysql::grant> taken;
            try {
                const auto until = deadline_after ? deadline::after(*deadline_after) : deadline::never();
                taken = mysql::named::acquire_until(b, "k", mode::exclusive, until, stop.get_token());
            } catch (const lock_error& error) {
                EXPECT_EQ(error.reason(), errc::cancelled) << error.what();
            }
            ends.get();
            EXPECT_EQ(let_go.get(), std::error_code{});
            when.adjust(taken.has_value());
            if (taken) {
                ++granted;
                EXPECT_TRUE(holds(b));
                EXPECT_EQ(mysql::named::release(b, "k", mode::exclusive, *taken), released::yes);
            } else {
                ++failed;
                leaked += !is_free();
            }
        }
        std::cout << granted << " granted, " << failed << " failed, " << leaked << " of those leaked\n";
        EXPECT_EQ(leaked, 0);
        EXPECT_GT(granted, tries / 10) << "badly aimed";
        EXPECT_GT(failed, tries / 10) << "badly aimed";
    }
};
INSTANTIATE_ON_BOTH_SERVERS(GhostLock);

TEST_P(GhostLock, ADeadlineLeavesNone) { race({}, limit); }

TEST_P(GhostLock, AStopRequestLeavesNone) {
    race([](std::stop_source& stop) { stop.request_stop(); });
}

TEST_P(GhostLock, KillQueryLeavesNone) {
    const auto id = [this] {
        return onlooker_.ask("SELECT MAX(id) FROM information_schema.processlist WHERE state='User lock'");
    };
    client killer{server_};
    race([&](std::stop_source&) {
        if (const auto waiter = id(); waiter != "NULL") killer.ask("KILL QUERY " + waiter);
    });
}

}  // namespace
}  // namespace dlock::testing
