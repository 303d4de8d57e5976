// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What is behind a basic_leased_lock: the lock, its session, and the heart. dlock/leased_lock.hpp says what each member does, and
// guards it in forked children.
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
#include <dlock/detail/raised.hpp>
#include <dlock/detail/timed_mutex.hpp>
#include <dlock/leasing_backend.hpp>
#include <dlock/lock.hpp>
#include <dlock/verify_exclusion.hpp>

namespace dlock::detail {

template <leasing_backend Backend, key_policy_for<Backend> KeyPolicy, wait_policy_for<Backend> WaitPolicy>
class leased_lock_state {
public:
    using backend_type = Backend;
    using key_type = typename Backend::key_type;
    using clock = boot_clock;
    using connector = std::function<std::shared_ptr<typename Backend::session_type>()>;

    /// \param text  where `connect` leads to; null: nobody knows
    template <class Name>
        requires accepts_name<KeyPolicy, const Name&>
    leased_lock_state(connector connect, const std::string* text, const Name& name, std::chrono::milliseconds lease, WaitPolicy wait)
        : lease_{checked(lease)},
          connect_{std::move(connect)},
          key_(KeyPolicy::key(name)),
          wait_{std::move(wait)},
          session_{proven(connected(), text)},
          lock_{std::in_place, *session_, key_, wait_},
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
            lock_->lock(stop);
            return true;
        });
    }
    [[nodiscard]] bool try_lock() {
        return acquire([&] { return lock_->try_lock(); });
    }
    template <class Rep, class Period>
    [[nodiscard]] bool try_lock_for(const std::chrono::duration<Rep, Period>& wait, std::stop_token stop = {}) {
        return acquire([&] { return lock_->try_lock_for(wait, stop); });
    }
    template <class Clock, class Duration>
    [[nodiscard]] bool try_lock_until(const std::chrono::time_point<Clock, Duration>& when, std::stop_token stop = {}) {
        return acquire([&] { return lock_->try_lock_until(when, stop); });
    }

    void lock_shared(std::stop_token stop = {})
        requires shared_backend<Backend>
    {
        (void)acquire([&] {
            lock_->lock_shared(stop);
            return true;
        });
    }
    [[nodiscard]] bool try_lock_shared()
        requires shared_backend<Backend>
    {
        return acquire([&] { return lock_->try_lock_shared(); });
    }
    template <class Rep, class Period>
        requires shared_backend<Backend>
    [[nodiscard]] bool try_lock_shared_for(const std::chrono::duration<Rep, Period>& wait, std::stop_token stop = {}) {
        return acquire([&] { return lock_->try_lock_shared_for(wait, stop); });
    }
    template <class Clock, class Duration>
        requires shared_backend<Backend>
    [[nodiscard]] bool try_lock_shared_until(const std::chrono::time_point<Clock, Duration>& when, std::stop_token stop = {}) {
        return acquire([&] { return lock_->try_lock_shared_until(when, stop); });
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
        lock_->unlock(ec);  // while it is held, so that the lease's end ends the wait for the answer
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
        return lock_->token();
    }

    [[nodiscard]] std::vector<holder> holders() const {
        const std::lock_guard guard{mutex_};
        return lock_->holders();
    }

    [[nodiscard]] const key_type& key() const noexcept { return key_; }
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

    /// The key is one already.
    struct itself {
        using key_type = typename Backend::key_type;
        static key_type key(const key_type& k) { return k; }
    };
    using lock_type = basic_lock<Backend, itself, WaitPolicy>;

    [[nodiscard]] std::shared_ptr<typename Backend::session_type> connected() const {
        auto session = opened(connect_);
        Backend::begin_lease(*session, lease_);
        return session;
    }

    /// The old session is ended first: a lost grant that it may still have at the server is gone then, nobody waits for it to be released, and
    /// it does not count when the server limits the connections of a user. \pre nothing is held
    void open_anew() {
        try {
            Backend::breaker(*session_)();
        } catch (const std::exception&) {
            // it has ended, or its descriptor cannot be duplicated: then the release below has the bounds of any other
        }
        auto session = connected();
        lock_.reset();  // which uses the one that is replaced
        session_ = std::move(session);
        lock_.emplace(*session_, key_, wait_);
    }

    /// The session, after its server has been seen to exclude another one.
    [[nodiscard]] std::shared_ptr<typename Backend::session_type> proven(std::shared_ptr<typename Backend::session_type> session, const std::string* text) const {
        if constexpr (detail::randomly_keyed<Backend>) {
            if (text != nullptr && detail::is_proven(&detail::kind_of<Backend>, *text)) return session;
            const auto key = detail::random_key<Backend>();
            detail::exclusion seen{};
            try {
                const auto second = connected();
                if (second == session) detail::refuse_one_session();
                seen = detail::exclude_each_other(detail::contender<Backend>{*session, key}, detail::contender<Backend>{*second, key});
            } catch (const lock_error& e) {
                if (e.reason() == errc::unsupported) throw;
                return session;  // what is wrong will be told to whoever locks
            } catch (const std::exception&) {
                return session;
            }
            detail::require(seen);
            if (text != nullptr) detail::set_proven(&detail::kind_of<Backend>, *text);
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
            open_anew();
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
            told_.emplace(lock_->lost(), tell{*this});
        } catch (...) {
            lock_->unlock();
            throw;
        }
        if (clock::now() - start > lease_ / 3) {
            start = clock::now();
            broken_ = !Backend::heartbeat(*session_, lease_);
        }
        extend_from(start);
        begin_grant(std::move(breaker));
        if (!owns_lock() || broken_) {
            lock_->unlock();
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
            if (answered && (!held_ || lock_->owns_lock())) {  // by the session that was granted the lock, not by another
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
    connector connect_;
    key_type key_;
    WaitPolicy wait_;
    std::shared_ptr<typename Backend::session_type> session_;
    std::optional<lock_type> lock_;  ///< on session_
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

}  // namespace dlock::detail
