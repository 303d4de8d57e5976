// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A lock that the server takes back from a holder that has stopped breathing: see basic_leased_lock.
#pragma once

#include <dlock/keys/hashed_key.hpp>
#include <dlock/leased_lock.hpp>
#include <dlock/postgresql/backend.hpp>

namespace dlock::postgresql {

using leased_lock = basic_leased_lock<advisory, hashed_key>;
using leased_fenced_lock = basic_leased_lock<fenced_advisory, hashed_key>;

}  // namespace dlock::postgresql
