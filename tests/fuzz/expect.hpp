// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A finding ends the process, which is how a fuzzer is told.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace dlock::fuzz {

inline void expect(bool holds, const char* otherwise) {
    if (holds) return;
    std::fprintf(stderr, "finding: %s\n", otherwise);
    std::abort();
}

}  // namespace dlock::fuzz
