// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// How several names are given back: in one statement, and proven.
#pragma once

#include <span>
#include <string>

#include <dlock/backend.hpp>
#include <dlock/mysql/connection.hpp>

namespace dlock::mysql::statement {

/// One round trip. Of all or, where the session does not hold all of them, `lost`.
[[nodiscard]] released release(connection& on, std::span<const std::string> keys) noexcept;

/// Proves, after an answer that was not "all", that this server connection holds none of the keys: by releasing what it holds,
/// else by ending the session. False: the session has ended, and connection::error() says why.
[[nodiscard]] bool prove_none_held(connection& on, std::span<const std::string> keys, sql::served_by who) noexcept;

}  // namespace dlock::mysql::statement
