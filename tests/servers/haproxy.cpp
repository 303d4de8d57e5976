// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/servers/haproxy.hpp"

#include <fstream>

#include "tests/servers/find_program.hpp"

namespace dlock::testing {

haproxy::haproxy(const std::filesystem::path& server_socket) {
    std::ofstream{process_.directory() / "haproxy.cfg"} << "defaults\n"
                                                           " mode tcp\n"
                                                           " timeout connect 10s\n"
                                                           " timeout client 1h\n"
                                                           " timeout server 1h\n"
                                                           "listen database\n"
                                                        << " bind 127.0.0.1:" << port() << "\n"
                                                        << " server only unix@" << server_socket.string() << "\n";
    process_.set_recipe({.command = {find_server_program("haproxy", "haproxy", "haproxy"), "-db", "-f", "haproxy.cfg"},
                         .ready = [port = port()](pid_t) { return accepts(port); }});
    process_.start();
}

}  // namespace dlock::testing
