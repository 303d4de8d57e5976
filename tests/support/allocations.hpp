// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// How often this program has called operator new.
#pragma once

namespace dlock::testing {

[[nodiscard]] long allocations() noexcept;

}  // namespace dlock::testing
