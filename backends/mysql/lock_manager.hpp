// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Locks of MySQL and MariaDB for many threads, over a few connections: dlock/lock_manager.hpp.
//
//     dlock::mysql::lock_manager locks{"mysql://dbname=app"};
//     dlock::mysql::managed_lock lock{locks, "user/001"};
//
// They exclude, and are excluded by, mysql::lock of the same name. A server that keeps one lock per session is refused.
#pragma once

#include <dlock/keys/hashed_name.hpp>
#include <dlock/keys/verbatim_key.hpp>
#include <dlock/lock_manager.hpp>
#include <dlock/mysql/pipeline.hpp>

namespace dlock::mysql {

using lock_manager = dlock::lock_manager<pipelined_named>;
using managed_lock = basic_lock<managed<pipelined_named>, verbatim_key<64>>;
using managed_hashed_lock = basic_lock<managed<pipelined_named>, hashed_name>;

}  // namespace dlock::mysql
