// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A lock that the server takes back from a holder that has stopped breathing.
//
//     dlock::postgresql::leased_lock lock{"postgresql://dbname=app", "user/001", 5s};
//     std::scoped_lock held{lock};
//
// A plain lock is held for as long as its session lives, and the session of a process that hangs, swaps or was stopped
// lives on. This lock owns a session that the server ends after a lease of silence, and a thread that breaks the silence
// every third of the lease. Who is stopped for longer loses the lock, and knows it as soon as it runs again: valid_until()
// lies before the moment at which the server can have ended the session, because it counts from the start of the last
// heartbeat that was answered. What the server then gives to the next holder, this one no longer believes to have.
//
// When to use: when a hanging holder is worse than one that is interrupted. A lease bounds how long the others wait, it
// does not make the work safe: what was checked a moment ago may not be so any more. Only a fencing token does that.
//
// Threads: one at a time locks and unlocks. Any thread may call owns_lock(), state(), valid_until() and lost(). In a forked child a
// lock that its parent held is lost, and every call that would need the connection throws errc::lost.
#pragma once

#include <chrono>
#include <stop_token>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <dlock/boot_clock.hpp>
#include <dlock/detail/leased_lock_state.hpp>
#include <dlock/detail/process.hpp>
#include <dlock/detail/raised.hpp>
#include <dlock/leasing_backend.hpp>
#include <dlock/lock.hpp>

namespace dlock {

template <leasing_backend Backend, key_policy_for<Backend> KeyPolicy, wait_policy_for<Backend> WaitPolicy = block>
class basic_leased_lock {
    using state_type = detail::leased_lock_state<Backend, KeyPolicy, WaitPolicy>;

public:
    using backend_type = Backend;
    using key_type = typename Backend::key_type;
    using clock = boot_clock;
    using connector = typename state_type::connector;

    /// Connects. Not locked yet. The first of a process with this connection string also proves that the server's locks exclude
    /// anybody: it opens a second connection and closes it again, for five round trips (dlock/verify_exclusion.hpp). Where there is no second
    /// connection, or one of the two breaks, nothing is proven and the next one tries again.
    /// \param lease  100 ms to 24 days; rounded up to the server's unit, a second on MySQL and MariaDB
    /// \throws lock_error  bad_key; not_connected; unsupported: a server without such a limit, or whose locks exclude nobody; lost
    /// \throws std::invalid_argument  for another lease
    template <class Name>
        requires accepts_name<KeyPolicy, const Name&>
    basic_leased_lock(const std::string& connection, const Name& name, std::chrono::milliseconds lease, WaitPolicy wait = WaitPolicy{})
        : state_{[text = connection] { return Backend::connect(text); }, &connection, name, lease, std::move(wait)} {}

    /// As above, over sessions that are opened by `connect`, in which a program can say what only it knows: that a pooler keeps sessions
    /// (assume_session_pooling()), that the locks of this one server are meant (accept_local_locks()). Proves each time that two of them
    /// exclude each other, since nobody knows where it leads.
    /// \param connect  makes a session that nobody else uses; is called here and, when the session has ended, by the next call that locks.
    ///                 What it throws goes through
    /// \throws std::invalid_argument  `connect` gives no session
    template <class Name>
        requires accepts_name<KeyPolicy, const Name&>
    basic_leased_lock(connector connect, const Name& name, std::chrono::milliseconds lease, WaitPolicy wait = WaitPolicy{})
        : state_{std::move(connect), nullptr, name, lease, std::move(wait)} {}

    /// Releases what is held, and ends the session.
    ~basic_leased_lock() = default;
    basic_leased_lock(const basic_leased_lock&) = delete;
    basic_leased_lock& operator=(const basic_leased_lock&) = delete;

    /// As basic_lock's. Connects anew when the session has ended meanwhile.
    /// \throws lock_error  as basic_lock; not_connected; lost also when the lease was over before the grant could be told
    /// Round trips: one, and one more after a wait of a third of the lease: when it was granted is not known then.
    void lock(std::stop_token stop = {}) { here().lock(std::move(stop)); }
    [[nodiscard]] bool try_lock() { return here().try_lock(); }
    template <class Rep, class Period>
    [[nodiscard]] bool try_lock_for(const std::chrono::duration<Rep, Period>& wait, std::stop_token stop = {}) {
        return here().try_lock_for(wait, std::move(stop));
    }
    template <class Clock, class Duration>
    [[nodiscard]] bool try_lock_until(const std::chrono::time_point<Clock, Duration>& when, std::stop_token stop = {}) {
        return here().try_lock_until(when, std::move(stop));
    }

    void lock_shared(std::stop_token stop = {})
        requires shared_backend<Backend>
    {
        here().lock_shared(std::move(stop));
    }
    [[nodiscard]] bool try_lock_shared()
        requires shared_backend<Backend>
    {
        return here().try_lock_shared();
    }
    template <class Rep, class Period>
        requires shared_backend<Backend>
    [[nodiscard]] bool try_lock_shared_for(const std::chrono::duration<Rep, Period>& wait, std::stop_token stop = {}) {
        return here().try_lock_shared_for(wait, std::move(stop));
    }
    template <class Clock, class Duration>
        requires shared_backend<Backend>
    [[nodiscard]] bool try_lock_shared_until(const std::chrono::time_point<Clock, Duration>& when, std::stop_token stop = {}) {
        return here().try_lock_shared_until(when, std::move(stop));
    }

    /// As basic_lock's. Waits for a server that does not answer as long as the lease lasts at most.
    void unlock() noexcept {
        std::error_code ignored;
        unlock(ignored);
    }
    /// As basic_lock's; errc::lost also when the lease was over.
    void unlock(std::error_code& ec) noexcept {
        if (state_.is_here()) return state_->unlock(ec);
        ec = state() == lock_state::lost ? errc::lost : errc::not_owner;
    }
    void unlock_shared() noexcept
        requires shared_backend<Backend>
    {
        unlock();
    }
    void unlock_shared(std::error_code& ec) noexcept
        requires shared_backend<Backend>
    {
        unlock(ec);
    }

    /// Whether the lock is held and its lease not over. No round trip.
    [[nodiscard]] bool owns_lock() const noexcept { return state_.is_here() && state_->owns_lock(); }

    /// suspect: two heartbeats have not been answered, and the lease is not over. No round trip.
    [[nodiscard]] lock_state state() const noexcept {
        const auto known = state_->state();
        return state_.is_here() || known == lock_state::unlocked ? known : lock_state::lost;
    }

    /// Until then the server has not given the lock to anybody else, unless the session is ended by force. Moves on with
    /// every heartbeat. Of a lock that is not held: meaningless; ask owns_lock(). No round trip.
    [[nodiscard]] clock::time_point valid_until() const noexcept { return state_->valid_until(); }

    /// As basic_lock's; also told by the lease's end. Callbacks must not use this object.
    [[nodiscard]] std::stop_token lost() const { return state_.is_here() ? state_->lost() : detail::raised(); }

    [[nodiscard]] fencing_token token() const
        requires fencing_backend<Backend>
    {
        return here().token();
    }

    /// As basic_lock's. While the lock is held, waits for a server that does not answer as long as the lease lasts at most.
    [[nodiscard]] std::vector<holder> holders() const { return here().holders(); }

    [[nodiscard]] const key_type& key() const noexcept { return state_->key(); }
    [[nodiscard]] std::chrono::milliseconds lease() const noexcept { return state_->lease(); }

private:
    state_type& here() const {
        if (state_.is_here()) return *state_;
        throw lock_error{errc::lost, "dlock: this leased lock belongs to the process that has forked this one: make one after the fork"};
    }

    detail::own_process<state_type> state_;
};

}  // namespace dlock
