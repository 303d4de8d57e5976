// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// dlock and a program that nobody here wrote, on one lock: each keeps the other out, and each gets what the other lets go.
#include <algorithm>
#include <chrono>
#include <future>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <soci/soci.h>

#include "tests/interop/client.hpp"
#include "tests/process/holder_process.hpp"
#include "tests/servers/child_process.hpp"
#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;

class Interop : public ::testing::TestWithParam<client> {
protected:
    static void start(std::optional<holder_process>& client) {
        client.emplace(command_line(GetParam().server, GetParam().command));
        try {
            ASSERT_EQ(client->answer(), "ready");
        } catch (const std::runtime_error&) {
            FAIL() << GetParam().title << " does not start; it needs " << GetParam().package
                   << ", which ./setup (of the matrix: ./setup --matrix) installs";
        }
    }

    void SetUp() override { start(theirs); }

    std::string ask(const std::string& command) { return theirs->ask(command + " " + name); }

    template <class Answer>
    Answer ask_server(const std::string& query) {
        Answer answer{};
        onlooker << query, soci::into(answer);
        return answer;
    }

    void await_waiters(int count) {
        await([&] { return ask_server<int>(GetParam().server.waiters) == count; }, "nobody waits in the server's queue");
    }

    /// A wait of dlock's, in the server's queue when this returns.
    [[nodiscard]] std::future<bool> waiting_in_queue() {
        auto got = std::async(std::launch::async, [this] { return mine.try_lock_for(1min); });
        await_waiters(1);
        return got;
    }

    const std::string name = "user/001";  // its CRC-32 has the top bit: whether that is a sign shows
    soci::session onlooker{GetParam().server.url()}, session{GetParam().server.url()};
    any_lock mine = GetParam().lock(session, name);
    std::optional<holder_process> theirs;
};

INSTANTIATE_TEST_SUITE_P(, Interop, ::testing::ValuesIn(clients()), [](const auto& of) { return of.param.title; });

TEST_P(Interop, TheClientIsRefusedWhileDlockHolds) {
    ASSERT_TRUE(mine.try_lock());
    EXPECT_EQ(ask("try"), "busy");
    EXPECT_EQ(ask("try"), "busy");
    EXPECT_TRUE(mine.owns_lock());
    mine.unlock();
    EXPECT_EQ(ask("try"), "held");
}

TEST_P(Interop, DlockIsRefusedWhileTheClientHoldsAndNamesIt) {
    ASSERT_EQ(ask("try"), "held");
    EXPECT_FALSE(mine.try_lock());
    EXPECT_FALSE(mine.try_lock_for(20ms));
    const auto holders = mine.holders();
    ASSERT_EQ(holders.size(), 1U);
    EXPECT_EQ(holders[0].session, ask_server<std::string>(GetParam().server.client_session));
    EXPECT_EQ(ask("unlock"), "unlocked");
    EXPECT_TRUE(mine.holders().empty());
    EXPECT_TRUE(mine.try_lock());
}

TEST_P(Interop, TheClientWaitsAndGetsTheLockWhenDlockUnlocks) {
    ASSERT_TRUE(mine.try_lock());
    theirs->tell("lock " + name);
    await_waiters(1);
    mine.unlock();
    EXPECT_EQ(theirs->answer(), "held");
    EXPECT_FALSE(mine.try_lock());
    EXPECT_EQ(ask("unlock"), "unlocked");
    EXPECT_TRUE(mine.try_lock());
}

TEST_P(Interop, DlockWaitsAndGetsTheLockWhenTheClientUnlocks) {
    ASSERT_EQ(ask("lock"), "held");
    auto got = waiting_in_queue();
    EXPECT_EQ(ask("unlock"), "unlocked");
    EXPECT_TRUE(got.get());
    EXPECT_EQ(ask("try"), "busy");
}

TEST_P(Interop, DlockGetsTheLockWhenTheClientIsKilled) {
    ASSERT_EQ(ask("lock"), "held");
    auto got = waiting_in_queue();
    theirs->kill();
    EXPECT_TRUE(got.get());
}

TEST_P(Interop, DlockGetsTheLockWhenTheClientEndsWithoutUnlocking) {
    ASSERT_EQ(ask("lock"), "held");
    auto got = waiting_in_queue();
    theirs->hang_up();
    EXPECT_EQ(theirs->wait(), 0);
    EXPECT_TRUE(got.get());
}

TEST_P(Interop, AKilledWaiterOfTheClientsBlocksNobody) {
    ASSERT_TRUE(mine.try_lock());
    theirs->tell("lock " + name);
    await_waiters(1);
    theirs->kill();
    mine.unlock();
    EXPECT_TRUE(mine.try_lock_for(1min));
}

TEST_P(Interop, EveryNameIsOneLockAndNoTwoAreTheSame) {
    for (const auto& each : GetParam().names) {
        SCOPED_TRACE(each);
        soci::session another{GetParam().server.url()};
        auto lock = GetParam().lock(another, each);
        ASSERT_TRUE(lock.try_lock());
        EXPECT_EQ(theirs->ask("try " + each), "busy");
        lock.unlock();
        EXPECT_EQ(theirs->ask("lock " + each), "held");
        EXPECT_FALSE(lock.try_lock());
        for (const auto& other : GetParam().names) {
            if (other == each) continue;
            auto free = GetParam().lock(another, other);
            EXPECT_TRUE(free.try_lock()) << "by the lock of " << other;
        }
        EXPECT_EQ(theirs->ask("unlock " + each), "unlocked");
        EXPECT_TRUE(lock.try_lock());
    }
}

TEST_P(Interop, IsInTheTableOfTheDocs) {
    const auto docs = contents("docs/keys.md");
    EXPECT_NE(docs.find("\n| " + GetParam().in_docs + " |"), docs.npos) << GetParam().in_docs;
}

class InteropShared : public Interop {};

std::vector<client> clients_with_shared_locks() {
    std::vector<client> some;
    std::ranges::copy_if(clients(), std::back_inserter(some), &client::has_shared);
    return some;
}

INSTANTIATE_TEST_SUITE_P(, InteropShared, ::testing::ValuesIn(clients_with_shared_locks()), [](const auto& of) { return of.param.title; });

TEST_P(InteropShared, ReadersShareAndKeepWritersOut) {
    mine.lock_shared();
    EXPECT_EQ(ask("try"), "busy");
    ASSERT_EQ(ask("try_shared"), "held");
    soci::session another{GetParam().server.url()};
    auto writer = GetParam().lock(another, name);
    EXPECT_FALSE(writer.try_lock());
    EXPECT_EQ(mine.holders().size(), 2U);
    mine.unlock_shared();
    EXPECT_FALSE(writer.try_lock());
    EXPECT_EQ(ask("unlock_shared"), "unlocked");
    EXPECT_TRUE(writer.try_lock());
    EXPECT_EQ(ask("try_shared"), "busy");
}

}  // namespace
}  // namespace dlock::testing
