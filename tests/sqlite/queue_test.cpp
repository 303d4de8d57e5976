// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The line of those who wait in one process, and how processes let each other in.
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdarg>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include <dlock/sqlite.hpp>
#include <dlock/sqlite/queues.hpp>

#include "tests/sqlite/support.hpp"
#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using sqlite::lock;
using sqlite::lock_database;
using sqlite::marks;
using sqlite::queue;
using sqlite::queues;
using sqlite::session;
using ::testing::ElementsAre;

class SqliteQueue : public SqliteTest {
protected:
    /// A thread with a session and a lock of its own, that stands in line when this returns.
    template <class Call>
    void join(Call call) {
        const auto before = queues::of(locks)->waiting(sqlite::key{"k"}.digest());
        threads.emplace_back(std::make_unique<background<std::function<void()>>>([this, call] {
            session s{locks};
            lock l{s, "k"};
            call(l);
        }));
        await_waiters(a, "k", before + 1);
    }
    void join_all() {
        for (auto& one : threads) one->get();
        threads.clear();
    }
    [[nodiscard]] std::size_t waiting() const { return queues::of(locks)->waiting(sqlite::key{"k"}.digest()); }

    session a{locks}, b{locks}, c{locks};
    lock first{a, "k"}, second{b, "k"}, third{c, "k"};
    std::vector<std::unique_ptr<background<std::function<void()>>>> threads;
};

TEST_F(SqliteQueue, IsFirstComeFirstServed) {
    std::vector<int> order;  // guarded by the lock
    first.lock();
    for (int i = 0; i < 6; ++i) {
        join([&order, i](lock& l) {
            l.lock();
            order.push_back(i);
            std::this_thread::yield();
            l.unlock();
        });
    }
    first.unlock();
    first.lock();  // behind them
    EXPECT_THAT(order, ElementsAre(0, 1, 2, 3, 4, 5));
    first.unlock();
    join_all();
    EXPECT_EQ(waiting(), 0u);
}

TEST_F(SqliteQueue, IsNotOvertakenByATry) {
    process other{{"hold", locks, "k", "exclusive"}};
    ASSERT_EQ(other.hear(), "held");
    join([](lock& l) {
        l.lock();
        std::this_thread::sleep_for(1ms);
    });
    other.tell();
    while (waiting() != 0) {
        if (third.try_lock()) {
            EXPECT_EQ(waiting(), 0u);
            third.unlock();
        }
    }
    join_all();
}

/// The calls of fcntl(2) that SQLite makes, by thread: its VFS lets tests put themselves in between.
/// https://www.sqlite.org/c3ref/vfs.html
class fcntl_calls {
public:
    fcntl_calls() {
        auto* const vfs = sqlite3_vfs_find("unix");
        real = vfs->xGetSystemCall(vfs, "fcntl");
        by_thread.clear();
        vfs->xSetSystemCall(vfs, "fcntl", reinterpret_cast<sqlite3_syscall_ptr>(count));
    }
    ~fcntl_calls() {
        auto* const vfs = sqlite3_vfs_find("unix");
        vfs->xSetSystemCall(vfs, "fcntl", nullptr);
    }
    fcntl_calls(const fcntl_calls&) = delete;
    fcntl_calls& operator=(const fcntl_calls&) = delete;

    [[nodiscard]] std::map<pid_t, int> seen() const {
        const std::lock_guard guard{mutex};
        return by_thread;
    }
    [[nodiscard]] int total() const {
        int sum = 0;
        for (const auto& [thread, calls] : seen()) sum += calls;
        return sum;
    }

private:
    static int count(int file, int command, ...) {
        {
            const std::lock_guard guard{mutex};
            ++by_thread[this_thread_id()];
        }
        std::va_list arguments;
        va_start(arguments, command);
        void* const argument = va_arg(arguments, void*);
        va_end(arguments);
        return reinterpret_cast<int (*)(int, int, ...)>(real)(file, command, argument);
    }

    static inline sqlite3_syscall_ptr real = nullptr;
    static inline std::mutex mutex;
    static inline std::map<pid_t, int> by_thread;
};

TEST_F(SqliteQueue, OnlyTheFirstInLineLooksAtTheFile) {
    process other{{"hold", locks, "k", "exclusive"}};
    ASSERT_EQ(other.hear(), "held");
    for (int i = 0; i < 6; ++i) join([](lock& l) { l.lock(); });
    {
        const fcntl_calls calls;
        await([&] { return calls.total() >= 100; }, "nobody looks");
        EXPECT_EQ(calls.seen().size(), 1u);
    }
    other.tell();
    join_all();
}

TEST_F(SqliteQueue, NobodyLooksWhileAnotherSessionOfTheProcessHoldsIt) {
    first.lock();
    for (int i = 0; i < 3; ++i) join([](lock& l) { l.lock(); });
    {
        const fcntl_calls calls;
        for (auto& one : threads) {
            const auto start = clock::now();
            one->await_naps();
            EXPECT_GE(clock::now() - start, 2 * queue::watch) << "it looks, although it will be woken";
        }
        EXPECT_EQ(calls.total(), 0);
    }
    first.unlock();
    join_all();
}

TEST_F(SqliteQueue, IsWokenByTheRelease) {
    constexpr int rounds = 20;
    std::vector<clock::duration> took;
    for (int i = 0; i < rounds; ++i) {
        first.lock();
        clock::time_point got;
        join([&got](lock& l) {
            l.lock();
            got = clock::now();
        });
        std::this_thread::sleep_for(2ms);  // the waiter has gone to sleep by then, or else it makes this test easier
        const auto released = clock::now();
        first.unlock();
        join_all();
        took.push_back(got - released);
    }
    std::ranges::nth_element(took, took.begin() + rounds / 2);
    RecordProperty("hand_over_p50_us", static_cast<int>(took[rounds / 2] / 1us));
    EXPECT_LT(took[rounds / 2], queue::watch / 5) << "without being woken it would look after half of its watch";
}

TEST_F(SqliteQueue, StopRequestEndsTheWaitOfWhoIsNotFirst) {
    first.lock();
    join([](lock& l) { l.lock(); });
    std::stop_source stop;
    clock::time_point back;
    join([&](lock& l) {
        EXPECT_EQ(reason_of([&] { l.lock(stop.get_token()); }), errc::cancelled);
        back = clock::now();
        EXPECT_FALSE(l.owns_lock());
    });
    join([](lock& l) { l.lock(); });
    const auto asked = clock::now();
    stop.request_stop();
    threads[1]->get();
    EXPECT_LT(back - asked, 50ms);
    EXPECT_EQ(waiting(), 2u);
    threads.erase(threads.begin() + 1);
    first.unlock();
    join_all();
}

TEST_F(SqliteQueue, DeadlineEndsTheWaitOfWhoIsNotFirst) {
    first.lock();
    join([](lock& l) { l.lock(); });
    for (const auto limit : {1ms, 5ms, 80ms}) {
        const auto start = clock::now();
        EXPECT_FALSE(third.try_lock_for(limit));
        EXPECT_GE(clock::now() - start, limit);
        EXPECT_LT(clock::now() - start, limit + 5s);
        EXPECT_EQ(waiting(), 1u);
    }
    EXPECT_EQ(c.held(), 0u);
    first.unlock();
    join_all();
}

TEST_F(SqliteQueue, GoesOnWhenItsFirstGivesUp) {
    process other{{"hold", locks, "k", "exclusive"}};
    ASSERT_EQ(other.hear(), "held");
    std::stop_source stop;
    join([&](lock& l) { EXPECT_EQ(reason_of([&] { l.lock(stop.get_token()); }), errc::cancelled); });
    join([](lock& l) { l.lock(); });
    stop.request_stop();
    threads[0]->get();
    threads.erase(threads.begin());
    other.tell();
    join_all();
    EXPECT_EQ(waiting(), 0u);
    EXPECT_TRUE(first.try_lock());
}

// --- readers and writers

TEST_F(SqliteQueue, ReadersDoNotOvertakeAWriter) {
    first.lock_shared();
    std::atomic<bool> written = false;
    join([&](lock& l) {
        l.lock();
        written = true;
    });
    EXPECT_FALSE(second.try_lock_shared());
    join([&](lock& l) {
        l.lock_shared();
        EXPECT_TRUE(written);
    });
    first.unlock();
    join_all();
    EXPECT_TRUE(second.try_lock_shared());
}

TEST_F(SqliteQueue, ReadersGoTogether) {
    first.lock();
    std::atomic<int> in = 0;
    for (int i = 0; i < 3; ++i) {
        join([&](lock& l) {
            l.lock_shared();
            ++in;
            await([&] { return in == 3; }, "they go one by one");
        });
    }
    first.unlock();
    join_all();
}

TEST_F(SqliteQueue, ReadersDoNotOvertakeAWriterOfAnotherProcess) {
    first.lock_shared();
    {
        process killed{{"wait", locks, "k", "exclusive"}};
        EXPECT_EQ(killed.hear(), "ready");
        await([&] {
            if (!second.try_lock_shared()) return true;
            second.unlock();
            return false;
        }, "SQLite counts readers of one process without asking the kernel");
    }
    EXPECT_TRUE(second.try_lock_shared()) << "nobody waits any more";
    second.unlock();

    process writer{{"wait", locks, "k", "exclusive"}};
    EXPECT_EQ(writer.hear(), "ready");
    await([&] {
        if (!second.try_lock_shared()) return true;
        second.unlock();
        return false;
    }, "the writer does not wait");
    join([](lock& l) { l.lock_shared(); });
    EXPECT_FALSE(second.try_lock_shared());
    first.unlock();
    EXPECT_EQ(writer.hear(), "held");
    writer.tell();
    EXPECT_EQ(writer.hear(), "free");
    join_all();
}

// --- loss

TEST_F(SqliteQueue, MovesOnToTheNewFileInItsOrder) {
    std::atomic<int> inside = 0;
    std::vector<int> order;
    first.lock();
    for (int i = 0; i < 4; ++i) {
        join([&, i](lock& l) {
            l.lock();
            EXPECT_EQ(++inside, 1);
            EXPECT_TRUE(l.owns_lock());
            order.push_back(i);
            std::this_thread::sleep_for(1ms);
            --inside;
        });
    }
    fs::remove(a.file("k"));  // and the lost lock is never given back
    const auto start = clock::now();
    join_all();
    EXPECT_LT(clock::now() - start, 15s);
    EXPECT_THAT(order, ElementsAre(0, 1, 2, 3));
    EXPECT_FALSE(first.owns_lock());
    EXPECT_TRUE(second.try_lock());
    EXPECT_EQ(unlock(first), errc::lost);
    EXPECT_TRUE(second.owns_lock());
    EXPECT_FALSE(third.try_lock());
}

TEST_F(SqliteQueue, OfAProcessThatIsKilledHoldsUpNobody) {
    first.lock();
    process killed{{"wait", locks, "k", "exclusive"}}, next{{"wait", locks, "k", "exclusive"}};
    EXPECT_EQ(killed.hear(), "ready");
    EXPECT_EQ(next.hear(), "ready");
    marks others{locks};
    const auto byte = queues::byte(sqlite::key{"k"}.digest());
    await([&] { return others.set_elsewhere(byte); }, "they do not show that they wait");
    killed.kill();
    first.unlock();
    EXPECT_EQ(next.hear(), "held");
    EXPECT_FALSE(first.try_lock());
    EXPECT_FALSE(others.set_elsewhere(byte)) << "left behind by the dead";
    next.tell();
    EXPECT_EQ(next.hear(), "free");
    EXPECT_TRUE(first.try_lock());
}

// --- other processes

/// Takes turns in `sessions` threads, 30 ms each, until the other process says that it has the lock; how many turns that took.
int turns_until(process& other, const fs::path& locks, int sessions) {
    std::atomic<int> turns = 0;
    std::atomic<bool> done = false;
    std::vector<std::unique_ptr<background<std::function<void()>>>> all;
    for (int i = 0; i < sessions; ++i) {
        all.push_back(std::make_unique<background<std::function<void()>>>([&] {
            session s{locks};
            lock l{s, "k"};
            while (!done) {
                if (!l.try_lock_for(100ms)) continue;
                if (!done) ++turns;
                std::this_thread::sleep_for(3 * queue::turn);
                l.unlock();
            }
        }));
    }
    EXPECT_EQ(other.hear(), "held");
    done = true;
    other.tell();
    for (auto& one : all) one->get();
    return turns;
}

TEST_F(SqliteQueue, LetsAnotherProcessInWhenItsTurnIsOver) {
    for (const int sessions : {1, 3}) {
        first.lock();
        process other{{"wait", locks, "k", "exclusive"}};
        EXPECT_EQ(other.hear(), "ready");
        marks others{locks};
        await([&] { return others.set_elsewhere(queues::byte(sqlite::key{"k"}.digest())); }, "it does not wait");
        first.unlock();
        // By chance it would come in once in some hundred turns: the lock is free for some microseconds between them.
        EXPECT_LE(turns_until(other, locks, sessions), 8) << sessions;
    }
}

TEST_F(SqliteQueue, OfThreeProcessesStarvesNobody) {
    const auto file = folder / "arena";
    make_arena(file);
    std::vector<std::unique_ptr<process>> all;
    for (int i = 0; i < 3; ++i) all.push_back(std::make_unique<process>(std::vector<std::string>{"compete", locks, "k", file}));
    for (auto& one : all) EXPECT_EQ(one->wait(), 0);
    const arena& end = mapped_arena(file);
    EXPECT_EQ(end.violations, 0);
    EXPECT_EQ(end.unguarded, end.rounds);
    RecordProperty("longest_wait_us", static_cast<int>(end.longest));
    EXPECT_LT(std::chrono::microseconds{end.longest}, 3s);
}

// --- marks

/// Runs a call in a forked child; its exit status.
template <class Call>
int in_forked_child(Call call) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(20);
        ::_exit(call() ? 0 : 1);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    return status;
}

class SqliteMarks : public SqliteTest {
protected:
    SqliteMarks() { fs::create_directory(locks); }
    /// Whether another process sees it.
    bool seen(off_t byte) const {
        return in_forked_child([&] { return marks{locks}.set_elsewhere(byte); }) == 0;
    }
};

TEST_F(SqliteMarks, AreSeenByOtherProcessesOnly) {
    marks ours{locks};
    EXPECT_FALSE(seen(7));
    ours.set(7);
    EXPECT_TRUE(seen(7));
    EXPECT_FALSE(seen(8));
    EXPECT_FALSE(ours.set_elsewhere(7));
    ours.clear(7);
    EXPECT_FALSE(seen(7));
}

TEST_F(SqliteMarks, AreOnTheDirectoryThatHasTheNameNow) {
    marks ours{locks};
    ours.set(7);
    fs::rename(locks, folder / "elsewhere");
    fs::create_directory(locks);
    EXPECT_FALSE(seen(7));
    ours.set(8);
    EXPECT_TRUE(seen(8));
}

TEST_F(SqliteMarks, WithoutADirectoryAreNone) {
    marks ours{folder / "nothing"};
    ours.set(7);
    EXPECT_FALSE(ours.set_elsewhere(7));
    ours.clear(7);
}

TEST_F(SqliteQueue, ShowsThatItWaitsThoughAnotherThreadDrawsTokens) {
    process other{{"hold", locks, "k", "exclusive"}};
    ASSERT_EQ(other.hear(), "held");
    join([](lock& l) { l.lock(); });
    const auto seen = [&] {
        return in_forked_child([&] { return marks{locks}.set_elsewhere(queues::byte(sqlite::key{"k"}.digest())); }) == 0;
    };
    await(seen, "it does not show that it waits");
    for (int i = 0; i < 3; ++i) {
        background drawing{[&] { sqlite::fenced_lock{b, "another"}.lock(); }};
        drawing.get();
        await(seen, "SQLite has closed the directory, and with it all marks on it");
    }
    other.tell();
    join_all();
}

// --- forks

TEST_F(SqliteQueue, AForkedChildHasALineOfItsOwn) {
    first.lock();
    join([](lock& l) { l.lock(); });
    EXPECT_EQ(in_forked_child([&] { return queues::of(locks)->waiting(sqlite::key{"k"}.digest()) == 0; }), 0);
    EXPECT_EQ(waiting(), 1u);
    first.unlock();
    join_all();
}

TEST_F(SqliteQueue, AForkedChildDoesNotHangOnItsParentsLines) {
    std::atomic<bool> done = false;
    background busy{[&] {  // its thread has the registry in its hands all the time
        while (!done) (void)queues::of(locks);
    }};
    for (int i = 0; i < 100; ++i) {
        ASSERT_EQ(in_forked_child([&] { return queues::of(locks) != nullptr; }), 0) << "after " << i;
    }
    done = true;
    busy.get();
}

TEST_F(SqliteQueue, AForkedChildMayLockAfterItsParentWaited) {
    process other{{"hold", locks, "k", "exclusive"}};
    ASSERT_EQ(other.hear(), "held");
    EXPECT_FALSE(first.try_lock_for(5ms));
    other.tell();
    EXPECT_EQ(other.hear(), "free");
    EXPECT_EQ(in_forked_child([&] {
        session own{locks};
        lock l{own, "k"};
        return l.try_lock() && l.owns_lock();
    }), 0);
    EXPECT_TRUE(first.try_lock());
}

}  // namespace
}  // namespace dlock::testing
