// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/servers/pgbouncer.hpp"

#include <fstream>
#include <memory>
#include <stdexcept>

#include <libpq-fe.h>

#include "tests/servers/find_program.hpp"

namespace dlock::testing {
namespace {

constexpr int usual_port = 6432;  // part of the socket's name; the folder makes it unique

const char* name_of(pool_mode mode) {
    switch (mode) {
        case pool_mode::session: return "session";
        case pool_mode::transaction: return "transaction";
        case pool_mode::statement: return "statement";
    }
    return "";
}

}  // namespace

pgbouncer::pgbouncer(const postgresql_server& server, pool_mode mode, const options& what) : pgbouncer{{&server}, mode, what} {}

pgbouncer::pgbouncer(std::initializer_list<const postgresql_server*> servers, pool_mode mode, const options& what)
    : user_{(*servers.begin())->user()}, server_port_{(*servers.begin())->port()}, options_{what} {
    if (what.tcp) port_.emplace();
    for (const auto* const server : servers) hosts_.append(hosts_.empty() ? "" : ",").append(server->host());
    configure(mode);
    const auto socket = process_.directory() / (".s.PGSQL." + std::to_string(port_ ? port_->number() : usual_port));
    process_.set_recipe({.command = {find_server_program("pgbouncer", "pgbouncer", "pgbouncer"), "pgbouncer.ini"},
                         .ready = [socket](pid_t) { return accepts(socket); }});
    start();
}

void pgbouncer::configure(pool_mode mode) const {
    // auth_type=any needs no list of users, but one user in every route.
    std::ofstream configuration{process_.directory() / "pgbouncer.ini"};
    configuration << "[databases]\n"
                  << "* = host=" << hosts_ << " port=" << server_port_ << " user=" << user_ << "\n"
                  << "[pgbouncer]\n"
                  << "pool_mode=" << name_of(mode) << "\n"
                  << "auth_type=any\n"
                  << "admin_users=" << user_ << "\n"
                  << "unix_socket_dir=" << process_.directory().string() << "\n"
                  << "listen_addr=" << (port_ ? "127.0.0.1" : "") << "\n"
                  << "listen_port=" << (port_ ? port_->number() : usual_port) << "\n";
    for (const auto& setting : options_.settings) configuration << setting << "\n";
}

void pgbouncer::change_mode(pool_mode mode) {
    configure(mode);
    const std::unique_ptr<PGconn, decltype(&PQfinish)> console{PQconnectdb(conninfo("pgbouncer").c_str()), &PQfinish};
    const std::unique_ptr<PGresult, decltype(&PQclear)> done{PQexec(console.get(), "RELOAD"), &PQclear};
    if (PQresultStatus(done.get()) != PGRES_COMMAND_OK) throw std::runtime_error{PQerrorMessage(console.get())};
}

std::string pgbouncer::conninfo(std::string_view database) const {
    std::string text{"host="};
    text.append(port_ ? "127.0.0.1" : process_.directory().string()).append(" port=").append(std::to_string(port_ ? port_->number() : usual_port));
    return text.append(" user=").append(user_).append(" dbname=").append(database);
}

std::string pgbouncer::url(std::string_view database) const { return "postgresql://" + conninfo(database); }

}  // namespace dlock::testing
