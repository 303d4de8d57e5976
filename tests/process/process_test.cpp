// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Locks between processes, and what is left of one when its process ends.
#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <functional>
#include <future>
#include <list>
#include <optional>
#include <ostream>
#include <string>
#include <utility>

#include <gtest/gtest.h>
#include <soci/soci.h>

#include "tests/process/holder_process.hpp"
#include "tests/process/opened_lock.hpp"
#include "tests/servers/mariadb_server.hpp"
#include "tests/servers/mysql_server.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/servers/temporary_directory.hpp"
#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto at_once = 10s;  // on a machine that has other things to do

struct server {
    std::string title;
    std::function<std::string()> url;
    std::string waiters;  ///< the query that counts them; empty: waiting leaves no trace

    friend void PrintTo(const server& s, std::ostream* out) { *out << s.title; }
};

const std::string user_locks = "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User lock'";

const server servers[] = {
    {"PostgreSql", [] { return postgresql_server::shared().url(); },
     "SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"},
    {"MariaDb", [] { return mariadb_server::shared().url(); }, user_locks},
    {"MySql56", [] { return mysql_server::shared().url(); }, user_locks},
    {"Sqlite",
     [] {
         static const temporary_directory folder;
         return "sqlite3://dbname=" + (folder.path() / "database").string();
     },
     ""},
};

class Process : public ::testing::TestWithParam<server> {
protected:
    /// Returns when so many wait in the server's queue; at once where waiting leaves no trace.
    void await_waiters(int count) const {
        if (GetParam().waiters.empty()) return;
        soci::session onlooker{url};
        await(
            [&] {
                int found = -1;
                onlooker << GetParam().waiters, soci::into(found);
                return found == count;
            },
            "nobody waits");
    }

    void expect_free_at_once() {
        EXPECT_TRUE(mine.lock.try_lock_for(at_once));
        mine.lock.unlock();
    }

    /// When this returns, the server has noticed the end of every connection that ended before.
    void let_the_server_notice() const {
        const auto other = name + "/other";
        opened_lock next{url, other};
        holder_process one{url, other};
        ASSERT_EQ(one.ask("lock"), "held");
        one.kill();
        ASSERT_TRUE(next.lock.try_lock_for(1min));
    }

    const std::string url = GetParam().url();
    const std::string name = "process";
    opened_lock mine{url, name};
};

INSTANTIATE_TEST_SUITE_P(, Process, ::testing::ValuesIn(servers), [](const auto& of) { return of.param.title; });

TEST_P(Process, OneHoldsAndTheOtherDoesNot) {
    holder_process other{url, name};
    ASSERT_EQ(other.ask("lock"), "held");
    EXPECT_FALSE(mine.lock.try_lock());
    EXPECT_FALSE(mine.lock.holders().empty());
    EXPECT_EQ(other.ask("unlock"), "unlocked");
    EXPECT_TRUE(mine.lock.holders().empty());
    EXPECT_TRUE(mine.lock.try_lock());
    EXPECT_EQ(other.ask("try"), "busy");
    EXPECT_EQ(other.ask("unlock"), "not the owner");
    EXPECT_TRUE(mine.lock.owns_lock());
    mine.lock.unlock();
    EXPECT_EQ(other.ask("try"), "held");
}

TEST_P(Process, ATimedWaitFailsAfterItsTimeoutAndNotBefore) {
    holder_process other{url, name};
    ASSERT_EQ(other.ask("lock"), "held");
    const auto started = clock::now();
    EXPECT_FALSE(mine.lock.try_lock_for(60ms));
    EXPECT_GE(clock::now() - started, 60ms);
    EXPECT_LT(clock::now() - started, 60ms + at_once);
    EXPECT_EQ(other.ask("owns"), "yes");
}

TEST_P(Process, ATimedWaitSucceedsWhenTheHolderLetsGo) {
    holder_process other{url, name};
    ASSERT_EQ(other.ask("lock"), "held");
    std::atomic<bool> released = false;
    auto waiting = std::async(std::launch::async, [&] {
        const bool got = mine.lock.try_lock_for(1min);
        return std::pair{got, released.load()};
    });
    await_waiters(1);
    released = true;
    EXPECT_EQ(other.ask("unlock"), "unlocked");
    const auto [got, after_release] = waiting.get();
    EXPECT_TRUE(got);
    EXPECT_TRUE(after_release) << "two held it";
    EXPECT_EQ(other.ask("try"), "busy");
}

TEST_P(Process, LockWaitsForAnotherProcess) {
    mine.lock.lock();
    holder_process other{url, name};
    other.tell("lock");
    await_waiters(1);
    mine.lock.unlock();
    EXPECT_EQ(other.answer(), "held");
    EXPECT_FALSE(mine.lock.try_lock());
}

TEST_P(Process, SeveralCountTogether) {
    constexpr int processes = 3, rounds = 20;
    const temporary_directory folder;
    const auto file = (folder.path() / "number").string();
    std::list<holder_process> counting;
    for (int i = 0; i < processes; ++i) counting.emplace_back(url, name);
    for (auto& each : counting) each.tell("count " + file + " " + std::to_string(rounds));
    for (auto& each : counting) EXPECT_EQ(each.answer(), "counted");
    int number = 0;
    std::ifstream{file} >> number;
    EXPECT_EQ(number, processes * rounds);
}

// --- the end of a holder

TEST_P(Process, ItsEndFreesTheLock) {
    for (const auto* const ending : {"return", "exit", "_exit"}) {
        SCOPED_TRACE(ending);
        holder_process other{url, name};
        ASSERT_EQ(other.ask("lock"), "held");
        EXPECT_FALSE(mine.lock.try_lock());
        other.tell(ending);
        EXPECT_EQ(other.wait(), 0);
        expect_free_at_once();
    }
}

TEST_P(Process, SigkillFreesTheLock) {
    holder_process other{url, name};
    ASSERT_EQ(other.ask("lock"), "held");
    EXPECT_FALSE(mine.lock.try_lock());
    other.kill();
    expect_free_at_once();
}

TEST_P(Process, SigkillLetsTheOneInWhoWaits) {
    holder_process holding{url, name}, waiting{url, name};
    ASSERT_EQ(holding.ask("lock"), "held");
    waiting.tell("lock");
    await_waiters(1);
    const auto started = clock::now();
    holding.kill();
    EXPECT_EQ(waiting.answer(), "held");
    EXPECT_LT(clock::now() - started, at_once);
    EXPECT_FALSE(mine.lock.try_lock());
}

TEST_P(Process, SigkillOfOneWhoWaitsBlocksNobody) {
    holder_process holding{url, name}, waiting{url, name};
    ASSERT_EQ(holding.ask("lock"), "held");
    waiting.tell("lock");
    await_waiters(1);
    waiting.kill();
    EXPECT_EQ(holding.ask("unlock"), "unlocked");
    expect_free_at_once();
}

TEST_P(Process, AProgramThatTheHolderHasStartedDoesNotKeepTheLock) {
    holder_process other{url, name};
    ASSERT_EQ(other.ask("lock"), "held");
    ASSERT_EQ(other.ask("spawn"), "spawned");
    other.kill();
    expect_free_at_once();
}

// --- a process that is stopped: nobody else can tell it from one that is slow

TEST_P(Process, AStoppedHolderHolds) {
    holder_process other{url, name};
    ASSERT_EQ(other.ask("lock"), "held");
    other.stop();
    EXPECT_FALSE(mine.lock.try_lock_for(20ms));
    other.go_on();
    EXPECT_EQ(other.ask("owns"), "yes");
    EXPECT_EQ(other.ask("unlock"), "unlocked");
    expect_free_at_once();
}

TEST_P(Process, AStoppedWaiterIsGrantedTheLockInTheServersQueueAndHoldsItWhenItGoesOn) {
    mine.lock.lock();
    holder_process waiting{url, name};
    waiting.tell("lock");
    await_waiters(1);
    waiting.stop();
    EXPECT_TRUE(mine.lock.owns_lock());
    mine.lock.unlock();
    if (GetParam().title == "Sqlite") {  // has no queue: who is stopped asks for nothing
        EXPECT_TRUE(mine.lock.try_lock_for(at_once));
        mine.lock.unlock();
    } else {
        await([&] { return !mine.lock.holders().empty(); }, "the lock is not handed over");
        EXPECT_FALSE(mine.lock.try_lock());
    }
    waiting.go_on();
    EXPECT_EQ(waiting.answer(), "held");
    EXPECT_FALSE(mine.lock.try_lock());
    EXPECT_EQ(waiting.ask("unlock"), "unlocked");
    expect_free_at_once();
}

TEST_P(Process, SigkillOfAStoppedHolderFreesTheLock) {
    holder_process other{url, name};
    ASSERT_EQ(other.ask("lock"), "held");
    other.stop();
    other.kill();
    expect_free_at_once();
}

// --- fork(): the server cannot tell a copy from the holder; fork_test has every kind of lock

TEST_P(Process, AForkedCopyThatJustLeavesDoesNotFreeTheLock) {
    holder_process other{url, name};
    ASSERT_EQ(other.ask("lock"), "held");
    ASSERT_EQ(other.ask("fork_and_leave"), "forked");
    let_the_server_notice();
    EXPECT_FALSE(mine.lock.try_lock());
    EXPECT_EQ(other.ask("owns"), "yes");
    EXPECT_EQ(other.ask("unlock"), "unlocked");
    expect_free_at_once();
}

TEST_P(Process, AForkedCopyDoesNotKeepTheLockAfterTheHoldersEnd) {
    holder_process other{url, name};
    ASSERT_EQ(other.ask("lock"), "held");
    ASSERT_EQ(other.ask("fork"), "forked");
    other.kill();
    expect_free_at_once();  // the copy lives until its input ends, with the object
}

TEST_P(Process, AForkedCopyThatDestroysItsSessionLeavesTheLockToTheHolder) {
    holder_process other{url, name};
    ASSERT_EQ(other.ask("lock"), "held");
    ASSERT_EQ(other.ask("fork_and_return"), "forked");
    let_the_server_notice();
    EXPECT_EQ(other.ask("owns"), "yes");
    EXPECT_FALSE(mine.lock.try_lock());
    EXPECT_EQ(other.ask("unlock"), "unlocked");
    expect_free_at_once();
}

}  // namespace
}  // namespace dlock::testing
