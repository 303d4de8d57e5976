// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What lock_manager asks of a kind of server: one connection whose locks many threads take and release.
//
// A pipeline sends without awaiting what was sent before. The server answers in the order in which it was asked, so that a
// try behind a release finds the lock released.
//
// | expression                    | returns                  | effect                                                      |
// |-------------------------------|--------------------------|-------------------------------------------------------------|
// | B::connect(text)              | shared_ptr<session_type> | a session that nobody else has; throws not_connected         |
// | std::hash<B::key_type>{}(k)   | size_t                   | finds a key in a table                                      |
// | B::pipeline_type{session}     |                          | owns the session; throws lost, unsupported                  |
// | p.checker()                   | function<void(key)>      | does as B::check(), and needs p no more                     |
// | p.try_acquire(k, m)           | bool                     | one round trip. Throws with the lock proven not held        |
// | p.acquire_until(k, m, d, t)   | bool                     | as B::acquire_until(). \pre idle(), and nobody uses p until |
// |                               |                          | it returns; only sever() may be called meanwhile            |
// | p.release(k, m)               | uint64_t, noexcept       | sends, awaits nothing; the number of this release; 0: p has |
// |                               |                          | ended. Whose answer is not "yes" ends the connection        |
// | p.answered()                  | uint64_t, noexcept       | every release up to this number has been answered           |
// | p.idle()                      | bool, noexcept           | nothing that was sent is unanswered                         |
// | p.collect()                   | noexcept                 | reads the answers that have come, if nobody else reads      |
// | p.holders(k)                  | vector<holder>           | as B::holders()                                             |
// | p.set_grace(g)                |                          | optional, called before anything else: how long the server  |
// |                               |                          | may be silent when it should answer, before p ends          |
// | p.lost()                      | std::stop_token          | tells that the connection has ended                         |
// | p.sever()                     | noexcept                 | ends it                                                     |
//
// Every key on it is asked for only while it is not held there: lock_manager sees to that. Any thread may call any member.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include <dlock/backend.hpp>
#include <dlock/deadline.hpp>

namespace dlock {

template <class P, class B>
concept pipeline_of =
    std::constructible_from<P, std::shared_ptr<typename B::session_type>> &&
    requires(P& p, const typename B::key_type& key, mode m, deadline until, const std::stop_token& stop) {
        { p.checker() } -> std::same_as<std::function<void(const typename B::key_type&)>>;
        { p.try_acquire(key, m) } -> std::same_as<bool>;
        { p.acquire_until(key, m, until, stop) } -> std::same_as<bool>;
        { p.release(key, m) } noexcept -> std::same_as<std::uint64_t>;
        { p.answered() } noexcept -> std::same_as<std::uint64_t>;
        { p.idle() } noexcept -> std::same_as<bool>;
        { p.collect() } noexcept;
        { p.holders(key) } -> std::same_as<std::vector<holder>>;
        { p.lost() } -> std::same_as<std::stop_token>;
        { p.sever() } noexcept;
    };

template <class B>
concept pipelining_backend =
    backend<B> && (requires(const std::string& connection, const typename B::key_type& key) {
        requires pipeline_of<typename B::pipeline_type, B>;
        { B::connect(connection) } -> std::same_as<std::shared_ptr<typename B::session_type>>;
        { std::hash<typename B::key_type>{}(key) } -> std::convertible_to<std::size_t>;
    } || detail::unmet<"dlock: this Backend has no pipeline, see dlock/pipeline.hpp; a lock_manager needs one">);

}  // namespace dlock
