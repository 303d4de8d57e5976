// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A lock whose backend is chosen at run time. One allocation when it is made, one virtual call per operation.
#pragma once

#include <memory>
#include <stop_token>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <dlock/backend.hpp>
#include <dlock/deadline.hpp>
#include <dlock/detail/chrono.hpp>
#include <dlock/error.hpp>
#include <dlock/fencing_token.hpp>
#include <dlock/lockable.hpp>

namespace dlock {

/// Models TimedLockable and SharedTimedLockable, and is movable. Every member does what the one of basic_lock does; the
/// shared ones throw errc::unsupported where the backend has no shared locks. Thread rule: that of the lock inside.
/// \pre A moved-from any_lock is only destroyed or assigned to.
class any_lock {
public:
    /// Makes a Lock inside, which need not be movable: `any_lock::of<postgresql::lock>(db, "user/001")`.
    template <timed_lockable Lock, class... Args>
    [[nodiscard]] static any_lock of(Args&&... args) {
        return any_lock{std::make_unique<model<Lock>>(std::forward<Args>(args)...)};
    }

    void lock(std::stop_token stop = {}) { lock_->lock(mode::exclusive, stop); }
    [[nodiscard]] bool try_lock() { return lock_->try_lock(mode::exclusive); }

    template <class Rep, class Period>
    [[nodiscard]] bool try_lock_for(const std::chrono::duration<Rep, Period>& wait, std::stop_token stop = {}) {
        return lock_->try_lock_until(mode::exclusive, deadline::after(wait), stop);
    }

    template <class Clock, class Duration>
    [[nodiscard]] bool try_lock_until(const std::chrono::time_point<Clock, Duration>& when, std::stop_token stop = {}) {
        return lock_->try_lock_until(mode::exclusive, deadline::at(when), stop);
    }

    void unlock() noexcept { lock_->unlock(); }
    void unlock(std::error_code& ec) noexcept { lock_->unlock(ec); }

    void lock_shared(std::stop_token stop = {}) { lock_->lock(mode::shared, stop); }
    [[nodiscard]] bool try_lock_shared() { return lock_->try_lock(mode::shared); }

    template <class Rep, class Period>
    [[nodiscard]] bool try_lock_shared_for(const std::chrono::duration<Rep, Period>& wait, std::stop_token stop = {}) {
        return lock_->try_lock_until(mode::shared, deadline::after(wait), stop);
    }

    template <class Clock, class Duration>
    [[nodiscard]] bool try_lock_shared_until(const std::chrono::time_point<Clock, Duration>& when, std::stop_token stop = {}) {
        return lock_->try_lock_until(mode::shared, deadline::at(when), stop);
    }

    void unlock_shared() noexcept { lock_->unlock(); }
    void unlock_shared(std::error_code& ec) noexcept { lock_->unlock(ec); }

    [[nodiscard]] bool owns_lock() const noexcept { return lock_->owns_lock(); }
    [[nodiscard]] lock_state state() const noexcept { return lock_->state(); }
    [[nodiscard]] std::vector<holder> holders() const { return lock_->holders(); }

    /// Whether lost() gives a token, which is a matter of the backend and never changes: to be asked before the work begins.
    /// Where it is false owns_lock() and state() tell, each time they are asked.
    [[nodiscard]] bool can_tell_loss() const noexcept { return lock_->can_tell_loss(); }

    /// \throws lock_error  also unsupported: the backend cannot tell of a loss without being asked, so a token would promise what
    ///                     nobody keeps; see can_tell_loss()
    [[nodiscard]] std::stop_token lost() const { return lock_->lost(); }

    /// \throws lock_error  also unsupported: the lock inside is not a fenced one
    [[nodiscard]] fencing_token token() const { return lock_->token(); }

private:
    struct erased {
        virtual ~erased() = default;
        virtual void lock(mode, const std::stop_token&) = 0;
        virtual bool try_lock(mode) = 0;
        virtual bool try_lock_until(mode, deadline, const std::stop_token&) = 0;
        virtual void unlock() noexcept = 0;
        virtual void unlock(std::error_code&) noexcept = 0;
        virtual bool owns_lock() const noexcept = 0;
        virtual lock_state state() const noexcept = 0;
        virtual std::vector<holder> holders() const = 0;
        virtual bool can_tell_loss() const noexcept = 0;
        virtual std::stop_token lost() const = 0;
        virtual fencing_token token() const = 0;
    };

    template <class Lock>
    struct model final : erased {
        template <class... Args>
        explicit model(Args&&... args) : lock_(std::forward<Args>(args)...) {}

        void lock(mode m, const std::stop_token& stop) override {
            if (m == mode::exclusive) return lock_.lock(stop);
            if constexpr (shared_timed_lockable<Lock>) return lock_.lock_shared(stop);
            refuse_shared();
        }

        bool try_lock(mode m) override {
            if (m == mode::exclusive) return lock_.try_lock();
            if constexpr (shared_timed_lockable<Lock>) return lock_.try_lock_shared();
            refuse_shared();
        }

        bool try_lock_until(mode m, deadline until, const std::stop_token& stop) override {
            if (m == mode::exclusive) return lock_.try_lock_until(until.time(), stop);
            if constexpr (shared_timed_lockable<Lock>) return lock_.try_lock_shared_until(until.time(), stop);
            refuse_shared();
        }

        void unlock() noexcept override { lock_.unlock(); }
        void unlock(std::error_code& ec) noexcept override { lock_.unlock(ec); }
        bool owns_lock() const noexcept override { return lock_.owns_lock(); }
        lock_state state() const noexcept override { return lock_.state(); }
        std::vector<holder> holders() const override { return lock_.holders(); }

        static constexpr bool tells_loss = requires(const Lock& lock) { lock.lost(); };

        bool can_tell_loss() const noexcept override { return tells_loss; }

        std::stop_token lost() const override {
            if constexpr (tells_loss) return lock_.lost();
            else throw lock_error{errc::unsupported, "dlock: this backend cannot tell of a loss without being asked; ask state() now and then, "
                                                     "where can_tell_loss() is false"};
        }

        fencing_token token() const override {
            if constexpr (requires { lock_.token(); }) return lock_.token();
            else throw lock_error{errc::unsupported, "dlock: this lock mints no fencing tokens; make a fenced one"};
        }

        [[noreturn]] static void refuse_shared() {
            throw lock_error{errc::unsupported, "dlock: this backend has no shared locks; lock exclusively"};
        }

        Lock lock_;
    };

    explicit any_lock(std::unique_ptr<erased> lock) noexcept : lock_{std::move(lock)} {}

    std::unique_ptr<erased> lock_;
};

static_assert(timed_lockable<any_lock> && shared_timed_lockable<any_lock>);

}  // namespace dlock
