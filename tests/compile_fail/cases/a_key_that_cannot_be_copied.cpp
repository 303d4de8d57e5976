// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: KeyPolicy::key_type must be regular
struct key_policy {
#ifdef FIXED
    using key_type = std::int64_t;
#else
    using key_type = std::unique_ptr<std::int64_t>;
#endif
    static key_type key(std::string_view);
};
using lock = dlock::basic_lock<exclusive, key_policy>;
lock* made;
