// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What every acquiring function begins with, and how it refuses.
#pragma once

#include <memory>

#include <dlock/postgresql/connection.hpp>
#include <dlock/postgresql/result.hpp>
#include <dlock/postgresql/sql.hpp>
#include <dlock/soci/fwd.hpp>

namespace dlock::postgresql {

/// The connection, ready for a statement. Releases that had to wait have been sent.
/// \throws lock_error  lost, unsupported
[[nodiscard]] std::shared_ptr<connection> ready(soci::session& session, scope where);

/// Why a statement has answered NULL: another backend than `backend_pid` has it, which loses what is held, or the transaction is
/// of the wrong kind.
[[noreturn]] void refuse(connection& on, int backend_pid, const result& answer);

}  // namespace dlock::postgresql
