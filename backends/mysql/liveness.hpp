// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Bounds on how long a dead peer goes unnoticed: a vanished client's locks stay held, a vanished server's look held.
#pragma once

#include <dlock/detail/chrono.hpp>
#include <dlock/soci/fwd.hpp>

namespace dlock::mysql {

/// Bounds, for this session, how long the client believes in a server that has vanished (a host without power, a cut
/// cable). How long the server keeps the locks of a vanished client cannot be set by a client; the server's own TCP
/// keepalive says it (MariaDB: tcp_keepalive_time and its kin, two hours where nobody has set them), or a leased lock does.
/// https://mariadb.com/kb/en/server-system-variables/#tcp_keepalive_time
///
/// \param bound  4 s or more
/// \throws lock_error  lost
/// \throws std::invalid_argument  for a smaller bound
/// No round trip.
void bound_silence(soci::session& session, std::chrono::seconds bound = std::chrono::seconds{10});

}  // namespace dlock::mysql
