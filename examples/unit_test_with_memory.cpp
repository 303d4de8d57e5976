// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A unit test without a database. The code under test takes its lock as a parameter; the test gives it one in memory,
// which queues, excludes and gets lost as one on a server does.
#include <chrono>
#include <mutex>
#include <vector>

#include <dlock/lockable.hpp>
#include <dlock/memory.hpp>
#include <gtest/gtest.h>

using namespace std::chrono_literals;

// --- the code under test

enum class outcome { sent, busy, interrupted };

/// Sends what is in the outbox, if no other process is at it.
template <dlock::timed_lockable Lock, class Send>
outcome send_outbox(Lock& lock, std::vector<int>& outbox, Send send) {
    const std::unique_lock held{lock, std::try_to_lock};
    if (!held) return outcome::busy;
    while (!outbox.empty()) {
        if (!lock.owns_lock()) return outcome::interrupted;  // another process may be at it by now
        send(outbox.back());
        outbox.pop_back();
    }
    return outcome::sent;
}

// --- its tests

struct Outbox : testing::Test {
    dlock::memory::session db;
    dlock::memory::lock lock{db, "outbox"};
    std::vector<int> outbox{1, 2, 3};
    std::vector<int> sent;
};

TEST_F(Outbox, IsSent) {
    EXPECT_EQ(send_outbox(lock, outbox, [&](int letter) { sent.push_back(letter); }), outcome::sent);
    EXPECT_EQ(sent, (std::vector{3, 2, 1}));
    EXPECT_FALSE(lock.owns_lock());
}

TEST_F(Outbox, IsLeftAloneWhileAnotherProcessSendsIt) {
    dlock::memory::session elsewhere;
    dlock::memory::lock theirs{elsewhere, "outbox"};
    const std::scoped_lock held{theirs};
    EXPECT_EQ(send_outbox(lock, outbox, [&](int letter) { sent.push_back(letter); }), outcome::busy);
    EXPECT_TRUE(sent.empty());
}

TEST_F(Outbox, IsLeftToOthersWhenTheSessionBreaks) {
    const auto break_after_the_first = [&](int letter) {
        sent.push_back(letter);
        db.close();  // as if the network had
    };
    EXPECT_EQ(send_outbox(lock, outbox, break_after_the_first), outcome::interrupted);
    EXPECT_EQ(sent, std::vector{3});
}
