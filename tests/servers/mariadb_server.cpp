// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/servers/mariadb_server.hpp"

#include "tests/servers/find_program.hpp"

namespace dlock::testing {

mariadb_server::mariadb_server(const options& what) {
    const std::string server = find_program("mariadbd", "mariadb-server-core");
    (void)find_program("my_print_defaults", "mariadb-client-core");  // mariadb-install-db cannot do without

    std::vector<std::string> install{find_program("mariadb-install-db", "mariadb-server-core"), "--no-defaults",
                                     "--datadir=" + (directory() / "data").string(),
                                     "--auth-root-authentication-method=normal"};
    for (auto& argument : quick_arguments()) install.push_back(std::move(argument));
    prepare(std::move(install));
    launch({server, "--no-defaults"}, {}, what);
}

mariadb_server& mariadb_server::shared() {
    static mariadb_server server;
    return server;
}

}  // namespace dlock::testing
