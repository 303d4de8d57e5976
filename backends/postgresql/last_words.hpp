// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What a server says before it ends a session.
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <span>

namespace dlock::postgresql {

/// Whether messages of the server, of which the first byte is the first of one, have a FATAL error among them. Those that may come at
/// any time, notifications, notices and changed settings, are passed over; at any other message, or half of one, it stops.
/// https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-ASYNC
[[nodiscard]] bool has_last_words(std::span<const char> messages) noexcept;

}  // namespace dlock::postgresql
