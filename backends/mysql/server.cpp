// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/mysql/server.hpp>

#include <algorithm>
#include <cstddef>
#include <string>

#include <dlock/detail/utf8.hpp>
#include <dlock/error.hpp>

namespace dlock::mysql {
namespace {

constexpr std::size_t mariadb_bytes = 192;    // more: error 1059
constexpr std::size_t mysql_characters = 64;  // more: error 3057 or 4163, but on 5.6, which takes any length

[[noreturn]] void refuse(const std::string& rule, const std::string& actual) {
    throw lock_error{errc::bad_key,
                     "dlock: on this server a name must " + rule + "; this one " + actual + ": use hashed_name"};
}

}  // namespace

server server::of(MYSQL* handle) noexcept {
    return {mariadb_connection(handle) != 0, mysql_get_server_version(handle)};
}

void server::check(std::string_view name) const {
    if (name.empty()) refuse("have at least 1 character", "has none");
    const auto unusual = [this](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte == 0 || byte >= 0x80 || (!mariadb && c >= 'A' && c <= 'Z');
    };
    if (const auto first = std::find_if(name.begin(), name.end(), unusual); first != name.end()) {
        const auto at = ", at byte " + std::to_string(first - name.begin());
        if (const auto nul = name.find('\0'); nul != name.npos) {  // MariaDB would cut it off there
            refuse("have no NUL", "has one, at byte " + std::to_string(nul));
        }
        // MySQL compares names without regard to case; 5.6 takes even 'é' for 'è', because only the letter below counts.
        if (!mariadb) refuse("be ASCII without upper-case letters, because the server folds them", "is not" + at);
        if (const auto valid = detail::utf8_prefix(name); valid.bytes != name.size()) {
            refuse("be UTF-8", "is not, at byte " + std::to_string(valid.bytes));
        }
    }
    const std::size_t limit = mariadb ? mariadb_bytes : mysql_characters;
    if (name.size() > limit) {
        refuse("have at most " + std::to_string(limit) + (mariadb ? " bytes" : " characters"),
               "has " + std::to_string(name.size()));
    }
}

}  // namespace dlock::mysql
