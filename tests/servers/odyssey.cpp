// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/servers/odyssey.hpp"

#include <fstream>

#include "tests/servers/find_program.hpp"

namespace dlock::testing {

odyssey::odyssey(const postgresql_server& server, pool_mode mode) {
    // A storage without a host is reached by the socket in unix_socket_dir.
    std::ofstream{process_.directory() / "odyssey.conf"}
        << "daemonize no\n"
        << "log_to_stdout yes\n"
        << "log_format \"%t %l %m\\n\"\n"
        << "workers 1\n"
        << "unix_socket_dir \"" << server.socket().parent_path().string() << "\"\n"
        << "unix_socket_mode \"0777\"\n"
        << "listen { host \"127.0.0.1\" port " << port() << " tls \"disable\" }\n"
        << "storage \"only\" { type \"remote\" port " << server.port() << " tls \"disable\" }\n"
        << "database default { user default { authentication \"none\" storage \"only\" pool \""
        << (mode == pool_mode::session ? "session" : "transaction") << "\" pool_size 20 storage_user \"" << server.user() << "\" } }\n";
    process_.set_recipe({.command = {find_server_program("odyssey", "odyssey", "odyssey"), "odyssey.conf"},
                         .ready = [port = port()](pid_t) { return accepts(port); }});
    process_.start();
}

}  // namespace dlock::testing
