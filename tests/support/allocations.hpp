// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// How often this program has called operator new, and what happens when it fails.
#pragma once

namespace dlock::testing {

[[nodiscard]] long allocations() noexcept;

/// False: a sanitizer has operator new to itself, and neither of the others does anything.
[[nodiscard]] bool allocations_are_seen() noexcept;

/// The allocation of this thread that comes as the `nth` from now on throws std::bad_alloc, once; 0: none.
void fail_allocation(long nth) noexcept;

}  // namespace dlock::testing
