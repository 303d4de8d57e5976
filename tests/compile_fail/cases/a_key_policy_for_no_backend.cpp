// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: a backend must have a member type key_type
#ifdef FIXED
using backend = exclusive;
#else
using backend = session;
#endif
static_assert(dlock::key_policy_for<dlock::integer_key, backend>);
