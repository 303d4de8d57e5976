// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Sends one statement of sql.hpp and waits for its answer.
//
// A wait is a statement that was sent and a socket that is polled, so that it always ends: see dlock/soci/patience.hpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

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
    std::optional<std::chrono::milliseconds> limit;     ///< how long to wait; 0: for ever; nothing: only try
    bool override_lock_timeout = true;                  ///< false: a lock_timeout of the session may end a wait for ever
    const char* fence = nullptr;                        ///< the sequence to draw from: the answer is a token, and 0 for no
};

/// `sql` with a parameter, say "$3", replaced by what SQL has for its value.
[[nodiscard]] std::string with(std::string_view sql, std::string_view parameter, std::string_view value);

/// Nothing: it is prepared. Else the error. One round trip.
[[nodiscard]] std::optional<result> prepare(connection& on, const char* name, const char* sql, int parameters, const Oid* types);

/// One round trip; one more the first time, to prepare the statement. A stop request sends a cancel request, and the answer
/// is awaited all the same: only it says what became of the lock.
[[nodiscard]] result acquire(connection& on, const request& what);

/// After an acquire() that failed inside a transaction: makes the transaction usable again. One round trip.
[[nodiscard]] result recover_transaction(connection& on) noexcept;

/// After an acquire() that failed: whether the server has granted the session-level lock all the same. With `release`, it
/// is released. NULL: another session has answered. One round trip, between savepoints inside a transaction.
[[nodiscard]] result find_ghost(connection& on, const postgresql::key& key, mode m, bool release) noexcept;

/// The same where pg_locks cannot be read: releases the session-level lock if there is one, and the server says in its log if
/// there is none. NULL: another backend has answered. One round trip, between savepoints inside a transaction.
[[nodiscard]] result release_unseen(connection& on, const postgresql::key& key, mode m) noexcept;

/// One round trip; none when pending.
[[nodiscard]] released release(connection& on, const postgresql::key& key, mode m) noexcept;

/// Asks the server whether this session holds the key. One round trip, between savepoints. Nothing: it cannot be asked.
[[nodiscard]] std::optional<bool> holds(connection& on, const postgresql::key& key, mode m) noexcept;

/// One round trip, between savepoints inside a transaction.
[[nodiscard]] result holders(connection& on, const postgresql::key& key);

/// Any text between savepoints, which may end with more than its own. The transaction stays usable.
[[nodiscard]] result between_savepoints(connection& on, const std::string& sql, const char* awaited);

}  // namespace dlock::postgresql::statement
