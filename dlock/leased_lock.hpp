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

#include <algorithm>
#include <atomic>
#include <chrono>
#include <concepts>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <dlock/boot_clock.hpp>
#include <dlock/detail/background_thread.hpp>
#include <dlock/detail/loss_signal.hpp>
#include <dlock/detail/process.hpp>
#include <dlock/detail/raised.hpp>
#include <dlock/detail/timed_mutex.hpp>
#include <dlock/lock.hpp>
#include <dlock/verify_exclusion.hpp>

namespace dlock {

/// A backend whose server ends a session that has been silent for a time.
///
/// | expression                  | returns                  | effect                                                        |
/// |-----------------------------|--------------------------|---------------------------------------------------------------|
/// | B::open_session(c, lease)   | shared_ptr<session_type> | connects to c; the server ends the session after that silence |
/// | B::reopen_session(s, lease) |                          | the same for a session that has ended                         |
/// | B::heartbeat(s, longest)    | bool, noexcept           | one round trip; false: no answer in time, the session has     |
/// |                             |                          | been severed                                                  |
/// | B::breaker(s)               | std::function<void()>    | what any thread may call at any time: ends the connection     |
/// |                             |                          | that the session has now, for whoever waits for an answer too |
template <class B>
concept leasing_backend =
    backend<B> && loss_signalling_backend<B> &&
    (requires(const std::string& connection, typename B::session_type& session, std::chrono::milliseconds time) {
        { B::open_session(connection, time) } -> std::same_as<std::shared_ptr<typename B::session_type>>;
        B::reopen_session(session, time);
        { B::heartbeat(session, time) } noexcept -> std::same_as<bool>;
        { B::breaker(session) } -> std::same_as<std::function<void()>>;
    } || detail::unmet<"dlock: this Backend has no server that would end a silent session">);

namespace detail {

/// What is behind a basic_leased_lock, which says what each member does.
template <leasing_backend Backend, key_policy_for<Backend> KeyPolicy, wait_policy_for<Backend> WaitPolicy>
class leased_lock_state {
    using lock_type = basic_lock<Backend, KeyPolicy, WaitPolicy>;

public:
    using backend_type = Backend;
    using key_type = typename Backend::key_type;
    using clock = boot_clock;

    template <class Name>
        requires accepts_name<KeyPolicy, const Name&>
    leased_lock_state(const std::string& connection, const Name& name, std::chrono::milliseconds lease, WaitPolicy wait = WaitPolicy{})
        : lease_{checked(lease)},
          session_{opened(connection, lease_)},
          lock_{*session_, name, std::move(wait)},
          heart_{"dlock-lease", [this](const std::stop_token& stop) { beat(stop); }} {}

    ~leased_lock_state() {
        unlock();  // while the heart beats, which bounds it
        heart_.request_stop();
        heart_.join();
    }

    leased_lock_state(const leased_lock_state&) = delete;
    leased_lock_state& operator=(const leased_lock_state&) = delete;

    void lock(std::stop_token stop = {}) {
        (void)acquire([&] {
            lock_.lock(stop);
            return true;
        });
    }
    [[nodiscard]] bool try_lock() {
        return acquire([&] { return lock_.try_lock(); });
    }
    template <class Rep, class Period>
    [[nodiscard]] bool try_lock_for(const std::chrono::duration<Rep, Period>& wait, std::stop_token stop = {}) {
        return acquire([&] { return lock_.try_lock_for(wait, stop); });
    }
    template <class Clock, class Duration>
    [[nodiscard]] bool try_lock_until(const std::chrono::time_point<Clock, Duration>& when, std::stop_token stop = {}) {
        return acquire([&] { return lock_.try_lock_until(when, stop); });
    }

    void lock_shared(std::stop_token stop = {})
        requires shared_backend<Backend>
    {
        (void)acquire([&] {
            lock_.lock_shared(stop);
            return true;
        });
    }
    [[nodiscard]] bool try_lock_shared()
        requires shared_backend<Backend>
    {
        return acquire([&] { return lock_.try_lock_shared(); });
    }
    template <class Rep, class Period>
        requires shared_backend<Backend>
    [[nodiscard]] bool try_lock_shared_for(const std::chrono::duration<Rep, Period>& wait, std::stop_token stop = {}) {
        return acquire([&] { return lock_.try_lock_shared_for(wait, stop); });
    }
    template <class Clock, class Duration>
        requires shared_backend<Backend>
    [[nodiscard]] bool try_lock_shared_until(const std::chrono::time_point<Clock, Duration>& when, std::stop_token stop = {}) {
        return acquire([&] { return lock_.try_lock_shared_until(when, stop); });
    }

    void unlock() noexcept {
        std::error_code ignored;
        unlock(ignored);
    }
    void unlock(std::error_code& ec) noexcept {
        const std::lock_guard guard{mutex_};
        if (!held_) {
            ec = errc::not_owner;
            return;
        }
        const bool was_lost = state() == lock_state::lost;
        lock_.unlock(ec);  // while it is held, so that the lease's end ends the wait for the answer
        end_grant();
        if (was_lost) ec = errc::lost;
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

    [[nodiscard]] bool owns_lock() const noexcept {
        const auto now = state();
        return now == lock_state::held || now == lock_state::suspect;
    }

    [[nodiscard]] lock_state state() const noexcept {
        if (!held_) return lock_state::unlocked;
        const auto now = clock::now(), until = valid_until();
        if (ended_ || now >= until) return lock_state::lost;
        return now >= until + margin() - lease_ / 3 ? lock_state::suspect : lock_state::held;
    }

    [[nodiscard]] clock::time_point valid_until() const noexcept { return clock::time_point{clock::duration{valid_until_}}; }

    [[nodiscard]] std::stop_token lost() const {
        auto token = losses_.of(0);
        return owns_lock() ? token : raised();  // in this order: the loss may come in between
    }

    [[nodiscard]] fencing_token token() const
        requires fencing_backend<Backend>
    {
        const std::lock_guard guard{mutex_};
        return lock_.token();
    }

    [[nodiscard]] std::vector<holder> holders() const {
        const std::lock_guard guard{mutex_};
        return lock_.holders();
    }

    [[nodiscard]] const key_type& key() const noexcept { return lock_.key(); }
    [[nodiscard]] std::chrono::milliseconds lease() const noexcept { return lease_; }

private:
    struct tell {
        leased_lock_state& of;
        void operator()() const noexcept { of.lose(); }
    };

    static std::chrono::milliseconds checked(std::chrono::milliseconds lease) {
        if (lease < std::chrono::milliseconds{100} || lease > std::chrono::hours{24 * 24}) {
            throw std::invalid_argument{"dlock: a lease must be between 100 ms and 24 days"};
        }
        return lease;
    }

    static std::shared_ptr<typename Backend::session_type> opened(const std::string& connection, std::chrono::milliseconds lease) {
        auto session = Backend::open_session(connection, lease);
        if constexpr (detail::randomly_keyed<Backend>) {
            if (detail::is_proven(&detail::kind_of<Backend>, connection)) return session;
            const auto key = detail::random_key<Backend>();
            detail::exclusion seen{};
            try {
                const auto second = Backend::open_session(connection, lease);
                seen = detail::exclude_each_other(detail::contender<Backend>{*session, key}, detail::contender<Backend>{*second, key});
            } catch (const std::exception&) {
                return session;  // what is wrong will be told to whoever locks
            }
            detail::require(seen);
            detail::set_proven(&detail::kind_of<Backend>, connection);
        }
        return session;
    }

    /// Two clocks need not run equally fast, and the one that judges is not ours.
    [[nodiscard]] clock::duration margin() const noexcept { return lease_ / 20; }

    void extend_from(clock::time_point start) noexcept {
        valid_until_ = (start + lease_ - margin()).time_since_epoch().count();
    }

    template <class Attempt>
    bool acquire(Attempt attempt) {
        const std::lock_guard guard{mutex_};
        if (held_) {
            if (state() != lock_state::lost) throw lock_error{errc::already_owned, "dlock: this lock object holds its lock already"};
            end_grant();
            broken_ = true;  // the server may not know yet
        }
        broken_ = broken_ || ended_;
        if (clock::now() >= valid_until()) broken_ = broken_ || !Backend::heartbeat(*session_, lease_);
        if (broken_) {
            Backend::reopen_session(*session_, lease_);
            broken_ = false;
        }
        ended_ = false;
        auto start = clock::now();
        try {
            if (!attempt()) return false;
        } catch (const lock_error& e) {
            broken_ = e.reason() == errc::lost;
            throw;
        }
        std::function<void()> breaker;
        try {
            breaker = Backend::breaker(*session_);
            told_.emplace(lock_.lost(), tell{*this});
        } catch (...) {
            lock_.unlock();
            throw;
        }
        if (clock::now() - start > lease_ / 3) {
            start = clock::now();
            broken_ = !Backend::heartbeat(*session_, lease_);
        }
        extend_from(start);
        begin_grant(std::move(breaker));
        if (!owns_lock() || broken_) {
            lock_.unlock();
            end_grant();
            throw lock_error{errc::lost, "dlock: the lease was over before the grant could be told"};
        }
        return true;
    }

    void begin_grant(std::function<void()> breaker) noexcept {
        const std::lock_guard guard{grant_mutex_};
        break_.swap(breaker);
        held_ = true;
    }

    void end_grant() noexcept {
        {
            const std::lock_guard guard{grant_mutex_};
            held_ = false;
            break_ = nullptr;  // or it would keep the connection open
        }
        told_.reset();
        losses_.forget(0);
    }

    /// How long a call of the owner may keep the heart from beating before it is looked at.
    [[nodiscard]] clock::duration patience() const noexcept {
        if (!held_ || ended_) return lease_ / 3;
        return std::max<clock::duration>(valid_until() - clock::now(), std::chrono::milliseconds{1});
    }

    /// Without mutex_, which a call has that waits for the server.
    void end_call_if_over() noexcept {
        const std::lock_guard guard{grant_mutex_};  // or it might be the next grant by now
        if (!held_ || ended_ || clock::now() < valid_until()) return;
        break_();
        lose();
    }

    void lose() noexcept {
        ended_ = true;
        losses_.raise();
    }

    void beat(const std::stop_token& stop) {
        std::mutex none;
        for (;;) {
            {
                std::unique_lock asleep{none};
                wake_.wait_for(asleep, stop, lease_ / 3, [] { return false; });
            }
            if (stop.stop_requested()) return;
            std::unique_lock guard{mutex_, std::defer_lock};
            while (!guard.try_lock_for(patience())) end_call_if_over();
            if (broken_) continue;
            const auto start = clock::now();
            const auto left = std::chrono::floor<std::chrono::milliseconds>(held_ ? valid_until() - start : clock::duration{lease_});
            const bool answered = Backend::heartbeat(*session_, std::max(left, std::chrono::milliseconds{0}));
            if (answered && (!held_ || lock_.owns_lock())) {  // by the session that was granted the lock, not by another
                extend_from(start);
                continue;
            }
            broken_ = true;
            if (held_) lose();  // with the mutex: a grant that came in between would be told that it is lost
        }
    }

    std::chrono::milliseconds lease_;
    mutable timed_mutex mutex_;  ///< of the session and the lock on it
    std::mutex grant_mutex_;             ///< of held_ and break_, which need that one as well to be changed
    std::shared_ptr<typename Backend::session_type> session_;
    lock_type lock_;
    bool broken_ = false;  ///< the session has ended
    std::function<void()> break_;  ///< of the connection that was granted the lock
    std::atomic<bool> held_ = false;
    std::atomic<bool> ended_ = false;
    std::atomic<clock::rep> valid_until_ = 0;
    mutable loss_signal losses_;
    std::optional<std::stop_callback<tell>> told_;
    std::condition_variable_any wake_;
    background_thread heart_;  ///< the last one: it uses all the others
};

}  // namespace detail

template <leasing_backend Backend, key_policy_for<Backend> KeyPolicy, wait_policy_for<Backend> WaitPolicy = block>
class basic_leased_lock {
    using state_type = detail::leased_lock_state<Backend, KeyPolicy, WaitPolicy>;

public:
    using backend_type = Backend;
    using key_type = typename Backend::key_type;
    using clock = boot_clock;

    /// Connects. Not locked yet. The first of a process with this connection string also proves that the server's locks exclude
    /// anybody: it opens a second connection and closes it again, for five round trips (dlock/verify_exclusion.hpp). Where there is no second
    /// connection, or one of the two breaks, nothing is proven and the next one tries again.
    /// \param lease  100 ms to 24 days; rounded up to the server's unit, a second on MySQL and MariaDB
    /// \throws lock_error  bad_key; not_connected; unsupported: a server without such a limit, or whose locks exclude nobody; lost
    /// \throws std::invalid_argument  for another lease
    template <class Name>
        requires accepts_name<KeyPolicy, const Name&>
    basic_leased_lock(const std::string& connection, const Name& name, std::chrono::milliseconds lease, WaitPolicy wait = WaitPolicy{})
        : state_{connection, name, lease, std::move(wait)} {}

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
