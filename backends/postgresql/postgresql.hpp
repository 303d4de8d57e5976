// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Locks on PostgreSQL.
//
//     soci::session db{"postgresql://dbname=app"};
//     dlock::postgresql::lock lock{db, "user/001"};
//     std::scoped_lock held{lock};
//
// Names are hashed to 64 bits (hashed_key): any text, case-sensitive, equal to the keys of sqlalchemy-dlock. A lock
// belongs to one database of the server. docs/postgresql.md has the limits and the guarantees.
#pragma once

#include <dlock/keys/hashed_key.hpp>
#include <dlock/keys/in_namespace.hpp>
#include <dlock/keys/integer_key.hpp>
#include <dlock/keys/integer_pair_key.hpp>
#include <dlock/lock.hpp>
#include <dlock/postgresql/backend.hpp>
#include <dlock/transaction_lock.hpp>

namespace dlock::postgresql {

using lock = basic_lock<advisory, hashed_key>;
using fenced_lock = basic_lock<fenced_advisory, hashed_key>;
/// One whose sequence is in another schema than public.
template <detail::fixed_string Schema>
using fenced_lock_in = basic_lock<fenced_advisory_in<Schema>, hashed_key>;
using transaction_lock = basic_transaction_lock<transaction_advisory, hashed_key>;

}  // namespace dlock::postgresql
