// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Waiting for the server's answer in a way that a stop request can end.
#pragma once

#include <stop_token>
#include <vector>

#include <libpq-fe.h>

#include <dlock/backend.hpp>
#include <dlock/postgresql/result.hpp>

namespace dlock::postgresql {

/// Reads the whole answer to what was sent: the first error, or else the last rows, or else the last result. Empty when
/// there was none. A stop request becomes a cancel request to the server, repeated until the answer comes, because one
/// that arrives before the statement has begun does nothing.
/// https://www.postgresql.org/docs/current/libpq-cancel.html
[[nodiscard]] result await_answer(PGconn* connection, const std::stop_token& stop);

/// The rows of sql::who_holds.
[[nodiscard]] std::vector<holder> holders_of(const result& rows);

}  // namespace dlock::postgresql
