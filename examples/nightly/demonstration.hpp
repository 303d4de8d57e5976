// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Shows the nightly job at work: starts this program several times at once, and kills the one that has the lock.
#pragma once

#include "examples/nightly/options.hpp"

namespace nightly {

/// Prints what happens. done: all of it was as promised; failed: it was not.
[[nodiscard]] exit_code demonstrate(const options& wanted);

}  // namespace nightly
