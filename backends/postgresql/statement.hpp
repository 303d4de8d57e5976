// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Sends one statement of sql.hpp and waits for its answer.
//
// A wait in the server's queue is a statement that was sent and a socket that is polled, so that a stop request can end it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>

#include <dlock/backend.hpp>
#include <dlock/postgresql/connection.hpp>
#include <dlock/postgresql/key.hpp>
#include <dlock/postgresql/result.hpp>

namespace dlock::postgresql::statement {

/// What an acquiring statement asks for.
struct request {
    postgresql::key key;
    dlock::mode mode;
    postgresql::scope scope;
    int backend_pid;                                    ///< that must serve us; 0: any
    std::optional<std::chrono::milliseconds> limit;     ///< how long to wait; 0: for ever; nothing: only try
    bool override_lock_timeout = true;                  ///< false: a lock_timeout of the session may end a wait for ever
    const char* fence = nullptr;                        ///< the sequence to draw from: the answer is a token, and 0 for no
};

/// One round trip; one more the first time, to prepare the statement. A stop request sends a cancel request, and the answer
/// is awaited all the same: only it says what became of the lock.
[[nodiscard]] result acquire(connection& on, const request& what, const std::stop_token& stop);

/// After an acquire() that failed inside a transaction: makes the transaction usable again. One round trip.
[[nodiscard]] result recover_transaction(connection& on) noexcept;

/// After an acquire() that failed: whether the server has granted the session-level lock all the same. With `release`, it
/// is released. One round trip.
[[nodiscard]] result find_ghost(connection& on, const postgresql::key& key, mode m, bool release) noexcept;

/// One round trip; none when pending.
[[nodiscard]] released release(connection& on, const postgresql::key& key, mode m) noexcept;

/// Asks the server whether this session holds the key. One round trip. False when it cannot be asked.
[[nodiscard]] bool holds(connection& on, const postgresql::key& key, mode m) noexcept;

[[nodiscard]] result holders(connection& on, const postgresql::key& key);

}  // namespace dlock::postgresql::statement
