// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: 'lock.unlock()'
#ifdef FIXED
using type = dlock::postgresql::lock;
#else
using type = dlock::postgresql::transaction_lock;
#endif
void use(soci::session& server) { dlock::any_lock::of<type>(server, "user/001").lock(); }
