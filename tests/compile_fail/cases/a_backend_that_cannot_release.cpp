// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: Backend must offer noexcept release and sever; without, it makes a transaction_lock
#ifdef FIXED
using lock = dlock::basic_transaction_lock<dlock::postgresql::transaction_advisory, dlock::hashed_key>;
#else
using lock = dlock::basic_lock<dlock::postgresql::transaction_advisory, dlock::hashed_key>;
#endif
lock* made;
