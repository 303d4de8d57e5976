// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What basic_lock and basic_transaction_lock have in common: a key on a session, and the many ways to ask for it.
#pragma once

#include <concepts>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include <dlock/backend.hpp>
#include <dlock/deadline.hpp>
#include <dlock/detail/chrono.hpp>
#include <dlock/detail/errno_kept.hpp>
#include <dlock/detail/raised.hpp>
#include <dlock/error.hpp>
#include <dlock/fencing_token.hpp>
#include <dlock/key_policy.hpp>
#include <dlock/wait_policy.hpp>

namespace dlock::detail {

/// Every acquiring member comes down to acquire(); the derived lock only decides how a lock ends.
template <class Backend, class KeyPolicy, class WaitPolicy>
class acquirer {
public:
    using backend_type = Backend;
    using key_policy_type = KeyPolicy;
    using wait_policy_type = WaitPolicy;
    using session_type = typename Backend::session_type;
    using key_type = typename Backend::key_type;

    acquirer(const acquirer&) = delete;
    acquirer& operator=(const acquirer&) = delete;

    /// Waits as the wait policy says, in the server's queue by default, and returns with the lock held.
    /// A stop request ends the wait, also in the server's queue, with errc::cancelled.
    /// \throws lock_error  timed_out past the policy's at_most(); cancelled, deadlock, lost, exhausted, unsupported,
    ///                     server_error; already_owned when this object or another one holds the key on this session
    /// Round trips: one, and on the first use of a session those of its preflight; with poll one per try, with one_by_one one
    /// per key; none on SQLite, in memory, and where a lock_manager hands the lock on. A wait that fails may cost more: the
    /// backend's page.
    void lock(std::stop_token stop = {}) { lock(mode::exclusive, stop); }

    /// Takes the lock if it is free. False: somebody else holds it, or waits for it in front of us.
    /// \throws lock_error  as lock(), never timed_out. Round trips: as lock().
    [[nodiscard]] bool try_lock() { return try_lock(mode::exclusive); }

    /// Waits for `wait` at most; zero and less is a try_lock(). Rounded up to the server's unit.
    /// \throws lock_error  as try_lock(); std::invalid_argument for a duration that is not a number. Round trips: as lock().
    template <class Rep, class Period>
    [[nodiscard]] bool try_lock_for(const std::chrono::duration<Rep, Period>& wait, std::stop_token stop = {}) {
        return acquire(mode::exclusive, deadline::after(wait), stop);
    }

    /// As try_lock_for(). A time point of another clock is converted once, at the call.
    template <class Clock, class Duration>
    [[nodiscard]] bool try_lock_until(const std::chrono::time_point<Clock, Duration>& when, std::stop_token stop = {}) {
        return acquire(mode::exclusive, deadline::at(when), stop);
    }

    /// The same for a reader: any number of sessions may hold the lock shared, and none exclusively meanwhile.
    void lock_shared(std::stop_token stop = {})
        requires shared_backend<Backend>
    {
        lock(mode::shared, stop);
    }

    [[nodiscard]] bool try_lock_shared()
        requires shared_backend<Backend>
    {
        return try_lock(mode::shared);
    }

    template <class Rep, class Period>
        requires shared_backend<Backend>
    [[nodiscard]] bool try_lock_shared_for(const std::chrono::duration<Rep, Period>& wait, std::stop_token stop = {}) {
        return acquire(mode::shared, deadline::after(wait), stop);
    }

    template <class Clock, class Duration>
        requires shared_backend<Backend>
    [[nodiscard]] bool try_lock_shared_until(const std::chrono::time_point<Clock, Duration>& when, std::stop_token stop = {}) {
        return acquire(mode::shared, deadline::at(when), stop);
    }

    /// Whether this object holds the lock, in either mode. Asks what the client side knows, not the server: false as soon
    /// as the session is known to have ended or to have been replaced. No round trip.
    [[nodiscard]] bool owns_lock() const noexcept {
        const errno_kept unchanged;
        return grant_ && Backend::still_held(session_, key_, mode_, *grant_);
    }

    /// As owns_lock(), and tells a lock that is lost from one that was never held or given back.
    [[nodiscard]] lock_state state() const noexcept {
        if (!grant_) return lock_state::unlocked;
        return owns_lock() ? lock_state::held : lock_state::lost;
    }

    /// A token that tells when the lock is lost, while it is held now: stop is requested as soon as the session is known to
    /// have ended, by a thread that watches for it or by the one that notices first. Callbacks run on that thread: keep them
    /// short, and do not use the session in them. Of a lock that is not held: a token that has told already.
    /// Nothing is watched until this is called. No round trip, now or later.
    /// \throws lock_error  server_error: the process is out of descriptors
    [[nodiscard]] std::stop_token lost() const
        requires loss_signalling_backend<Backend>
    {
        return owns_lock() ? Backend::lost(session_, key_, mode_, *grant_) : raised();
    }

    /// The number of this grant: larger than that of every earlier holder. No round trip: it came with the grant.
    /// A lock that is lost keeps it until the next lock() or unlock(): the resource must refuse it, and does.
    /// \throws lock_error  not_owner: never locked, or given back
    [[nodiscard]] fencing_token token() const
        requires fencing_backend<Backend>
    {
        if (!grant_) throw lock_error{errc::not_owner, "dlock: a lock that is not held has no fencing token"};
        return Backend::token(*grant_);
    }

    /// Who holds this key now, whether through dlock or not; empty when nobody does.
    /// \throws lock_error  lost, server_error; unsupported, where the session takes no statement now; cancelled, also of a
    ///                     lock_manager that is closed
    /// Round trips: one; with one_by_one one per key; none on SQLite and in memory.
    [[nodiscard]] std::vector<holder> holders() const { return Backend::holders(session_, key_); }

    /// What the server locks: the name as the key policy turned it.
    [[nodiscard]] const key_type& key() const noexcept { return key_; }

protected:
    template <class Name>
    acquirer(session_type& session, const Name& name, WaitPolicy wait)
        : session_{session}, key_(KeyPolicy::key(name)), wait_{std::move(wait)} {
        Backend::check(session_, key_);
    }

    ~acquirer() = default;

    void lock(mode m, const std::stop_token& stop) {
        if (!acquire(m, wait_.limit(), stop)) {
            throw lock_error{errc::timed_out, "dlock: lock() reached the limit of its wait policy"};
        }
    }

    bool try_lock(mode m) {
        make_room();
        return granted(m, Backend::try_acquire(session_, key_, m));
    }

    bool acquire(mode m, deadline until, const std::stop_token& stop) {
        if (until.expired() && !stop.stop_requested()) return try_lock(m);
        make_room();
        return granted(m, wait_.template acquire_until<Backend>(session_, key_, m, until, stop));
    }

    /// Forgets a grant that has ended, with its session, its transaction or a release that was pending.
    void make_room() {
        if (owns_lock() && !settled()) throw lock_error{errc::already_owned, "dlock: this lock object holds its lock already"};
        grant_.reset();
        release_pending_ = false;  // or the next grant would be taken for the one whose release is due
    }

    bool granted(mode m, std::optional<typename Backend::grant_type> grant) noexcept {
        grant_ = std::move(grant);
        mode_ = m;
        return grant_.has_value();
    }

    /// Whether a release that had to wait for the end of an aborted transaction has gone through.
    bool settled() noexcept {
        if constexpr (releases<Backend>) {
            if (!release_pending_) return false;
            release_pending_ = Backend::release(session_, key_, mode_, *grant_) == released::pending;
            return !release_pending_;
        }
        return false;
    }

    session_type& session_;
    key_type key_;
    [[no_unique_address]] WaitPolicy wait_;
    mode mode_ = mode::exclusive;
    bool release_pending_ = false;
    std::optional<typename Backend::grant_type> grant_;
};

}  // namespace dlock::detail
