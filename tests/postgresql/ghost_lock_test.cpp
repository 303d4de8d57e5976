// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The ghost lock: PostgreSQL can report that a wait has failed although it has granted the lock. Here the holder lets go
// at the very instant at which the wait ends by lock_timeout, by statement_timeout or by a cancel request; after each try
// the server is asked what is held. The naive statement leaks; dlock must not, in 1,000 tries of each kind.
#include <dlock/postgresql.hpp>
#include <dlock/postgresql/multi_lock.hpp>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <iostream>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "tests/servers/postgresql_server.hpp"
#include "tests/support/aim.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/postgresql.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto limit = 4ms;

enum class outcome { granted, failed };

struct tally {
    int granted = 0, failed = 0, leaked = 0, severed = 0;
};

std::ostream& operator<<(std::ostream& out, const tally& t) {
    return out << t.granted << " granted, " << t.failed << " failed, " << t.leaked << " of those leaked, " << t.severed << " sessions ended";
}

class GhostLock : public ::testing::Test {
protected:
    /// `wait(at)` waits for the lock until `at`; `undo()` releases what it was granted.
    template <class Wait, class Undo>
    tally race(int count, Wait wait, Undo undo, int locks = 1) {
        tally seen;
        aim when{limit};
        postgresql::lock holder{a_, "x"};
        for (int i = 0; i < count; ++i) {
            holder.lock();
            std::atomic<clock::time_point> started{clock::time_point{}};
            auto released = std::async(std::launch::async, [&] {
                clock::time_point begin;
                while ((begin = started.load()) == clock::time_point{}) std::this_thread::yield();
                busy_wait_until(begin + when.offset());
                holder.unlock();
            });
            const int pid = pid_of(b_);
            started = clock::now();
            const auto result = wait(clock::now() + limit);
            released.get();
            if (PQstatus(raw(b_)) != CONNECTION_OK || !is_usable()) {  // where the proof cannot be had, the session is ended
                ++seen.severed;
                b_.reconnect();
                b_ << setup_;
                await([&] { return granted(onlooker_, pid) == 0; }, "held by nobody's knowledge");
                continue;
            }
            const int held = granted(onlooker_, pid);
            if (result == outcome::granted) {
                ++seen.granted;
                EXPECT_EQ(held, locks);
                undo();
            } else {
                ++seen.failed;
                if (held != 0) ++seen.leaked;
                if (held != 0) execute(raw(b_), "SELECT pg_advisory_unlock_all()");
            }
            when.adjust(result == outcome::granted);
        }
        return seen;
    }

    /// dlock's lock under the race, outside a transaction and inside one.
    template <class Wait>
    void never_leaks(const char* kind, Wait wait_with) {
        postgresql::lock one{b_, "x"};
        never_leaks(kind, one, 1, wait_with);
        // Of several names the others are free; some are locked when the wait begins, and some are not yet when it ends.
        postgresql::multi_lock several{b_, {"u", "v", "w", "x", "y", "z"}};
        never_leaks(kind, several, 6, wait_with);
    }

    template <class Lock, class Wait>
    void never_leaks(const char* kind, Lock& lock, int locks, Wait wait_with) {
        for (const bool inside : {false, true}) {
            const auto seen = race(
                tries,
                [&](clock::time_point at) {
                    if (inside) b_.begin();
                    const auto result = wait_with(lock, at);
                    EXPECT_EQ(lock.owns_lock(), result == outcome::granted);
                    if (inside && is_usable()) b_.commit();
                    return result;
                },
                [&] { lock.unlock(); }, locks);
            std::cout << kind << " of " << locks << (inside ? ", inside a transaction: " : ": ") << seen << '\n';
            EXPECT_EQ(seen.leaked, 0);
            EXPECT_LT(seen.severed, tries / 50) << "the transaction is not usable";
            EXPECT_GT(seen.failed, tries / 20) << "not aimed at the instant";
            EXPECT_GT(seen.granted, tries / 20) << "not aimed at the instant";
        }
        EXPECT_EQ(granted(onlooker_), 0);
    }

    /// A server that has no time to prove it within a few statement_timeouts loses its session, and race() counts those.
    void expect_the_reason(const lock_error& error) {
        execute(raw(b_), "SELECT 1");
        const bool ended = PQstatus(raw(b_)) != CONNECTION_OK;
        EXPECT_EQ(error.reason(), ended ? errc::lost : errc::cancelled) << error.what();
    }

    bool is_usable() { return sqlstate(execute(raw(b_), "SELECT 1")).empty() && PQstatus(raw(b_)) == CONNECTION_OK; }

    postgresql_server& server_ = postgresql_server::shared();
    std::string setup_ = "SELECT 1";
    soci::session onlooker_{server_.url()}, a_{server_.url()}, b_{server_.url()};
};

TEST_F(GhostLock, TheNaiveStatementLeaks) {
    const std::string wait = "SELECT pg_advisory_lock(" + std::to_string(hashed_key::key("x")) + ")";
    execute(raw(b_), "SET lock_timeout = '4ms'");
    const auto seen = race(
        300, [&](clock::time_point) { return sqlstate(execute(raw(b_), wait)).empty() ? outcome::granted : outcome::failed; },
        [&] { execute(raw(b_), "SELECT pg_advisory_unlock_all()"); });
    std::cout << "the naive statement: " << seen << '\n';
    EXPECT_GT(seen.leaked, 0) << "if the server no longer does this, the proof after a failed wait can go";
}

TEST_F(GhostLock, LockTimeout) {
    never_leaks("lock_timeout", [](auto& lock, clock::time_point at) {
        return lock.try_lock_until(at) ? outcome::granted : outcome::failed;
    });
}

TEST_F(GhostLock, StatementTimeout) {
    setup_ = "SET statement_timeout = '4ms'";
    b_ << setup_;
    never_leaks("statement_timeout", [this](auto& lock, clock::time_point) {
        try {
            lock.lock();
            return outcome::granted;
        } catch (const lock_error& error) {
            expect_the_reason(error);
            return outcome::failed;
        }
    });
}

TEST_F(GhostLock, Cancel) {
    never_leaks("cancel", [this](auto& lock, clock::time_point at) {
        std::stop_source stop;
        auto stopper = std::async(std::launch::async, [&] {
            while (clock::now() < at) {
            }
            stop.request_stop();
        });
        try {
            lock.lock(stop.get_token());
            return outcome::granted;
        } catch (const lock_error& error) {
            expect_the_reason(error);
            return outcome::failed;
        }
    });
}

}  // namespace
}  // namespace dlock::testing
