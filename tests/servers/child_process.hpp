// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// One child process that never outlives the test.
//
// It ends with the object, and it ends when the test is killed: the kernel sees to that. But what the kernel watches is
// the thread that spawned the child, not the process; so every child has a thread of its own, which spawns it and waits
// for its end. Hence any thread may construct, and any thread may call the members.
//
// Of our file descriptors the child gets none: a connection that a child inherits would stay open after we close it,
// and its locks would stay held. A forked copy of this object is inert.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace dlock::testing {

class child_process {
public:
    struct options {
        std::vector<std::string> command;           ///< the program, found by PATH, and its arguments
        std::vector<std::string> environment = {};  ///< "NAME=value", added to our own or instead of it
        std::filesystem::path directory = ".";      ///< where it runs
        std::filesystem::path log = "/dev/null";    ///< standard output and error are appended here; input is empty
        bool unprivileged = false;                  ///< run as server_user when we are root
        int end_signal = SIGKILL;                   ///< what the destructor sends, or the kernel when we have died
    };

    /// Starts the command. A program that cannot be run ends with status 126 or 127 and says so in the log.
    explicit child_process(options what);

    /// Sends end_signal, and ten seconds later SIGKILL; returns when the child has ended.
    ~child_process();
    child_process(const child_process&) = delete;
    child_process& operator=(const child_process&) = delete;

    /// The program's own process id: nothing stands between it and us.
    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

    /// Sends the signal, unless the child has ended.
    void signal(int number);

    /// Waits for the end of the child: its exit status, or 128 + the signal that killed it, as a shell says it.
    /// Nothing when the limit comes first.
    [[nodiscard]] std::optional<int> wait(std::chrono::milliseconds limit);
    [[nodiscard]] bool running() { return !wait(std::chrono::milliseconds::zero()); }

private:
    void reap();

    const options options_;
    const pid_t owner_;
    pid_t pid_ = -1;
    std::mutex mutex_;
    std::condition_variable ended_;
    std::optional<int> status_;
    std::thread keeper_;
};

/// Runs a command to its end. Throws std::runtime_error with the log's last lines unless it succeeds in time.
void run(const child_process::options& what, std::chrono::milliseconds limit);

/// Whether a child with this log still lives, or a child of its own that inherited the log as its output.
[[nodiscard]] bool in_use(const std::filesystem::path& log);

/// The file's contents; empty when there is no such file.
[[nodiscard]] std::string contents(const std::filesystem::path& file);

/// The last lines of a log, for messages.
[[nodiscard]] std::string tail(const std::filesystem::path& log);

}  // namespace dlock::testing
