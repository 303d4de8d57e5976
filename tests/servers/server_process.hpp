// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What all servers have in common: a private folder, a process in it that can be started, stopped and started again,
// and a log. The process ends with the object, and with the test however that ends (child_process); the folder is
// removed after the process.
//
// One thread at a time may call start(), stop() and kill().
#pragma once

#include <csignal>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/servers/child_process.hpp"
#include "tests/servers/temporary_directory.hpp"

namespace dlock::testing {

/// What a test may ask of any server.
struct server_options {
    std::vector<std::string> settings = {};  ///< "name=value" in the server's own configuration language
    bool tcp = false;                        ///< listen on a free port of 127.0.0.1 too, and let url() say that
};

class server_process {
public:
    struct recipe {
        std::vector<std::string> command = {};
        std::vector<std::string> environment = {};
        int stop_signal = SIGTERM;              ///< what makes the server shut down in order
        int end_signal = SIGKILL;               ///< what ends it, and its own children, at once
        std::function<bool(pid_t)> ready = {};  ///< whether the server, being this process, answers clients by now
    };

    server_process();

    [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_.path(); }

    /// Runs a command that prepares the folder, as the server's user.
    void prepare(std::vector<std::string> command) const;

    void set_recipe(recipe how) { recipe_ = std::move(how); }

    /// Returns once the server is ready; at once if it runs. Throws with the log's last lines if that takes a minute.
    void start();

    /// Sends the signal; returns when the process and its own children have ended. Does nothing if it does not run.
    void stop(int signal);
    void stop() { stop(recipe_.stop_signal); }

    /// Precondition: the server runs.
    [[nodiscard]] pid_t pid() const { return process_.value().pid(); }

    /// All that was logged since the first start.
    [[nodiscard]] std::string log() const { return contents(log_file()); }
    [[nodiscard]] std::filesystem::path log_file() const { return directory() / "log"; }

private:
    temporary_directory directory_;
    recipe recipe_;
    std::optional<child_process> process_;
};

/// Whether a server listens on this Unix socket.
[[nodiscard]] bool accepts(const std::filesystem::path& socket);

/// Whether a server listens on this port of 127.0.0.1.
[[nodiscard]] bool accepts(int port);

}  // namespace dlock::testing
