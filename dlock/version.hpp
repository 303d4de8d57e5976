// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The version of these headers (macros) and of the library that the program runs with (functions).
//
//     if (dlock::version() < DLOCK_VERSION) throw std::runtime_error{"this needs dlock " DLOCK_VERSION_STRING};
//
// A program that is linked with a shared library may run with a newer one than it was compiled with; docs/versions.md says which.
// These three numbers are the only place where the version is written by hand: CMake reads them, and a test compares the others.
#pragma once

#include <dlock/detail/cxx20.hpp>

#define DLOCK_VERSION_MAJOR 0
#define DLOCK_VERSION_MINOR 1
#define DLOCK_VERSION_PATCH 0

/// One number that grows with every release, for #if and for comparing with version(): 0.1.0 is 100, 1.2.3 is 10203.
#define DLOCK_VERSION (DLOCK_VERSION_MAJOR * 10000 + DLOCK_VERSION_MINOR * 100 + DLOCK_VERSION_PATCH)

#define DLOCK_DETAIL_TEXT_OF(number) #number
#define DLOCK_DETAIL_DOTTED(major, minor, patch) DLOCK_DETAIL_TEXT_OF(major) "." DLOCK_DETAIL_TEXT_OF(minor) "." DLOCK_DETAIL_TEXT_OF(patch)
/// "0.1.0"
#define DLOCK_VERSION_STRING DLOCK_DETAIL_DOTTED(DLOCK_VERSION_MAJOR, DLOCK_VERSION_MINOR, DLOCK_VERSION_PATCH)

namespace dlock {

/// DLOCK_VERSION as it was when the library was compiled.
[[nodiscard]] int version() noexcept;

/// DLOCK_VERSION_STRING as it was when the library was compiled.
[[nodiscard]] const char* version_string() noexcept;

}  // namespace dlock
