// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: this Backend has no shared locks
#ifdef FIXED
using backend = shared;
#else
using backend = exclusive;
#endif
void use(dlock::basic_lock<backend, dlock::integer_key>& lock) { lock.lock_shared(); }
