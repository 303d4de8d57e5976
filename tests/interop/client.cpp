// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/interop/client.hpp"

#include "tests/servers/mariadb_server.hpp"
#include "tests/servers/mysql_server.hpp"
#include "tests/servers/postgresql_server.hpp"

namespace dlock::testing {
namespace {

template <class Server>
server_kind mysql_kind() {
    return {
        [] { return Server::shared().url(); },
        [] { return std::vector<std::string>{"MYSQL_UNIX_PORT=" + Server::shared().socket().string()}; },
        "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User lock'",
        "SELECT CAST(MAX(id) AS CHAR) FROM information_schema.processlist",  // it connects last
    };
}

}  // namespace

// https://www.postgresql.org/docs/current/libpq-envars.html
const server_kind on_postgresql{
    [] { return postgresql_server::shared().url(); },
    [] {
        const auto& server = postgresql_server::shared();
        return std::vector<std::string>{"PGHOST=" + server.host(), "PGPORT=" + std::to_string(server.port()), "PGUSER=" + server.user(),
                                        "PGDATABASE=postgres", "PGAPPNAME=interop"};
    },
    "SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND NOT granted",
    "SELECT pid::text FROM pg_stat_activity WHERE application_name = 'interop'",
};
const server_kind on_mariadb = mysql_kind<mariadb_server>();
const server_kind on_mysql = mysql_kind<mysql_server>();

std::vector<std::string> command_line(const server_kind& server, const std::vector<std::string>& command) {
    std::vector<std::string> line{"/usr/bin/env"};
    for (const auto& variable : server.environment()) line.push_back(variable);
    line.insert(line.end(), command.begin(), command.end());
    return line;
}

std::vector<std::string> python(const std::string& script, const std::vector<std::string>& arguments) {
    std::vector<std::string> command{"/usr/bin/python3", "-B", "tests/interop/python/" + script};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return command;
}

}  // namespace dlock::testing
