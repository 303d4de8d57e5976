// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Ends a connection from a thread that does not use it. For .cpp files.
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <functional>

namespace dlock::soci_support {

/// Any thread may call it, at any time and any number of times: both sides read the end of the connection, and so does who waits
/// for an answer on it. It has a duplicate of the descriptor, which keeps the connection open as long as the function lives.
/// \throws lock_error  lost: not connected; server_error: the process has no descriptor left for it
[[nodiscard]] std::function<void()> breaker(int socket);

}  // namespace dlock::soci_support
