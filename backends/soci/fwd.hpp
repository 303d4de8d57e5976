// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// SOCI's classes by name only: including <soci/…> would double the time a user's file takes to compile.
#pragma once

#include <dlock/detail/cxx20.hpp>

namespace soci {
class session;
class connection_pool;
}  // namespace soci
