// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <concepts>
#include <functional>
#include <memory>
#include <string>

#include <dlock/backend.hpp>

namespace dlock {

/// A backend whose server ends a session that has been silent for a time.
///
/// | expression                | returns                  | effect                                                          |
/// |---------------------------|--------------------------|-----------------------------------------------------------------|
/// | B::connect(text)          | shared_ptr<session_type> | a session that nobody else has; throws not_connected            |
/// | B::begin_lease(s, lease)  |                          | the server ends the session after that silence                  |
/// | B::heartbeat(s, longest)  | bool, noexcept           | one round trip; false: no answer in time, the session has       |
/// |                           |                          | been severed                                                    |
/// | B::breaker(s)             | std::function<void()>    | what any thread may call at any time: ends the connection       |
/// |                           |                          | that the session has now, for whoever waits for an answer too   |
template <class B>
concept leasing_backend =
    backend<B> && loss_signalling_backend<B> &&
    (requires(const std::string& connection, typename B::session_type& session, std::chrono::milliseconds time) {
        { B::connect(connection) } -> std::same_as<std::shared_ptr<typename B::session_type>>;
        B::begin_lease(session, time);
        { B::heartbeat(session, time) } noexcept -> std::same_as<bool>;
        { B::breaker(session) } -> std::same_as<std::function<void()>>;
    } || detail::unmet<"dlock: this Backend has no server that would end a silent session">);

}  // namespace dlock
