// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A lock_manager without a server, for unit tests of what uses one: dlock/lock_manager.hpp.
//
//     dlock::memory::lock_manager locks{"a test"};
//     dlock::memory::managed_lock lock{locks, "user/001"};
#pragma once

#include <dlock/keys/verbatim_key.hpp>
#include <dlock/lock_manager.hpp>
#include <dlock/memory/pipeline.hpp>

namespace dlock::memory {

using lock_manager = dlock::lock_manager<pipelined_lock_table>;
using managed_lock = basic_lock<managed<pipelined_lock_table>, verbatim_key<1024>>;

}  // namespace dlock::memory
