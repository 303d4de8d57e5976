// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A throw-away PgBouncer in front of a postgresql_server, which must outlive it: for every database of that server,
// without a password, with its own socket and default settings but for the pool's mode.
//
// It answers when the constructor returns. Its address survives stop() and start(). PgBouncer missing:
// std::runtime_error that names the package.
#pragma once

#include <sys/types.h>

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "tests/servers/postgresql_server.hpp"
#include "tests/servers/server_process.hpp"
#include "tests/servers/tcp_port.hpp"

namespace dlock::testing {

enum class pool_mode { session, transaction, statement };

class pgbouncer {
public:
    /// settings are those of the section [pgbouncer]: {"default_pool_size=1"}
    using options = server_options;

    pgbouncer(const postgresql_server& server, pool_mode mode, const options& what = {});
    /// The same in front of several, to which its server connections go in turn. They have unix sockets, and so the same port.
    pgbouncer(std::initializer_list<const postgresql_server*> servers, pool_mode mode, const options& what = {});
    pgbouncer(const pgbouncer&) = delete;
    pgbouncer& operator=(const pgbouncer&) = delete;

    /// "host=… port=… user=dlock dbname=…", as libpq takes it; of "pgbouncer" it is the operator's console.
    [[nodiscard]] std::string conninfo(std::string_view database = "postgres") const;
    /// "postgresql://host=… port=… user=dlock dbname=…", as SOCI takes it
    [[nodiscard]] std::string url(std::string_view database = "postgres") const;

    /// Disconnects clients and servers at once.
    void stop() { process_.stop(); }

    /// Starts it again, on the same address. Does nothing if it runs.
    void start() { process_.start(); }

    /// Takes another mode for the sessions that are there, too, as an operator would have it.
    void change_mode(pool_mode mode);

    [[nodiscard]] pid_t pid() const { return process_.pid(); }
    [[nodiscard]] std::string log() const { return process_.log(); }  ///< since the first start

private:
    void configure(pool_mode mode) const;

    std::string user_;
    std::string hosts_;
    int server_port_;
    options options_;
    std::optional<tcp_port> port_;
    server_process process_;
};

}  // namespace dlock::testing
