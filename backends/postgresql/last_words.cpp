// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/postgresql/last_words.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dlock::postgresql {
namespace {

/// Of an ErrorResponse: fields, each a letter and a text that ends in a NUL. V is the severity in English, whatever lc_messages is, and
/// the second field of servers since 9.6. https://www.postgresql.org/docs/current/protocol-error-fields.html
bool is_fatal(std::string_view fields) noexcept {
    while (!fields.empty() && fields.front() != '\0') {
        const auto end = fields.find('\0');
        if (end == fields.npos) return false;
        const auto value = fields.substr(1, end - 1);
        if (fields.front() == 'V') return value == "FATAL" || value == "PANIC";
        fields.remove_prefix(end + 1);
    }
    return false;
}

}  // namespace

bool has_last_words(std::span<const char> messages) noexcept {
    std::string_view rest{messages.data(), messages.size()};
    constexpr std::size_t header = 5, length_itself = 4;  // the type, and the length, which counts itself and not the type
    while (rest.size() > header) {
        std::uint32_t length = 0;
        for (const char byte : rest.substr(1, length_itself)) length = length << 8U | static_cast<unsigned char>(byte);
        if (length < length_itself) return false;
        const auto body = rest.substr(header, length - length_itself);
        switch (rest.front()) {
            case 'E': return is_fatal(body);
            case 'A':
            case 'N':
            case 'S': break;
            default: return false;
        }
        rest.remove_prefix(std::min<std::size_t>(rest.size(), header + body.size()));
    }
    return false;
}

}  // namespace dlock::postgresql
