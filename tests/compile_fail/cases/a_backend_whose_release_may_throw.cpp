// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: Backend must offer noexcept release and sever; without, it makes a transaction_lock
#ifdef FIXED
using backend = exclusive;
#else
struct backend : exclusive {
    static dlock::released release(session&, key_type, dlock::mode, int);
};
#endif
using lock = dlock::basic_lock<backend, dlock::integer_key>;
lock* made;
