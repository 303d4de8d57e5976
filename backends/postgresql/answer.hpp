// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Waiting for the server's answer in a way that always ends.
#pragma once

#include <vector>

#include <libpq-fe.h>

#include <dlock/backend.hpp>
#include <dlock/postgresql/connection.hpp>
#include <dlock/postgresql/result.hpp>
#include <dlock/soci/patience.hpp>

namespace dlock::postgresql {

/// Reads the whole answer to what was sent: the first error, or else the last rows, or else the last result. Empty when
/// there was none. A stop request becomes a cancel request to the server, repeated until the answer comes, because one
/// that arrives before the statement has begun does nothing; so does a limit that has passed for half a grace. Where no answer
/// comes, or a cancel request is still on its way when one has come, the session is severed.
/// https://www.postgresql.org/docs/current/libpq-cancel.html
/// \param awaited  what the answer is to, for the reason why it was severed
[[nodiscard]] result await_answer(connection& on, soci_support::patience& until, const char* awaited);
[[nodiscard]] inline result await_answer(connection& on, soci_support::patience&& until, const char* awaited) {
    return await_answer(on, until, awaited);
}

/// Waits until PQgetResult() would not block, or the connection has ended. False: no answer came, and it has been severed.
[[nodiscard]] bool await_result(connection& on, soci_support::patience& until, const char* awaited);

/// As PQexec(), with that end.
[[nodiscard]] result execute(connection& on, const char* sql, const char* awaited);

/// As PQexecParams() with one parameter in binary.
[[nodiscard]] result execute(connection& on, const char* sql, const char* parameter, int length, const char* awaited);

/// The rows of sql::who_holds.
[[nodiscard]] std::vector<holder> holders_of(const result& rows);

}  // namespace dlock::postgresql
