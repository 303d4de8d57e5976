// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: WaitPolicy must be copyable
struct wait_policy : dlock::block {
#ifndef FIXED
    wait_policy(const wait_policy&) = delete;
#endif
};
using lock = dlock::basic_lock<exclusive, dlock::integer_key, wait_policy>;
lock* made;
