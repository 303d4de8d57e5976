// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: no member named 'unlock'
#ifdef FIXED
using type = dlock::postgresql::lock;
#else
using type = dlock::postgresql::transaction_lock;
#endif
void use(soci::session& server) {
    type lock{server, "user/001"};
    std::scoped_lock held{lock};
}
