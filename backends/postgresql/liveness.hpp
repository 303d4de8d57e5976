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

/// How long after its end an operation of dlock on this session may go on without an answer of the server (default: 2 s). The
/// end of a try_lock() is its call; that of a timed wait its limit; that of any wait the stop request. After half the grace dlock asks
/// the server to end the statement (a cancel request), after all of it dlock ends the session: errc::lost, and so is every
/// lock on it. A statement that is no wait (a release, a question) may take five times the grace. lock() without a limit and
/// without a stop request waits on: bound_silence() is for that. Holds until the session reconnects. No round trip.
/// \throws lock_error  lost; unsupported
/// \throws std::invalid_argument  below 10 ms or beyond a day
void set_grace(soci::session& session, std::chrono::milliseconds grace);

}  // namespace dlock::postgresql
