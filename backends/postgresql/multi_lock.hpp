// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Several names at once, all or none, in one round trip. docs/postgresql.md
//
//     dlock::postgresql::multi_lock both{db, {"account/1", "account/2"}};
//     std::scoped_lock held{both};
//
// Or with names that are known at run time: any range of texts. Two that overlap never end in a deadlock, whichever order their
// names are written in: the server locks them in the order of their keys.
#pragma once

#include <dlock/keys/each.hpp>
#include <dlock/keys/hashed_key.hpp>
#include <dlock/lock.hpp>
#include <dlock/postgresql/advisory_set.hpp>

namespace dlock::postgresql {

/// Names as those of postgresql::lock, with which it shares them.
using multi_lock = basic_lock<advisory_set, each<hashed_key>>;

}  // namespace dlock::postgresql
