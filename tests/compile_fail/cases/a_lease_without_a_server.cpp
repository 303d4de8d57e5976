// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: this Backend has no server that would end a silent session
#include <dlock/postgresql/leased_lock.hpp>

#ifdef FIXED
using backend = dlock::postgresql::leasing_advisory;
#else
using backend = dlock::postgresql::advisory;
#endif
using lock = dlock::basic_leased_lock<backend, dlock::hashed_key>;
lock* use();
bool use(lock& held) { return held.owns_lock(); }
