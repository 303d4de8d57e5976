// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Servers that speak PostgreSQL's protocol and answer its advisory lock functions, but exclude nobody.
//
// A server that does not have the functions needs no entry: it says so, and error.hpp has the sentence for it.
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <string_view>

namespace dlock::postgresql {

/// \param version                 what version() says
/// \param yugabyte_has_the_locks  what current_setting('yb_enable_advisory_locks') says, empty where there is no such setting
/// \return why a lock of this server would exclude nobody, one sentence; null: nothing is known against it
[[nodiscard]] const char* why_it_excludes_nobody(std::string_view version, std::string_view yugabyte_has_the_locks) noexcept;

}  // namespace dlock::postgresql
