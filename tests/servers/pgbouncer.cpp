// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/servers/pgbouncer.hpp"

#include <fstream>

#include "tests/servers/find_program.hpp"

namespace dlock::testing {
namespace {

constexpr int usual_port = 6432;  // part of the socket's name; the folder makes it unique

}  // namespace

pgbouncer::pgbouncer(const postgresql_server& server, pool_mode mode, const options& what) : user_{server.user()} {
    if (what.tcp) port_.emplace();
    const int port = port_ ? port_->number() : usual_port;
    const auto folder = process_.directory();

    // auth_type=any needs no list of users, but one user in every route.
    std::ofstream configuration{folder / "pgbouncer.ini"};
    configuration << "[databases]\n"
                  << "* = host=" << server.host() << " port=" << server.port() << " user=" << user_ << "\n"
                  << "[pgbouncer]\n"
                  << "pool_mode=" << (mode == pool_mode::session ? "session" : "transaction") << "\n"
                  << "auth_type=any\n"
                  << "unix_socket_dir=" << folder.string() << "\n"
                  << "listen_addr=" << (port_ ? "127.0.0.1" : "") << "\n"
                  << "listen_port=" << port << "\n";
    for (const auto& setting : what.settings) configuration << setting << "\n";
    configuration.close();

    const auto socket = folder / (".s.PGSQL." + std::to_string(port));
    process_.set_recipe({.command = {find_server_program("pgbouncer", "pgbouncer", "pgbouncer"), "pgbouncer.ini"},
                         .ready = [socket](pid_t) { return accepts(socket); }});
    start();
}

std::string pgbouncer::conninfo(std::string_view database) const {
    return "host=" + (port_ ? "127.0.0.1" : process_.directory().string()) +
           " port=" + std::to_string(port_ ? port_->number() : usual_port) + " user=" + user_ +
           " dbname=" + std::string{database};
}

std::string pgbouncer::url(std::string_view database) const { return "postgresql://" + conninfo(database); }

}  // namespace dlock::testing
