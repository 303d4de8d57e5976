// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What the connection strings that dlock takes mean to SOCI's MySQL. For .cpp files.
#pragma once

#include <string_view>

#include <dlock/soci/connection_text.hpp>

namespace dlock::mysql {

/// Of a URI (mysql:// or mariadb://), of SOCI's form (mysql://dbname=app) and of that without its beginning. connect_timeout is 10 s
/// where it names none.
/// \throws lock_error  not_connected, permanent: malformed. Its text has no value of the string in it
[[nodiscard]] soci_support::connection_options connection_string(std::string_view text);

}  // namespace dlock::mysql
