// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: KeyPolicy::key must accept this name and return key_type
using lock = dlock::basic_lock<dlock::postgresql::advisory, dlock::integer_key>;
void use(soci::session& server) {
#ifdef FIXED
    lock made{server, 42};
#else
    lock made{server, "user/001"};
#endif
    made.lock();
}
