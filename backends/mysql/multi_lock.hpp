// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Several names at once, all or none, in one round trip. docs/mysql.md
//
//     dlock::mysql::multi_lock both{db, {"account/1", "account/2"}};
//     std::scoped_lock held{both};
//
// Or with names that are known at run time: any range of texts. Two that overlap never end in a deadlock, whichever order their
// names are written in: the server locks them in the order of their keys.
#pragma once

#include <dlock/keys/each.hpp>
#include <dlock/keys/hashed_name.hpp>
#include <dlock/keys/verbatim_key.hpp>
#include <dlock/lock.hpp>
#include <dlock/mysql/named_set.hpp>

namespace dlock::mysql {

/// Names as those of mysql::lock, and of mysql::hashed_lock, with which they share them.
using multi_lock = basic_lock<named_set, each<verbatim_key<64>>>;
using hashed_multi_lock = basic_lock<named_set, each<hashed_name>>;

}  // namespace dlock::mysql
