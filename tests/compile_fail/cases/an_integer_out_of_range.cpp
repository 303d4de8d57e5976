// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: integer_out_of_range
#ifdef FIXED
constexpr auto key = dlock::integer_pair_key::key(7, 0x7fffffff);
#else
constexpr auto key = dlock::integer_pair_key::key(7, 0x80000000);
#endif
