// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Locks on MySQL and MariaDB.
//
//     soci::session db{"mysql://dbname=app"};
//     dlock::mysql::lock lock{db, "user/001"};
//     std::scoped_lock held{lock};
//
// lock sends the name as it is: 64 characters at most, equal to the names of sqlalchemy-dlock, and refused where the
// server would fold it. hashed_lock takes any name and sends a hash. A lock belongs to the whole server, not to one of
// its databases, and is exclusive. The fenced ones lock the same, with a token() that comes with each grant. docs/mysql.md
// has the limits and the guarantees.
#pragma once

#include <dlock/keys/hashed_name.hpp>
#include <dlock/keys/in_namespace.hpp>
#include <dlock/keys/verbatim_key.hpp>
#include <dlock/lock.hpp>
#include <dlock/mysql/backend.hpp>

namespace dlock::mysql {

using lock = basic_lock<named, verbatim_key<64>>;
using hashed_lock = basic_lock<named, hashed_name>;
using fenced_lock = basic_lock<fenced_named, verbatim_key<64>>;
using fenced_hashed_lock = basic_lock<fenced_named, hashed_name>;

}  // namespace dlock::mysql
