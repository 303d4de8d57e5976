// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// How a lock waits, and for how long lock() waits at most.
//
// | policy | when to use                                                  | hand-off         | order       | cost of waiting      |
// |--------|--------------------------------------------------------------|------------------|-------------|----------------------|
// | block  | unless you have a reason: waits in the server's own queue    | at once          | the queue's | none; one round trip |
// | poll   | where a statement that waits is unwelcome: it would hold a   | one interval     | none        | one round trip per   |
// |        | pooled connection busy, or keep a snapshot from being vacuumed |                |             | interval             |
//
// Both are values: `dlock::block{}.at_most(5s)`, `dlock::poll{20ms}.at_most(1min)`. Without at_most, lock() waits for
// ever. try_lock_for() and try_lock_until() bring a limit of their own and do not look at this one.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <stop_token>

#include <dlock/backend.hpp>
#include <dlock/deadline.hpp>
#include <dlock/detail/chrono.hpp>
#include <dlock/error.hpp>

namespace dlock {
namespace detail {

/// The limit of lock(), the same for every wait policy.
template <class Policy>
class limited {
public:
    /// \throws std::invalid_argument  for a limit that is not a number
    template <class Rep, class Period>
    [[nodiscard]] Policy at_most(std::chrono::duration<Rep, Period> limit) const {
        (void)deadline::after(limit);  // refuses NaN here, where it was written
        Policy copy = static_cast<const Policy&>(*this);
        static_cast<limited&>(copy).limit_ = std::chrono::duration<long double>{limit};
        return copy;
    }

    /// The deadline of a lock() that starts now.
    [[nodiscard]] deadline limit() const { return limit_ ? deadline::after(*limit_) : deadline::never(); }

private:
    std::optional<std::chrono::duration<long double>> limit_;
};

/// The sleeps of somebody who polls. Apart, so that no user's file pays for the random numbers of <random>.
class random_naps {
public:
    explicit random_naps(std::chrono::nanoseconds interval) noexcept : interval_{interval} {}

    /// For a random time between half an interval and a whole one; until the deadline or a stop request at most.
    void sleep(deadline until, const std::stop_token& stop);

private:
    std::chrono::nanoseconds interval_;
    std::uint32_t last_ = 0;  ///< number drawn; 0: none yet
};

}  // namespace detail

/// Waits in the server's queue.
class block : public detail::limited<block> {
public:
    template <class Backend>
    [[nodiscard]] std::optional<typename Backend::grant_type> acquire_until(typename Backend::session_type& session,
                                                                            const typename Backend::key_type& key, mode m,
                                                                            deadline until, const std::stop_token& stop) const {
        return Backend::acquire_until(session, key, m, until, stop);
    }
};

/// Tries, sleeps for a random time between half an interval and a whole one, and tries again.
///
/// Nobody queues: a poller may starve beside others that block. The sleep ends early at a stop request.
class poll : public detail::limited<poll> {
public:
    static constexpr std::chrono::milliseconds minimum{1};

    /// \throws std::invalid_argument  below the minimum: that would be a busy loop at the server
    explicit poll(std::chrono::nanoseconds interval = std::chrono::milliseconds{50}) : interval_{interval} {
        if (interval < minimum) throw std::invalid_argument{"dlock: the interval of poll must be at least 1 ms"};
    }

    [[nodiscard]] std::chrono::nanoseconds interval() const noexcept { return interval_; }

    template <class Backend>
    [[nodiscard]] std::optional<typename Backend::grant_type> acquire_until(typename Backend::session_type& session,
                                                                            const typename Backend::key_type& key, mode m,
                                                                            deadline until, const std::stop_token& stop) const {
        detail::random_naps naps{interval_};
        for (;;) {
            if (stop.stop_requested()) throw lock_error{errc::cancelled, "dlock: the wait was cancelled"};
            const bool last = until.expired();
            if (auto grant = Backend::try_acquire(session, key, m)) return grant;
            if (last) return std::nullopt;
            naps.sleep(until, stop);
        }
    }

private:
    std::chrono::nanoseconds interval_;
};

/// | expression                              | returns               | effect                                          |
/// |-----------------------------------------|-----------------------|-------------------------------------------------|
/// | w.limit()                               | deadline              | of a lock() that starts now                     |
/// | w.acquire_until<Backend>(s, k, m, d, t) | optional<grant_type>  | as Backend::acquire_until; t ends it (cancelled)|
template <class W, class Backend>
concept wait_policy_for =
    (std::copyable<W> || detail::unmet<"dlock: WaitPolicy must be copyable">) &&
    (requires(const W& wait, typename Backend::session_type& session, const typename Backend::key_type& key, mode m, deadline until,
              const std::stop_token& stop) {
        { wait.limit() } -> std::same_as<deadline>;
        {
            wait.template acquire_until<Backend>(session, key, m, until, stop)
        } -> std::same_as<std::optional<typename Backend::grant_type>>;
    } || detail::unmet<"dlock: WaitPolicy must offer limit() and acquire_until<Backend>(session, key, mode, deadline, stop_token)">);

}  // namespace dlock
