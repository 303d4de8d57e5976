// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What every acquiring function begins with, and how it fails and refuses.
#pragma once

#include <memory>

#include <dlock/error.hpp>
#include <dlock/postgresql/connection.hpp>
#include <dlock/postgresql/result.hpp>
#include <dlock/postgresql/sql.hpp>
#include <dlock/soci/fwd.hpp>

namespace dlock::postgresql {

/// The connection, ready for a statement. Releases that had to wait have been sent.
/// \throws lock_error  lost, unsupported
[[nodiscard]] std::shared_ptr<connection> ready(soci::session& session, scope where);

/// The session takes no statement now. \param by  what it does instead
[[nodiscard]] lock_error in_use(const char* by);

/// That of an attempt that may have locked, told before it is proven what is held: where there is no memory to tell it, the
/// session is ended instead.
[[nodiscard]] lock_error error_or_end(connection& on, const result& failed);

/// A statement has answered NULL, and has asked for nothing. Returns when it can be sent again. Where a pooler has put another backend
/// behind the session, or others into it, what is held is lost.
/// \throws lock_error  unsupported: otherwise; the answer is another server's, or the transaction of the wrong kind
void require_another_try(connection& on, scope where, const result& answer);

}  // namespace dlock::postgresql
