// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: this Backend cannot tell of a loss without being asked; use state()
#include <dlock/postgresql/backend.hpp>

#ifdef FIXED
using backend = dlock::postgresql::advisory;
using key = dlock::hashed_key;
#else
using backend = exclusive;
using key = dlock::integer_key;
#endif
auto use(dlock::basic_lock<backend, key>& lock) { return lock.lost(); }
