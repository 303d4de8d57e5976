// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A folder for the test, and other processes: this test program started again.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <dlock/sqlite.hpp>

namespace dlock::testing {

class SqliteTest : public ::testing::Test {
protected:
    SqliteTest();
    ~SqliteTest() override;

    std::filesystem::path folder;  ///< a private one, absolute; removed in the end
    std::filesystem::path locks;   ///< in it, not made yet
};

/// This test program, started again with a task. It ends when we do.
///
///   hold DIRECTORY NAME MODE      waits for the lock, says "held", unlocks when told anything, says "free"
///   try DIRECTORY NAME MODE       says "yes" or "no", unlocks when told anything
///   meet DIRECTORY NAME MODE      says "ready", when told anything does as try
///   refuse DIRECTORY NAME WHAT    without WHAT (capabilities, files, space), or as another one ("user UID GID"), makes a session
///                                 and locks NAME, NAME1, NAME2…
///                                 says the errc and the message of what that throws
///   contend DIRECTORY NAME FILE   see contend()
///   compete DIRECTORY NAME FILE   see compete()
///   wait DIRECTORY NAME MODE      says "ready", and then does as hold
///   fence DIRECTORY NAME MODE     waits for the fenced lock, says its token, unlocks when told anything, and again
///   draw DIRECTORY NAME MODE      the same, without being told
///   beside DATABASE NAME WHAT     the same with a fenced lock beside a database, with umask 077; says "yes" or "no" or as refuse
///   label DIRECTORY NAME TEXT     holds the lock with a label, says "held"
///   unfence DIRECTORY NAME WHAT   as refuse with one fenced lock, and then says whether the key is "free" or "held"
class process {
public:
    explicit process(std::vector<std::string> task);
    ~process();
    process(const process&) = delete;
    process& operator=(const process&) = delete;

    /// The next line that it says. Throws std::runtime_error when it ends instead.
    std::string hear();
    void tell();

    /// Waits for its end; 0 if all went well.
    int wait();
    void kill();
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

private:
    pid_t pid_ = -1;
    int to_ = -1, from_ = -1;
    std::string heard_;
};

/// What threads of several processes do to each other, in a file that they map; all zero in the beginning.
struct arena {
    std::atomic<int> writers, readers;      ///< inside now
    std::atomic<int> violations;            ///< a writer met somebody
    std::atomic<long> rounds;               ///< of writers
    volatile long unguarded;                ///< the same, unless an update was lost
    std::atomic<long> longest;              ///< wait of a writer in compete(), in microseconds
};

/// Locks again and again in several threads with a session each, every fourth time shared, and looks around in the arena.
void contend(const std::filesystem::path& directory, const std::string& name, const std::filesystem::path& arena_file);

/// Returns when so many sessions of this process stand in line for a key: each has looked, and found that it must wait.
/// (Of other processes SQLite keeps no list.)
void await_waiters(const sqlite::session& on, const sqlite::key& k, std::size_t count = 1);

/// Returns when the thread has gone to sleep a few times more, as one does that looks again and again.
void await_naps(pid_t thread);

/// For a second and a half two threads do nothing but lock and unlock.
void compete(const std::filesystem::path& directory, const std::string& name, const std::filesystem::path& arena_file);

/// A file for an arena, and the arena when all have ended.
void make_arena(const std::filesystem::path& file);
[[nodiscard]] const arena& mapped_arena(const std::filesystem::path& file);

[[nodiscard]] pid_t this_thread_id();

/// A thread that runs a call. What it throws comes out of get().
template <class Call>
class background {
public:
    explicit background(Call call)
        : result_{std::async(std::launch::async, [this, call = std::move(call)] {
              id_.set_value(this_thread_id());
              return call();
          })} {}

    auto get() { return result_.get(); }

    /// Returns when the call sleeps now and then.
    void await_naps() { testing::await_naps(id_.get_future().get()); }

private:
    std::promise<pid_t> id_;
    std::future<decltype(std::declval<Call&>()())> result_;
};

}  // namespace dlock::testing
