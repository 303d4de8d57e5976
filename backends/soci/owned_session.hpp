// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Sessions that dlock opens itself. For .cpp files.
#pragma once

#include <memory>
#include <string>

#include <dlock/soci/fwd.hpp>

namespace dlock::soci_support {

/// \throws lock_error  lost: cannot connect
[[nodiscard]] std::shared_ptr<soci::session> open_session(const std::string& connection);
void reopen_session(soci::session& session);

}  // namespace dlock::soci_support
