// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What libpq prints to the program's stderr, which is not dlock's. For .cpp files.
// https://www.postgresql.org/docs/current/libpq-notice-processing.html
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <libpq-fe.h>

namespace dlock::postgresql {

/// For connections of dlock's own: notices and warnings of the server go nowhere.
inline void keep_quiet(PGconn* handle) noexcept { PQsetNoticeReceiver(handle, [](void*, const PGresult*) {}, nullptr); }

}  // namespace dlock::postgresql
