// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/mysql/connection_string.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <string>

namespace dlock::mysql {
namespace {

/// SOCI's: https://soci.sourceforge.net/doc/master/backends/mysql/. What it has two names for gets one.
constexpr std::array<std::string_view, 17> names{
    "host", "user", "pass", "password", "db", "dbname", "service", "unix_socket", "port", "sslca", "sslcert", "sslkey", "local_infile",
    "charset", "connect_timeout", "read_timeout", "write_timeout"};

std::string_view one_name(std::string_view name) noexcept {
    if (name == "pass") return "password";
    if (name == "db" || name == "service") return "dbname";
    return name;
}

}  // namespace

soci_support::connection_options connection_string(std::string_view text) {
    static constexpr std::array<std::string_view, 2> schemes{"mysql", "mariadb"};
    const auto is_option = [](std::string_view name) { return name == "reconnect" || std::ranges::find(names, name) != names.end(); };
    const auto named = soci_support::parse_connection(text, {schemes, "dbname", false, is_option});
    soci_support::connection_options options;
    for (const auto& [name, value] : named.all()) {
        if (name == "port" && value.empty()) continue;  // of a URI: "host:/"
        options.set(one_name(name), value);
    }
    constexpr unsigned most = std::numeric_limits<int>::max();
    check_number(options, "port", 0, 65'535);
    for (const auto* const timeout : {"connect_timeout", "read_timeout", "write_timeout"}) check_number(options, timeout, 1, most);
    check_number(options, "local_infile", 0, 1);
    check_number(options, "reconnect", 1, 1);
    if (options.find("connect_timeout") == nullptr) options.set("connect_timeout", "10");
    return options;
}

}  // namespace dlock::mysql
