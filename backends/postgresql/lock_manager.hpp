// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Locks of PostgreSQL for many threads, over a few connections: dlock/lock_manager.hpp.
//
//     dlock::postgresql::lock_manager locks{"postgresql://dbname=app"};
//     dlock::postgresql::managed_lock lock{locks, "user/001"};
//
// They exclude, and are excluded by, postgresql::lock of the same name.
#pragma once

#include <dlock/keys/hashed_key.hpp>
#include <dlock/lock_manager.hpp>
#include <dlock/postgresql/pipeline.hpp>

namespace dlock::postgresql {

using lock_manager = dlock::lock_manager<pipelined_advisory>;
using managed_lock = basic_lock<managed<pipelined_advisory>, hashed_key>;

}  // namespace dlock::postgresql
