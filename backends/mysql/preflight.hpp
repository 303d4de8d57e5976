// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What must be known of a connection before its first lock.
#pragma once

#include <dlock/mysql/connection.hpp>

namespace dlock::mysql {

/// Who the connection is for the server. No round trip but behind a pooler, and there only once.
/// \throws lock_error  unsupported: a pooler that was not promised to keep sessions, or was, and does not
void ask_for_id(connection& on);

/// A release was not answered by "released": where that is because another session answers, or others use this one, ends it, so that all
/// of its locks are told. One round trip.
void end_unless_ours(connection& on) noexcept;

/// The server is read-only. Nothing is locked.
[[noreturn]] void refuse_read_only(const connection& on);

/// Refuses a server whose locks exclude nobody on the others of its kind. One round trip, once per connection; two where the
/// server knows no Galera, as MySQL.
void preflight(connection& on);

}  // namespace dlock::mysql
