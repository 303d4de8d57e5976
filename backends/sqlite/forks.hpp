// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// How many forks this process descends from. Internal to this backend.
#pragma once

namespace dlock::sqlite {

/// Counted from the first call on. Costs nothing to look at, unlike getpid(). Any thread.
[[nodiscard]] unsigned forks() noexcept;

}  // namespace dlock::sqlite
