// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: a key policy must have a member type key_type
struct key_policy {
#ifdef FIXED
    using key_type = std::int64_t;
#endif
    static std::int64_t key(std::string_view);
};
using lock = dlock::basic_lock<exclusive, key_policy>;
lock* made;
