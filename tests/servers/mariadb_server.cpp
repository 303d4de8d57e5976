// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/servers/mariadb_server.hpp"

#include "tests/servers/find_program.hpp"

namespace dlock::testing {
namespace {

std::string program(std::string_view name, std::string_view package) {
    return find_server_program("mariadb", name, package);
}

}  // namespace

mariadb_server::mariadb_server(const options& what) {
    const std::string server = program("mariadbd", "mariadb-server-core");
    (void)program("my_print_defaults", "mariadb-client-core");  // mariadb-install-db cannot do without

    const auto root = matrix_server("mariadb");
    const auto home = "--basedir=" + (root ? *root / "usr" : "/usr").string();
    std::vector<std::string> install{program("mariadb-install-db", "mariadb-server-core"), "--no-defaults", home,
                                     "--datadir=" + (directory() / "data").string(),
                                     "--auth-root-authentication-method=normal"};
    for (auto& argument : quick_arguments()) install.push_back(std::move(argument));
    prepare(std::move(install));
    launch({server, "--no-defaults", home}, {}, what);
}

mariadb_server& mariadb_server::shared() {
    static mariadb_server server;
    return server;
}

}  // namespace dlock::testing
