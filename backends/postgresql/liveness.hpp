// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Bounds on how long a dead peer goes unnoticed: a vanished client's locks stay held, a vanished server's look held.
#pragma once

#include <dlock/detail/chrono.hpp>
#include <dlock/soci/fwd.hpp>

namespace dlock::postgresql {

/// Bounds, for this session, how long the server keeps the locks of a client that has vanished (a host without power, a cut
/// cable), how long the client believes in a server that has, and how long a dead waiter stands in a queue. Without it, two
/// hours and more. What ends by itself (a process that exits or is killed) is noticed at once anyhow.
///
/// Sets TCP keepalives and tcp_user_timeout on both sides, and client_connection_check_interval (PostgreSQL 14). They stay
/// set until the session ends.
/// https://www.postgresql.org/docs/current/runtime-config-connection.html#RUNTIME-CONFIG-TCP-SETTINGS
///
/// \param bound  4 s or more
/// \throws lock_error  lost, server_error; unsupported inside a transaction, whose end might take the settings back
/// \throws std::invalid_argument  for a smaller bound
/// Round trips: one.
void bound_silence(soci::session& session, std::chrono::seconds bound = std::chrono::seconds{10});

}  // namespace dlock::postgresql
