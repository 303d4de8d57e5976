// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A std::timed_mutex that ThreadSanitizer sees: that one waits by pthread_mutex_clocklock(), which the sanitizers of g++ 12 and
// clang 14 do not know.
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace dlock::detail {

class timed_mutex {
public:
    void lock() {
        std::unique_lock guard{mutex_};
        freed_.wait(guard, [this] { return !taken_; });
        taken_ = true;
    }

    template <class Rep, class Period>
    [[nodiscard]] bool try_lock_for(const std::chrono::duration<Rep, Period>& wait) {
        std::unique_lock guard{mutex_};
        if (!freed_.wait_for(guard, wait, [this] { return !taken_; })) return false;
        taken_ = true;
        return true;
    }

    void unlock() noexcept {
        const std::lock_guard guard{mutex_};
        taken_ = false;
        freed_.notify_one();
    }

private:
    std::mutex mutex_;
    std::condition_variable freed_;
    bool taken_ = false;
};

}  // namespace dlock::detail
