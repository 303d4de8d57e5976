// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: this Backend has no pipeline, see dlock/pipeline.hpp; a lock_manager needs one
#include <dlock/lock_manager.hpp>
#include <dlock/postgresql/pipeline.hpp>

#ifdef FIXED
using backend = dlock::postgresql::pipelined_advisory;
#else
using backend = dlock::postgresql::advisory;
#endif
using manager = dlock::lock_manager<backend>;
manager* use();
std::size_t use(const manager& locks) { return locks.held(); }
