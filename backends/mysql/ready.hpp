// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What every acquiring function begins with, and how it refuses.
#pragma once

#include <memory>
#include <span>
#include <string>

#include <dlock/mysql/connection.hpp>
#include <dlock/soci/fwd.hpp>

namespace dlock::mysql {

/// The connection, ready to be asked for these keys. Releases that had to wait have been sent.
/// \throws lock_error  lost, unsupported, bad_key; already_owned: the session holds one of them
[[nodiscard]] std::shared_ptr<connection> ready(soci::session& session, std::span<const std::string> keys);

/// Another connection has answered than the one that was asked. It holds nothing.
[[noreturn]] void refuse(connection& on);

}  // namespace dlock::mysql
