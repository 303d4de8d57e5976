// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// From the server's and the driver's error numbers to errc.
// https://dev.mysql.com/doc/mysql-errors/8.0/en/ and https://mariadb.com/kb/en/mariadb-error-codes/
#pragma once

#include <mysql.h>

#include <dlock/error.hpp>

namespace dlock::mysql {

[[nodiscard]] errc reason_of(unsigned native) noexcept;

/// That of the last error of this handle: whatever it was, a handle without a socket has lost its connection.
[[nodiscard]] errc reason_of(MYSQL* handle) noexcept;

/// The last error of this handle, whose reason is known by now.
[[nodiscard]] lock_error error_from(MYSQL* handle, errc reason);

}  // namespace dlock::mysql
