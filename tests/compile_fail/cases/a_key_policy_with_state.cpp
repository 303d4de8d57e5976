// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: a key policy must have no state
struct key_policy {
    using key_type = std::int64_t;
    static key_type key(std::string_view);
#ifndef FIXED
    std::int64_t seed;
#endif
};
using lock = dlock::basic_lock<exclusive, key_policy>;
lock* made;
