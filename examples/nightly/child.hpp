// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Another process, whose standard output is ours to read.
//
// It gets none of our other file descriptors. That matters to whoever holds locks: a child that inherits a connection
// keeps it open, and the lock held, after we have died.
//
// One thread at a time.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace nightly {

class child {
public:
    /// Starts the program, found by $PATH, with its arguments.
    /// \throws std::system_error  there is no such program
    explicit child(const std::vector<std::string>& command);

    /// Kills what has not ended, and waits for it.
    ~child();
    child(const child&) = delete;
    child& operator=(const child&) = delete;

    [[nodiscard]] pid_t pid() const noexcept { return pid_; }

    /// The next line of its output, without its end. Waits for it; nothing when the output has ended.
    [[nodiscard]] std::optional<std::string> next_line();

    /// As next_line(), but any number of bytes; empty at the end.
    [[nodiscard]] std::string next_bytes();

    /// Sends the signal, unless its end has been waited for.
    void signal(int number) noexcept;

    /// Waits for its end: its exit status, or 128 + the signal that killed it.
    int wait();

private:
    pid_t pid_ = -1;
    int output_ = -1;
    std::string read_ahead_;
    std::optional<int> status_;
};

}  // namespace nightly
