// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A throw-away HAProxy on a port of 127.0.0.1, which passes the bytes of each connection on to a server's Unix socket.
// The server must outlive it. It answers when the constructor returns. Only the matrix has one (find_program.hpp).
#pragma once

#include <filesystem>

#include "tests/servers/server_process.hpp"
#include "tests/servers/tcp_port.hpp"

namespace dlock::testing {

class haproxy {
public:
    explicit haproxy(const std::filesystem::path& server_socket);
    haproxy(const haproxy&) = delete;
    haproxy& operator=(const haproxy&) = delete;

    [[nodiscard]] int port() const noexcept { return port_.number(); }

private:
    tcp_port port_;
    server_process process_;
};

}  // namespace dlock::testing
