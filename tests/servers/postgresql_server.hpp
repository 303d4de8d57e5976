// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A throw-away PostgreSQL, private to this test: its own data, its own socket, no password, user "dlock" (superuser).
//
// It answers when the constructor returns. Data and address survive stop(), kill() and start(). Nothing is left behind
// by the destructor, nor (but for the folder, which the next test removes) when the test is killed. Nothing is synced
// to disk: a crash of the server loses nothing, a crash of the machine loses all.
//
// PostgreSQL missing: std::runtime_error that names the package. It starts in about a second; so prefer shared().
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "tests/servers/server_process.hpp"
#include "tests/servers/tcp_port.hpp"

namespace dlock::testing {

class postgresql_server {
public:
    /// settings are those of postgresql.conf: {"log_statement=all"} shows in log() what was sent;
    /// {"max_locks_per_transaction=10", "max_connections=10"} makes a small lock table.
    using options = server_options;

    explicit postgresql_server(const options& what = {});

    /// A hot standby that replicates from the primary, which must outlive it.
    struct standby_of {
        const postgresql_server& primary;
    };
    explicit postgresql_server(standby_of source, const options& what = {});

    postgresql_server(const postgresql_server&) = delete;
    postgresql_server& operator=(const postgresql_server&) = delete;

    /// One server with default options for the whole test binary, started by the first call.
    [[nodiscard]] static postgresql_server& shared();

    /// "host=… port=… user=dlock dbname=…", as libpq takes it
    [[nodiscard]] std::string conninfo(std::string_view database = "postgres") const;
    /// "postgresql://host=… port=… user=dlock dbname=…", as SOCI takes it
    [[nodiscard]] std::string url(std::string_view database = "postgres") const;

    [[nodiscard]] std::string host() const;  ///< the folder of the socket, or 127.0.0.1
    [[nodiscard]] int port() const;
    [[nodiscard]] std::filesystem::path socket() const;  ///< there, with or without a port
    [[nodiscard]] std::string user() const { return "dlock"; }

    enum class shutdown {
        fast,       ///< clients are disconnected, the server says good-bye
        immediate,  ///< the server's processes just end; the next start recovers
    };
    void stop(shutdown how = shutdown::fast);

    /// Kills the postmaster with SIGKILL; returns when its orphaned processes have noticed and ended, too.
    /// Precondition: it runs.
    void kill();

    /// Starts it again, on the same data and the same address. Does nothing if it runs.
    void start() { process_.start(); }

    /// Where its socket, its data and its log are.
    [[nodiscard]] const std::filesystem::path& directory() const noexcept { return process_.directory(); }

    [[nodiscard]] pid_t pid() const { return process_.pid(); }        ///< the postmaster's
    [[nodiscard]] std::string log() const { return process_.log(); }  ///< since the first start

private:
    void set_recipe(const options& what);

    std::optional<tcp_port> port_;
    server_process process_;
};

}  // namespace dlock::testing
