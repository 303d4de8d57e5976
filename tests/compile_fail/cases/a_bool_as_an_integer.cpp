// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// error: dlock: an integer key is made of an integer, not of a bool or a character
#ifdef FIXED
constexpr int name = 1;
#else
constexpr bool name = true;
#endif
constexpr auto key = dlock::integer_key::key(name);
