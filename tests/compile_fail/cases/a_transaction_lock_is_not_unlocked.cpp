// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: no member named 'unlock'
void use(soci::session& server) {
    dlock::postgresql::transaction_lock lock{server, "user/001"};
    lock.lock();
#ifndef FIXED
    lock.unlock();
#endif
}
