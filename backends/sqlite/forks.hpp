// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// How many forks this process descends from, and whether SQLite came through them. Internal to this backend.
//
// SQLite keeps a table of its own of the POSIX locks that it has on each file, and believes it: a child that inherits the
// entry of a lock, which the kernel gave to its parent only, is granted a shared one without asking the kernel, and waits
// for an exclusive one for ever. The same goes for the mutexes of SQLite that a thread of the parent had just then.
// https://www.sqlite.org/howtocorrupt.html#_carrying_an_open_database_connection_across_a_fork_
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <atomic>
#include <utility>

namespace dlock::sqlite {

/// Counted from the first call on. Costs nothing to look at, unlike getpid(). Any thread.
[[nodiscard]] unsigned forks() noexcept;

/// Whether there was an engagement at a fork that this process descends from: SQLite cannot be trusted here any more. Known of
/// forks that are counted.
[[nodiscard]] bool forked_while_engaged() noexcept;

/// Exists while this process holds a lock through SQLite, or a thread of it is at work there. Any thread.
class engagement {
public:
    engagement() noexcept { ++count; }
    engagement(engagement&& from) noexcept : counts_{std::exchange(from.counts_, false)} {}
    engagement& operator=(engagement&&) = delete;
    ~engagement() {
        if (counts_) --count;
    }

    [[nodiscard]] static bool any() noexcept { return count != 0; }

private:
    static inline std::atomic<unsigned> count = 0;

    bool counts_ = true;
};

}  // namespace dlock::sqlite
