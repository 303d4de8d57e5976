// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: Backend must offer what dlock/backend.hpp lists, from check to holders
#ifdef FIXED
using backend = exclusive;
#else
struct backend {
    using session_type = session;
    using key_type = std::int64_t;
};
#endif
using lock = dlock::basic_lock<backend, dlock::integer_key>;
lock* made;
