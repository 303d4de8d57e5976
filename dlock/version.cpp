// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/version.hpp>

namespace dlock {

int version() noexcept { return DLOCK_VERSION; }

const char* version_string() noexcept { return DLOCK_VERSION_STRING; }

}  // namespace dlock
