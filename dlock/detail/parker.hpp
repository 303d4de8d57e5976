// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// One thread sleeps until another one wakes it, a deadline passes or both. Not std::condition_variable: who wakes there holds
// a mutex that the woken thread needs next, or touches an object that it may have destroyed. A futex is only an address.
// https://man7.org/linux/man-pages/man2/futex.2.html
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <ctime>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <dlock/deadline.hpp>

namespace dlock::detail {

class parker {
public:
    enum class woken : std::uint8_t {
        released,  ///< by release(), for good
        nudged,    ///< by nudge(): there is something to look at
        not_at_all ///< the deadline has passed
    };

    parker() = default;
    parker(const parker&) = delete;
    parker& operator=(const parker&) = delete;

    /// \param looks  how often to look before it sleeps: to be woken takes longer than a short wait
    /// One thread at a time.
    [[nodiscard]] woken park(deadline until, int looks = 0) noexcept {
        for (; looks > 0 && word_.load(std::memory_order_relaxed) == awake; --looks) relax();
        for (;;) {
            auto seen = word_.load(std::memory_order_acquire);
            if (seen == released) return woken::released;
            if (seen == nudged && word_.compare_exchange_strong(seen, awake, std::memory_order_acquire)) return woken::nudged;
            if (until.expired()) return woken::not_at_all;
            if (seen == awake && word_.compare_exchange_strong(seen, asleep, std::memory_order_relaxed)) {
                wait(until);
                seen = asleep;
                word_.compare_exchange_strong(seen, awake, std::memory_order_relaxed);
            }
        }
    }

    /// Any thread. Whoever is parked may destroy this object as soon as it can see that it is released; nothing touches it then.
    void release() noexcept {
        auto* const address = &word_;
        if (address->exchange(released, std::memory_order_release) == asleep) wake(address);
    }

    /// Any thread, while the object is known to live.
    void nudge() noexcept { wake(nudge_asleep()); }

    /// A nudge of which wake() is still to be called, with what this returns; then the object need not live any more.
    [[nodiscard]] const void* nudge_asleep() noexcept {
        for (auto seen = word_.load(std::memory_order_relaxed); seen == awake || seen == asleep;) {
            if (word_.compare_exchange_weak(seen, nudged, std::memory_order_release)) return seen == asleep ? &word_ : nullptr;
        }
        return nullptr;
    }

    static void wake(const void* address) noexcept {
        if (address != nullptr) ::syscall(SYS_futex, address, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
    }

private:
    using word = std::uint32_t;
    static constexpr word awake = 0, asleep = 1, nudged = 2, released = 3;

    static void relax() noexcept {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }

    static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));

    void wait(deadline until) noexcept {
        if (until.is_never()) {
            ::syscall(SYS_futex, &word_, FUTEX_WAIT_PRIVATE, asleep, nullptr, nullptr, 0);
            return;
        }
        const auto left = until.remaining<std::chrono::nanoseconds>();
        const std::timespec time{static_cast<std::time_t>(left.count() / 1'000'000'000), static_cast<long>(left.count() % 1'000'000'000)};
        ::syscall(SYS_futex, &word_, FUTEX_WAIT_PRIVATE, asleep, &time, nullptr, 0);
    }

    std::atomic<word> word_{awake};
};

}  // namespace dlock::detail
