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

/// Why a statement has answered NULL: another backend than `backend_pid` has it, which loses what is held, or the transaction is
/// of the wrong kind.
[[noreturn]] void refuse(connection& on, int backend_pid, const result& answer);

}  // namespace dlock::postgresql
