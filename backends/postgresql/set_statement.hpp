// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Sends one statement of set_sql.hpp, for all the keys of a set, and waits for its answer: see statement.hpp.
#pragma once

#include <chrono>
#include <optional>
#include <span>

#include <dlock/backend.hpp>
#include <dlock/postgresql/connection.hpp>
#include <dlock/postgresql/key.hpp>
#include <dlock/postgresql/result.hpp>

namespace dlock::postgresql::statement {

/// Sorted, without duplicates, of one key space, at least one.
using keys = std::span<const postgresql::key>;

/// What an acquiring statement asks for.
struct set_request {
    statement::keys keys;
    dlock::mode mode;
    std::optional<std::chrono::milliseconds> limit;  ///< how long to wait for all of them, never 0; nothing: only try
    bool override_lock_timeout = true;               ///< false: do not look at `limit`, a lock_timeout of the session may end the wait
    bool waits_for_ever = false;                     ///< the caller gave no limit
};

/// One round trip; one more the first time, to prepare the statement.
[[nodiscard]] result acquire(connection& on, const set_request& what);

/// After an acquire() that failed: releases what the server has granted all the same. The answer is 0 when nothing is left.
/// One round trip, between savepoints inside a transaction.
[[nodiscard]] result release_ghosts(connection& on, keys of, mode m);

/// The same where pg_locks cannot be read: see release_unseen() of one key. The answer is NULL when another backend has answered.
[[nodiscard]] result release_unseen(connection& on, keys of, mode m);

/// One round trip; none when pending. Of all or, where the session does not hold all of them, `lost`.
/// \param again  an earlier one was pending, and may have released some of them
[[nodiscard]] released release(connection& on, keys of, mode m, bool again) noexcept;

[[nodiscard]] result holders(connection& on, keys of);

}  // namespace dlock::postgresql::statement
