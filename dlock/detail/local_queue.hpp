// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The threads of this process that wait for one key, first come, first served. The lock_manager's mutex guards all of it.
#pragma once

#include <cstdint>
#include <utility>

#include <dlock/backend.hpp>
#include <dlock/detail/parker.hpp>

namespace dlock::detail {

/// What identifies a lock that was taken through a lock_manager.
struct managed_grant {
    std::uint64_t epoch = 0;   ///< which of the server's grants
    std::uint64_t ticket = 0;  ///< which of the local ones that share it, or follow each other on it
};

/// A thread that waits, on its stack.
struct waiter {
    enum class outcome : std::uint8_t {
        queued,
        granted,  ///< it holds the lock: see grant
        leads,    ///< it is this thread's turn to ask the server
        closed,   ///< the manager takes no more locks
    };

    explicit waiter(mode m) noexcept : wanted{m} {}

    mode wanted;
    bool queued = false;  ///< in a local_queue; false: it is being woken
    outcome became = outcome::queued;
    managed_grant grant{};
    parker parking;
    waiter* before = nullptr;
    waiter* behind = nullptr;
};

/// Woken once the mutex is free: it is the next thing that they would want.
class wake_list {
public:
    wake_list() = default;
    ~wake_list() { wake(); }
    wake_list(const wake_list&) = delete;
    wake_list& operator=(const wake_list&) = delete;

    void add(waiter& w, waiter::outcome became) noexcept {
        w.behind = nullptr;
        (last_ != nullptr ? last_->behind : first_) = &w;
        last_ = &w;
        w.became = became;
    }

    /// Its turn is next: it may as well be awake by then, and look.
    void rouse(waiter& w) noexcept { roused_ = w.parking.nudge_asleep(); }

    /// \pre the mutex is free
    void wake() noexcept {
        while (first_ != nullptr) {
            auto& next = *first_;
            first_ = next.behind;  // read before the thread can run, and end
            next.parking.release();
        }
        last_ = nullptr;
        parker::wake(std::exchange(roused_, nullptr));
    }

private:
    waiter* first_ = nullptr;
    waiter* last_ = nullptr;
    const void* roused_ = nullptr;
};

class local_queue {
public:
    [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }
    /// \pre !empty()
    [[nodiscard]] waiter& front() const noexcept { return *first_; }

    void push(waiter& w) noexcept {
        w.queued = true;
        w.before = last_;
        (last_ != nullptr ? last_->behind : first_) = &w;
        last_ = &w;
    }

    void remove(waiter& w) noexcept {
        w.queued = false;
        (w.before != nullptr ? w.before->behind : first_) = w.behind;
        (w.behind != nullptr ? w.behind->before : last_) = w.before;
        w.before = w.behind = nullptr;
    }

    /// \pre !empty()
    waiter& pop() noexcept {
        auto& w = *first_;
        remove(w);
        return w;
    }

private:
    waiter* first_ = nullptr;
    waiter* last_ = nullptr;
};

}  // namespace dlock::detail
