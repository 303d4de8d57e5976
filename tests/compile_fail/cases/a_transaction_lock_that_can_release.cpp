// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: a transaction-level Backend cannot release
#ifdef FIXED
using backend = dlock::postgresql::transaction_advisory;
#else
using backend = dlock::postgresql::advisory;
#endif
using lock = dlock::basic_transaction_lock<backend, dlock::hashed_key>;
lock* made;
