// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A session to whatever database the text names, opened as dlock opens its own; for programs that are told where at run time.
//
//     const auto db = dlock::open_session("postgresql://user:password@host/app");
//     dlock::any_lock lock = dlock::make_lock(*db, "user/001");
#pragma once

#include <memory>
#include <string>

#include <dlock/soci/fwd.hpp>

namespace dlock {

/// \param connection  as postgresql::open_session() and mysql::open_session() take it, a beginning included; or sqlite3://dbname=…
/// \throws lock_error  not_connected, as they do: its text has no part of `connection` in it that may be a password; unsupported: another
///                     kind of database
[[nodiscard]] std::shared_ptr<soci::session> open_session(const std::string& connection);

}  // namespace dlock
