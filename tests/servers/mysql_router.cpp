// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/servers/mysql_router.hpp"

#include <fstream>

#include "tests/servers/find_program.hpp"

namespace dlock::testing {

mysql_router::mysql_router(const mysql_server& server, tls how) {
    const auto folder = process_.directory();
    const auto data = server.directory() / "data";  // the server has made itself certificates there
    std::ofstream out{folder / "router.conf"};
    out << "[DEFAULT]\n"
        << "logging_folder=\n"
        << "runtime_folder=" << folder.string() << "\n"
        << "data_folder=" << folder.string() << "\n"
        << "config_folder=" << folder.string() << "\n"
        << "plugin_folder=" << (matrix_server("mysqlrouter").value() / "usr/lib/mysqlrouter/plugin").string() << "\n"
        << "[logger]\nlevel=INFO\n"
        << "[routing:only]\n"
        << "bind_address=127.0.0.1\n"
        << "bind_port=" << port() << "\n"
        << "destinations=127.0.0.1:" << server.port().value() << "\n"
        << "routing_strategy=first-available\n";
    if (how == tls::shared) out << "connection_sharing=1\nconnection_sharing_delay=0\n";
    if (how != tls::passed_through)
        out << "client_ssl_mode=PREFERRED\n"
            << "client_ssl_cert=" << (data / "server-cert.pem").string() << "\n"
            << "client_ssl_key=" << (data / "server-key.pem").string() << "\n"
            << "server_ssl_mode=PREFERRED\n";
    else
        out << "client_ssl_mode=PASSTHROUGH\n";
    out.close();
    process_.set_recipe({.command = {find_server_program("mysqlrouter", "mysqlrouter", "mysql-router"), "-c", "router.conf"},
                         .ready = [port = port()](pid_t) { return accepts(port); }});
    process_.start();
}

}  // namespace dlock::testing
