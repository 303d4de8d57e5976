// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: WaitPolicy must offer limit() and acquire_until<Backend>(session, key, mode, deadline, stop_token)
#ifdef FIXED
using wait_policy = dlock::poll;
#else
struct wait_policy {
    dlock::deadline limit() const;
};
#endif
using lock = dlock::basic_lock<exclusive, dlock::integer_key, wait_policy>;
void use() { lock made{db, 42}; }
