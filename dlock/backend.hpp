// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What dlock asks of a kind of server.
//
// A lock is (session, key, mode), and the session owns it: the server frees it when the session ends. A backend is a
// stateless trait that says how sessions of one kind of server try, wait, release and inspect. It never decides how
// long to wait or what a name becomes; the wait policy and the key policy do.
//
// | expression                        | returns               | effect                                                     |
// |-----------------------------------|-----------------------|------------------------------------------------------------|
// | B::session_type                   |                       | the owner of locks; one thread at a time may use it        |
// | B::key_type                       |                       | what the server locks; regular                             |
// | B::grant_type                     |                       | what must be remembered of a grant; tells a lost session   |
// | B::has_shared                     | bool                  | whether mode::shared exists                                |
// | B::check(s, k)                    |                       | throws errc::bad_key where this server would fold or       |
// |                                   |                       | refuse k; no round trip                                    |
// | B::try_acquire(s, k, m)           | optional<grant_type>  | takes the lock if it is free, without waiting              |
// | B::acquire_until(s, k, m, d, t)   | optional<grant_type>  | waits in the server's queue; nullopt: d has passed         |
// | B::still_held(s, k, m, g)         | bool, noexcept        | no round trip: false once the session is known to be gone  |
// | B::release(s, k, m, g)            | released, noexcept    | gives the lock back                                        |
// | B::sever(s, g)                    | noexcept              | ends the session, and with it every lock on it             |
// | B::holders(s, k)                  | vector<holder>        | asks the server who holds k                                |
//
// The two acquiring functions either return with the lock held once by this session, or return nullopt or throw with
// the lock proven not held: by the answer where it is a proof (a try that says no; a timeout, on MySQL and MariaDB), else by
// asking the server, which releases what it granted all the same; and where no answer can be had, they sever. PostgreSQL's plain
// locks keep a lock that was granted as they timed out: then it is held, and told.
// They throw errc::already_owned when the session holds k in any mode, through whichever object.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <type_traits>
#include <vector>

#include <dlock/deadline.hpp>
#include <dlock/detail/fixed_string.hpp>

namespace dlock {

enum class mode : std::uint8_t { exclusive, shared };

/// What became of a release.
enum class released : std::uint8_t {
    yes,      ///< the server said so
    lost,     ///< the lock was gone already, with its session
    pending,  ///< the server takes no statement now (an aborted transaction); it is sent with the next use of the session
};

/// What is known of a lock on the client's side.
enum class lock_state : std::uint8_t {
    unlocked,  ///< not asked for, or given back
    held,      ///< granted, and nothing speaks against it
    suspect,   ///< granted, and the server has been silent for longer than it should; of a leased lock only
    lost,      ///< granted, and gone since: with its session, its transaction, its file
};

/// A session that holds a lock, as the server describes it.
struct holder {
    std::string session;      ///< the server's own id: a backend's pid, a connection id, a process id; "prepared": of no session
    std::string description;  ///< who that is, as far as the server tells: application, user, host
};

namespace detail {

template <class B>
concept acquires = requires(typename B::session_type& session, const typename B::key_type& key,
                            const typename B::grant_type& grant, mode m, deadline until, std::stop_token stop) {
    { B::has_shared } -> std::convertible_to<bool>;
    B::check(session, key);
    { B::try_acquire(session, key, m) } -> std::same_as<std::optional<typename B::grant_type>>;
    { B::acquire_until(session, key, m, until, stop) } -> std::same_as<std::optional<typename B::grant_type>>;
    { B::still_held(session, key, m, grant) } noexcept -> std::same_as<bool>;
    { B::holders(session, key) } -> std::same_as<std::vector<holder>>;
};

template <class B>
concept releases = requires(typename B::session_type& session, const typename B::key_type& key,
                            const typename B::grant_type& grant, mode m) {
    { B::release(session, key, m, grant) } noexcept -> std::same_as<released>;
    { B::sever(session, grant) } noexcept;
};

}  // namespace detail

/// Locks that stay until they are released: what basic_lock is made of.
template <class B>
concept backend =
    (detail::acquires<B> || detail::unmet<"dlock: Backend must offer what dlock/backend.hpp lists, from check to holders">) &&
    (detail::releases<B> || detail::unmet<"dlock: Backend must offer noexcept release and sever; without, it makes a transaction_lock">);

/// Locks that the server releases at the end of the transaction, and nobody before: what basic_transaction_lock is made of.
template <class B>
concept transaction_backend =
    (detail::acquires<B> || detail::unmet<"dlock: Backend must offer what dlock/backend.hpp lists, from check to holders">) &&
    (!detail::releases<B> || detail::unmet<"dlock: a transaction-level Backend cannot release">);

/// A backend that tells of a loss without being asked: `B::lost(s, k, m, g)` gives a std::stop_token whose stop is
/// requested as soon as the grant is known to be lost, from whichever thread notices, without a query.
template <class B>
concept loss_signalling_backend =
    detail::acquires<B> &&
    (requires(typename B::session_type& session, const typename B::key_type& key, mode m, const typename B::grant_type& grant) {
        { B::lost(session, key, m, grant) } -> std::same_as<std::stop_token>;
    } || detail::unmet<"dlock: this Backend cannot tell of a loss without being asked; use state()">);

/// A backend with readers and writers.
template <class B>
concept shared_backend = detail::acquires<B> && (B::has_shared || detail::unmet<"dlock: this Backend has no shared locks">);

}  // namespace dlock
