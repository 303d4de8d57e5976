// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What holders() says of a session, whatever database it is connected to.
//
//     dlock::set_label(db, "night shift");
//     dlock::any_lock lock = dlock::make_lock(db, "rotate logs");
#pragma once

#include <string_view>

#include <dlock/soci/fwd.hpp>

namespace dlock {

/// As postgresql::set_label(), mysql::set_label() and sqlite::set_label(), which say where it shows and for how long: on MariaDB
/// only where performance_schema is on.
/// \throws lock_error  unsupported: another kind of database, or the session takes no label now; lost; and what they throw
/// \throws std::invalid_argument  a label with a NUL
/// Round trips: one; none on SQLite.
void set_label(soci::session& session, std::string_view label);

}  // namespace dlock
