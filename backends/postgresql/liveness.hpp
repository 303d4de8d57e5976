// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Bounds on how long a dead peer goes unnoticed: a vanished client's locks stay held, a vanished server's look held.
#pragma once

#include <memory>
#include <string>

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

/// What basic_leased_lock needs: see leasing_backend. The server ends the session by idle_session_timeout.
/// https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-IDLE-SESSION-TIMEOUT
struct leasing {
    /// \throws lock_error  lost: cannot connect; unsupported: older than PostgreSQL 14
    [[nodiscard]] static std::shared_ptr<soci::session> open_session(const std::string& connection, std::chrono::milliseconds lease);
    static void reopen_session(soci::session& session, std::chrono::milliseconds lease);
    [[nodiscard]] static bool heartbeat(soci::session& session, std::chrono::milliseconds longest) noexcept;
};

}  // namespace dlock::postgresql
