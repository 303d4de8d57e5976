// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/servers/mysql_family.hpp"

#include <utility>

namespace dlock::testing {

std::vector<std::string> mysql_family::quick_arguments() const {
    return {
        "--tmpdir=" + directory().string(), "--innodb-flush-method=nosync", "--innodb-flush-log-at-trx-commit=2",
        "--innodb-doublewrite=0",           "--innodb-use-native-aio=0",    "--loose-innodb-log-file-size=4M",
        "--innodb-buffer-pool-size=16M",    "--skip-name-resolve",
    };
}

void mysql_family::launch(std::vector<std::string> command, std::vector<std::string> environment, const options& what) {
    const auto add = [&command](std::string argument) { command.push_back(std::move(argument)); };
    for (auto& argument : quick_arguments()) add(std::move(argument));
    add("--datadir=" + (directory() / "data").string());
    add("--socket=" + socket().string());
    add("--general-log-file=" + process_.log_file().string());
    if (what.tcp) {
        port_.emplace();
        add("--bind-address=127.0.0.1");
        add("--port=" + std::to_string(port_->number()));
    } else {
        add("--skip-networking");
    }
    for (const auto& setting : what.settings) add("--" + setting);

    process_.set_recipe({.command = std::move(command),
                         .environment = std::move(environment),
                         .ready = [socket = socket()](pid_t) { return accepts(socket); }});
    start();
}

std::string mysql_family::conninfo(std::string_view database) const {
    return (port_ ? "host=127.0.0.1 port=" + std::to_string(port_->number()) : "unix_socket=" + socket().string()) +
           " user=" + user() + " dbname=" + std::string{database};
}

std::string mysql_family::url(std::string_view database) const { return "mysql://" + conninfo(database); }

std::optional<int> mysql_family::port() const { return port_ ? std::optional{port_->number()} : std::nullopt; }

}  // namespace dlock::testing
