// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A throw-away MySQL Router on a port of 127.0.0.1, in front of one mysql_server that listens on TCP and must outlive it.
// It answers when the constructor returns. Only the matrix has one (find_program.hpp).
#pragma once

#include "tests/servers/mysql_server.hpp"
#include "tests/servers/server_process.hpp"
#include "tests/servers/tcp_port.hpp"

namespace dlock::testing {

class mysql_router {
public:
    enum class tls {
        passed_through,  ///< Router passes bytes on
        terminated,      ///< Router speaks with the client itself, and may with TLS, and then with the server
        shared,          ///< the same, and a server connection that its client does not need for the moment is another's
    };
    mysql_router(const mysql_server& server, tls how);
    mysql_router(const mysql_router&) = delete;
    mysql_router& operator=(const mysql_router&) = delete;

    [[nodiscard]] int port() const noexcept { return port_.number(); }

private:
    tcp_port port_;
    server_process process_;
};

}  // namespace dlock::testing
