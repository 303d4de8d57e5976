// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A throw-away Odyssey on a port of 127.0.0.1, in front of one postgresql_server, which must outlive it, with default settings but for the
// pool's mode. It answers when the constructor returns. Only the matrix has one (find_program.hpp).
#pragma once

#include "tests/servers/pgbouncer.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/servers/server_process.hpp"
#include "tests/servers/tcp_port.hpp"

namespace dlock::testing {

class odyssey {
public:
    odyssey(const postgresql_server& server, pool_mode mode);
    odyssey(const odyssey&) = delete;
    odyssey& operator=(const odyssey&) = delete;

    [[nodiscard]] int port() const noexcept { return port_.number(); }

private:
    tcp_port port_;
    server_process process_;
};

}  // namespace dlock::testing
