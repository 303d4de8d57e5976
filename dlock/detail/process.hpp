// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Which process this is. A forked child has a copy of every object of its parent, but none of the parent's threads and no
// share in what the parent has locked: an object that remembers where it was made can tell.
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <atomic>
#include <cstdint>
#include <utility>

namespace dlock::detail {

/// Where this process keeps its number: null before the first use, and 0 there after a fork.
extern constinit std::atomic<std::atomic<std::uint64_t>*> process_cell;
[[nodiscard]] std::uint64_t new_process_number() noexcept;

/// A number that differs from that of every process this one descends from. Costs two loads, unlike getpid(), on the path of
/// every call. Sees forks that run no pthread_atfork handlers, too. Any thread.
[[nodiscard]] inline std::uint64_t process_number() noexcept {
    const auto* const cell = process_cell.load(std::memory_order_acquire);
    const auto known = cell != nullptr ? cell->load(std::memory_order_relaxed) : 0;
    return known != 0 ? known : new_process_number();
}

/// The process in which an object was made.
class birthplace {
public:
    birthplace() noexcept : number_{process_number()} {}

    /// False in a process that was forked since.
    [[nodiscard]] bool is_here() const noexcept { return number_ == process_number(); }

private:
    std::uint64_t number_;
};

/// Keeps it for ever, so that nobody calls it a leak.
void leave_to_parent(void* object) noexcept;

/// Owns an object with threads, mutexes or connections. In a forked child it is not destroyed: its threads are not there to be
/// awaited, its mutexes may be locked for ever, and its connections are the parent's.
template <class T>
class own_process {
public:
    template <class... Args>
    explicit own_process(Args&&... args) : object_{new T(std::forward<Args>(args)...)} {}
    ~own_process() {
        if (is_here()) delete object_;
        else leave_to_parent(object_);
    }
    own_process(const own_process&) = delete;
    own_process& operator=(const own_process&) = delete;

    /// False in a process that was forked since.
    [[nodiscard]] bool is_here() const noexcept { return made_.is_here(); }

    [[nodiscard]] T* operator->() const noexcept { return object_; }
    [[nodiscard]] T& operator*() const noexcept { return *object_; }

private:
    birthplace made_;
    T* object_;
};

}  // namespace dlock::detail
