// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: this Backend mints no fencing tokens; use a fenced one
#ifdef FIXED
using backend = dlock::postgresql::fenced_advisory;
#else
using backend = dlock::postgresql::advisory;
#endif
dlock::fencing_token use(const dlock::basic_lock<backend, dlock::hashed_key>& lock) { return lock.token(); }
