// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/servers/pgpool.hpp"

#include <fstream>

#include "tests/servers/find_program.hpp"

namespace dlock::testing {

pgpool::pgpool(const postgresql_server& server) {
    const auto folder = process_.directory();
    // "raw": one server, and neither replication nor balance. Its console gets a port, but no address.
    std::ofstream{folder / "pgpool.conf"} << "backend_clustering_mode = 'raw'\n"
                                          << "backend_hostname0 = '" << server.socket().parent_path().string() << "'\n"
                                          << "backend_port0 = " << server.port() << "\n"
                                          << "listen_addresses = '127.0.0.1'\n"
                                          << "port = " << port() << "\n"
                                          << "unix_socket_directories = '" << folder.string() << "'\n"
                                          << "pcp_socket_dir = '" << folder.string() << "'\n"
                                          << "pcp_listen_addresses = ''\n"
                                          << "pid_file_name = '" << (folder / "pid").string() << "'\n"
                                          << "logdir = '" << folder.string() << "'\n"
                                          << "work_dir = '" << folder.string() << "'\n"
                                          << "num_init_children = 48\n";
    for (const char* const file : {"pcp.conf", "pool_passwd"}) std::ofstream{folder / file};
    std::ofstream{folder / "pool_hba.conf"} << "host all all 127.0.0.1/32 trust\n";
    process_.set_recipe({.command = {find_server_program("pgpool", "pgpool", "pgpool2"), "-n", "-f", "pgpool.conf", "-F", "pcp.conf", "-a",
                                     "pool_hba.conf"},
                         .stop_signal = SIGINT,
                         .end_signal = SIGQUIT,
                         .ready = [port = port()](pid_t) { return accepts(port); }});
    process_.start();
}

}  // namespace dlock::testing
