// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The name itself, or an error: never folded, truncated or escaped. Fits servers that lock names, within their limits:
// MySQL takes 64 characters, and MariaDB 192 bytes. Which names a server considers equal is still the server's: MySQL
// ignores case. hashed_name has no limit and only digits and lower-case letters.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <dlock/detail/utf8.hpp>
#include <dlock/error.hpp>

namespace dlock {

namespace detail {

// The messages never repeat the name: it may hold anything.
[[noreturn]] inline void name_refused(const std::string& rule, const std::string& actual) {
    throw lock_error{errc::bad_key, "dlock: a name must " + rule + "; this one " + actual + ": use hashed_name"};
}

}  // namespace detail

/// \tparam MaxCharacters  the most Unicode code points a name may have
/// \tparam MaxBytes       the most bytes; by default as many as MaxCharacters can take
template <std::size_t MaxCharacters, std::size_t MaxBytes = 4 * MaxCharacters>
struct verbatim_key {
    using key_type = std::string;

    /// \throws lock_error{errc::bad_key} unless name is UTF-8 without NUL, of 1 to MaxCharacters and at most MaxBytes
    [[nodiscard]] static constexpr key_type key(std::string_view name) {
        if (name.empty()) {
            detail::name_refused("have at least 1 character", "has none");
        }
        const detail::utf8_extent valid = detail::utf8_prefix(name);
        if (valid.bytes != name.size()) {
            detail::name_refused("be UTF-8", "is not, at byte " + std::to_string(valid.bytes));
        }
        if (const std::size_t nul = name.find('\0'); nul != name.npos) {
            detail::name_refused("have no NUL", "has one, at byte " + std::to_string(nul));
        }
        if (valid.characters > MaxCharacters) {
            detail::name_refused("have at most " + std::to_string(MaxCharacters) + " characters",
                                 "has " + std::to_string(valid.characters));
        }
        if (name.size() > MaxBytes) {
            detail::name_refused("have at most " + std::to_string(MaxBytes) + " bytes",
                                 "has " + std::to_string(name.size()));
        }
        return std::string{name};
    }
};

}  // namespace dlock
