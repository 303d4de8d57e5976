// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: Backend must offer what dlock/backend.hpp lists, from check to holders
#ifdef FIXED
using backend = transactional;
#else
struct backend {
    using key_type = std::int64_t;
};
#endif
using lock = dlock::basic_transaction_lock<backend, dlock::integer_key>;
lock* made;
