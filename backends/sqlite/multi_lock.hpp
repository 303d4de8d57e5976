// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Several names at once, all or none, on SQLite: one after the other, in the order of their keys. docs/sqlite.md
//
//     dlock::sqlite::multi_lock both{db, {"account/1", "account/2"}};
//     std::scoped_lock held{both};
#pragma once

#include <dlock/keys/each.hpp>
#include <dlock/keys/verbatim_key.hpp>
#include <dlock/lock.hpp>
#include <dlock/sqlite/backend.hpp>
#include <dlock/one_by_one.hpp>

namespace dlock::sqlite {

/// Names as those of sqlite::lock, with which it shares them.
using multi_lock = basic_lock<one_by_one<lock_database>, each<verbatim_key<1024>>>;

static_assert(backend<one_by_one<lock_database>> && shared_backend<one_by_one<lock_database>>);

}  // namespace dlock::sqlite
