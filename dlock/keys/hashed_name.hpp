// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Any name to a short one: "dl:" and the 32 lower-case hexadecimal digits of BLAKE2b with a digest of 16 bytes. Fits
// servers that lock names, whatever they do to case, accents, NUL or length: 35 characters of [0-9a-z:].
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <dlock/detail/blake2b.hpp>

namespace dlock {

struct hashed_name {
    using key_type = std::string;

    /// Every sequence of bytes has a key, also the empty one, as in hashed_key.
    /// Among a thousand million names, the odds that any two share a key are 1 in 7 × 10^20.
    [[nodiscard]] static constexpr key_type key(std::string_view name) {
        constexpr std::string_view digits = "0123456789abcdef";
        std::string text{"dl:"};
        for (const std::uint8_t byte : detail::blake2b<16>(name)) {
            text += digits[byte >> 4];
            text += digits[byte & 15];
        }
        return text;
    }
};

}  // namespace dlock
