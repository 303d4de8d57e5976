// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: KeyPolicy::key_type must convert to Backend::key_type
#ifdef FIXED
using key_policy = dlock::hashed_key;
#else
using key_policy = dlock::verbatim_key<64>;
#endif
using lock = dlock::basic_lock<dlock::postgresql::advisory, key_policy>;
lock* made;
