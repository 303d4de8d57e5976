// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The lock.
//
//     basic_lock<Backend, KeyPolicy, WaitPolicy>
//
// models the standard's TimedLockable, and SharedTimedLockable where the backend has shared locks: std::scoped_lock,
// std::unique_lock, std::shared_lock, std::lock and std::condition_variable_any work with it.
//
// What is guaranteed: at most one session holds the lock exclusively. What is not: that at most one process runs. A
// holder that has lost its session runs on until it looks; see owns_lock().
//
// Who owns what: the session owns the lock at the server, this object owns the duty to give it back, the caller owns the
// session and keeps it alive longer than this object. A lock object that is destroyed while it holds releases.
//
// Threads: those of its session. One thread at a time uses a session, its locks and whatever else is done with it; which
// thread may change. To exclude threads of one process, give each a session.
//
// | state \ call     | lock, try_lock…                 | unlock                          | destructor   |
// |------------------|---------------------------------|---------------------------------|--------------|
// | not held         | asks the server                 | not_owner                       | nothing      |
// | held             | already_owned                   | releases                        | releases     |
// | held, lost since | asks the server, as if not held | lost                            | nothing      |
// | release pending  | already_owned until the aborted transaction ends, then as not held | as the first unlock | releases, or ends the session |
#pragma once

#include <initializer_list>
#include <string_view>
#include <system_error>
#include <utility>

#include <dlock/detail/acquirer.hpp>
#include <dlock/detail/errno_kept.hpp>
#include <dlock/lockable.hpp>

namespace dlock {

template <backend Backend, key_policy_for<Backend> KeyPolicy, wait_policy_for<Backend> WaitPolicy = block>
class basic_lock : public detail::acquirer<Backend, KeyPolicy, WaitPolicy> {
    using base = detail::acquirer<Backend, KeyPolicy, WaitPolicy>;

public:
    /// Not locked yet. No round trip.
    /// \pre `session` outlives this object.
    /// \throws lock_error  bad_key when the key policy or this kind of server would refuse, fold or truncate the name; lost,
    ///                     unsupported where that depends on the server (MySQL, MariaDB): the session is not connected, or to another
    template <class Name>
        requires accepts_name<KeyPolicy, const Name&>
    basic_lock(typename base::session_type& session, const Name& name, WaitPolicy wait = WaitPolicy{}) : base{session, name, std::move(wait)} {}

    /// The same for names in braces, of a policy that takes several: `multi_lock both{db, {"account/1", "account/2"}};`
    template <class Name>
        requires accepts_name<KeyPolicy, const std::initializer_list<Name>&>
    basic_lock(typename base::session_type& session, std::initializer_list<Name> names, WaitPolicy wait = WaitPolicy{})
        : base{session, names, std::move(wait)} {}
    /// Also where the names are not all of one type.
    basic_lock(typename base::session_type& session, std::initializer_list<std::string_view> names, WaitPolicy wait = WaitPolicy{})
        requires accepts_name<KeyPolicy, const std::initializer_list<std::string_view>&>
        : base{session, names, std::move(wait)} {}

    ~basic_lock() {
        if (this->grant_ && release() == released::pending) Backend::sever(this->session_, *this->grant_);
    }

    /// Gives the lock back. A lock that is not held, or is lost, is left alone: unlock(std::error_code&) tells.
    /// Round trips: one; with one_by_one one per key; none on SQLite and in memory; a lock_manager's lock awaits none.
    void unlock() noexcept {
        if (this->grant_) (void)release_and_forget();
    }

    /// As unlock(); `ec` says what became of it: cleared when the server released the lock, errc::not_owner, errc::lost, or
    /// std::errc::operation_in_progress in an aborted transaction, where the server takes no statement: the lock is then
    /// released with the next use of the session after the transaction, at the latest when this object is destroyed.
    void unlock(std::error_code& ec) noexcept {
        if (!this->grant_) {
            ec = errc::not_owner;
            return;
        }
        switch (release_and_forget()) {
            case released::yes: ec.clear(); break;
            case released::lost: ec = errc::lost; break;
            case released::pending: ec = std::make_error_code(std::errc::operation_in_progress); break;
        }
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

private:
    released release() noexcept {
        const detail::errno_kept unchanged;  // who leaves a scope may be about to ask why a call in it has failed
        return Backend::release(this->session_, this->key_, this->mode_, *this->grant_);
    }

    released release_and_forget() noexcept {
        const auto outcome = release();
        this->release_pending_ = outcome == released::pending;
        if (!this->release_pending_) this->grant_.reset();
        return outcome;
    }
};

}  // namespace dlock
