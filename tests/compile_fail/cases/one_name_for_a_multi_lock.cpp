// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: KeyPolicy::key must accept this name and return key_type
using lock = dlock::basic_lock<dlock::one_by_one<shared>, dlock::each<dlock::hashed_key>>;
void use() {
#ifdef FIXED
    lock made{db, {"user/001", "user/002"}};
#else
    lock made{db, "user/001"};
#endif
    made.lock();
}
