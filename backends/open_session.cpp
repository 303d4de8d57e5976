// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/open_session.hpp>

#include <string_view>

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <dlock/error.hpp>
#include <dlock/mysql/open_session.hpp>
#include <dlock/postgresql/open_session.hpp>

namespace dlock {

std::shared_ptr<soci::session> open_session(const std::string& connection) {
    const auto scheme = std::string_view{connection}.substr(0, connection.find("://"));
    if (scheme == "postgresql" || scheme == "postgres") return postgresql::open_session(connection);
    if (scheme == "mysql" || scheme == "mariadb") return mysql::open_session(connection);
    constexpr std::string_view sqlite = "sqlite3://";
    if (!connection.starts_with(sqlite)) {
        throw lock_error{errc::unsupported, "dlock: a connection string begins with postgresql://, mysql:// or sqlite3://"};
    }
    try {
        return std::make_shared<soci::session>(soci::sqlite3, connection.substr(sqlite.size()));
    } catch (const soci::soci_error&) {
        throw lock_error{errc::not_connected, "dlock: cannot open the SQLite database: its folder is missing, or it may not be written"};
    }
}

}  // namespace dlock
