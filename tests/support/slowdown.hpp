// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// How much slower than usual the programs of a test are, for one that would do too much or wait too little.
#pragma once

namespace dlock::testing {

#if defined(__has_feature)
#define DLOCK_HAS_FEATURE(x) __has_feature(x)
#else
#define DLOCK_HAS_FEATURE(x) 0
#endif

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__) || DLOCK_HAS_FEATURE(thread_sanitizer) || \
    DLOCK_HAS_FEATURE(address_sanitizer)
inline constexpr int slowdown = 6;
#else
inline constexpr int slowdown = 1;
#endif

#undef DLOCK_HAS_FEATURE

}  // namespace dlock::testing
