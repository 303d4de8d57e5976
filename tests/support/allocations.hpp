// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// How often a thread of this program has called operator new, and what happens when it fails.
#pragma once

namespace dlock::testing {

/// Of this thread.
[[nodiscard]] long allocations() noexcept;

/// The allocation of this thread that comes as the `nth` from now on throws std::bad_alloc, once; 0: none.
void fail_allocation(long nth) noexcept;

}  // namespace dlock::testing
