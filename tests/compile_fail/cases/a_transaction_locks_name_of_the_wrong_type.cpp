// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: KeyPolicy::key must accept this name and return key_type
void use(soci::session& server) {
#ifdef FIXED
    dlock::postgresql::transaction_lock made{server, "user/001"};
#else
    dlock::postgresql::transaction_lock made{server, 42};
#endif
    made.lock();
}
