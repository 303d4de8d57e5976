// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The standard's named requirements for mutexes, as concepts: what std::scoped_lock, std::unique_lock, std::shared_lock
// and std::lock ask for. https://en.cppreference.com/w/cpp/named_req/SharedTimedLockable
#pragma once

#include <concepts>

#include <dlock/detail/chrono.hpp>

namespace dlock {

template <class L>
concept basic_lockable = requires(L& lock) {
    lock.lock();
    lock.unlock();
};

template <class L>
concept lockable = basic_lockable<L> && requires(L& lock) {
    { lock.try_lock() } -> std::same_as<bool>;
};

template <class L>
concept timed_lockable =
    lockable<L> && requires(L& lock, std::chrono::milliseconds wait, std::chrono::steady_clock::time_point when) {
        { lock.try_lock_for(wait) } -> std::same_as<bool>;
        { lock.try_lock_until(when) } -> std::same_as<bool>;
    };

template <class L>
concept shared_lockable = requires(L& lock) {
    lock.lock_shared();
    { lock.try_lock_shared() } -> std::same_as<bool>;
    lock.unlock_shared();
};

template <class L>
concept shared_timed_lockable =
    shared_lockable<L> && requires(L& lock, std::chrono::milliseconds wait, std::chrono::steady_clock::time_point when) {
        { lock.try_lock_shared_for(wait) } -> std::same_as<bool>;
        { lock.try_lock_shared_until(when) } -> std::same_as<bool>;
    };

}  // namespace dlock
