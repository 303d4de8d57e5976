// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: this Backend has no server that would end a silent session
#include <dlock/leased_lock.hpp>
#include <dlock/postgresql/backend.hpp>

#ifdef FIXED
using backend = dlock::postgresql::advisory;
#else
struct backend : dlock::postgresql::advisory {
    static void open_session() {}
};
#endif
using lock = dlock::basic_leased_lock<backend, dlock::hashed_key>;
lock* use();
bool use(lock& held) { return held.owns_lock(); }
