// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What a throw-away MariaDB and a throw-away MySQL have in common: all but where the program and the first data come
// from. Each is private to its test: its own data, its own socket, user "root" without a password, database "test".
//
// It answers when the constructor returns. Data and address survive stop(), kill() and start(). Nothing is left behind
// by the destructor, nor (but for the folder, which the next test removes) when the test is killed. Nothing is synced
// to disk: a crash of the server loses nothing, a crash of the machine loses all.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/servers/server_process.hpp"
#include "tests/servers/tcp_port.hpp"

namespace dlock::testing {

class mysql_family {
public:
    /// settings are those of my.cnf: {"general_log=1"} shows in log() what was sent; {"max_connections=10"}.
    using options = server_options;

    mysql_family(const mysql_family&) = delete;
    mysql_family& operator=(const mysql_family&) = delete;

    /// "unix_socket=… user=root dbname=…" or "host=127.0.0.1 port=… user=root dbname=…"
    [[nodiscard]] std::string conninfo(std::string_view database = "test") const;
    /// The same after "mysql://", as SOCI takes it.
    [[nodiscard]] std::string url(std::string_view database = "test") const;

    [[nodiscard]] std::filesystem::path socket() const { return directory() / "socket"; }
    [[nodiscard]] std::optional<int> port() const;  ///< nothing unless options::tcp
    [[nodiscard]] std::string user() const { return "root"; }

    /// Disconnects the clients and shuts down in order.
    void stop() { process_.stop(); }

    /// SIGKILL: like a crash.
    void kill() { process_.stop(SIGKILL); }

    /// Starts it again, on the same data and the same address. Does nothing if it runs.
    void start() { process_.start(); }

    /// Where its socket, its data and its log are.
    [[nodiscard]] const std::filesystem::path& directory() const noexcept { return process_.directory(); }

    [[nodiscard]] pid_t pid() const { return process_.pid(); }
    [[nodiscard]] std::string log() const { return process_.log(); }  ///< since the first start

protected:
    mysql_family() = default;
    ~mysql_family() = default;

    /// Runs a command that prepares the folder, as the server's user.
    void prepare(std::vector<std::string> command) const { process_.prepare(std::move(command)); }

    /// Makes a server of the family small and quick, at the price of its durability, and keeps its hands off /tmp:
    /// two servers in two build sandboxes may have the same pid there, and name their temporary files by it.
    [[nodiscard]] std::vector<std::string> quick_arguments() const;

    /// Starts the server for the first time, with the arguments and environment that only this one needs.
    /// By now its first data are in the folder "data".
    void launch(std::vector<std::string> command, std::vector<std::string> environment, const options& what);

private:
    std::optional<tcp_port> port_;
    server_process process_;
};

}  // namespace dlock::testing
