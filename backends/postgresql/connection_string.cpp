// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/postgresql/connection_string.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <set>
#include <string>

#include <libpq-fe.h>

namespace dlock::postgresql {
namespace {

using soci_support::connection_options;

struct free_options {
    void operator()(PQconninfoOption* o) const noexcept { PQconninfoFree(o); }
};
using option_list = std::unique_ptr<PQconninfoOption, free_options>;

/// Of the libpq that the program runs with: every version has a few more.
const std::set<std::string, std::less<>>& names() {
    static const auto all = [] {
        const option_list known{PQconninfoParse("", nullptr)};
        if (!known) throw std::bad_alloc{};
        std::set<std::string, std::less<>> found{"singlerow", "singlerows"};  // SOCI 4.0's, of no use here
        for (const auto* one = known.get(); one->keyword != nullptr; ++one) found.insert(one->keyword);
        return found;
    }();
    return all;
}

/// PQconndefaults() looks at the environment, and at the service that it names.
bool has_default(std::string_view name) {
    const option_list known{PQconndefaults()};
    for (const auto* one = known.get(); one != nullptr && one->keyword != nullptr; ++one) {
        if (one->keyword == name) return one->val != nullptr;
    }
    return false;
}

/// One for each host.
void check_ports(const connection_options& options) {
    const auto* const ports = options.find("port");
    if (ports == nullptr) return;
    for (std::size_t begin = 0; begin <= ports->size();) {
        const auto end = std::min(ports->find(',', begin), ports->size());
        connection_options one;
        one.set("port", ports->substr(begin, end - begin));
        check_number(one, "port", 1, 65'535);
        begin = end + 1;
    }
}

}  // namespace

connection_options connection_string(std::string_view text) {
    static constexpr std::array<std::string_view, 2> schemes{"postgresql", "postgres"};
    const auto is_option = [](std::string_view name) { return names().contains(name); };
    const auto named = soci_support::parse_connection(text, {schemes, "dbname", true, is_option});
    check_ports(named);
    constexpr unsigned longest = 1'000'000;
    check_number(named, "connect_timeout", 0, longest);
    connection_options options;
    for (const auto& [name, value] : named.all()) {
        if (!name.starts_with("singlerow")) options.set(name, value);
    }
    if (options.find("connect_timeout") == nullptr && !has_default("connect_timeout")) options.set("connect_timeout", "10");
    return options;
}

std::string uri_of(const connection_options& options) {
    constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~", digits = "0123456789ABCDEF";
    std::string uri;
    for (const auto& [name, value] : options.all()) {
        uri.append(uri.empty() ? "postgresql://?" : "&").append(name) += '=';
        for (const char c : value) {
            const auto byte = static_cast<unsigned char>(c);
            if (plain.find(c) != plain.npos) uri += c;
            else uri.append("%").append(1, digits[byte >> 4]).append(1, digits[byte & 0xf]);
        }
    }
    return uri;
}

}  // namespace dlock::postgresql
