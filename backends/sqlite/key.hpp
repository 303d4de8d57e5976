// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What any key policy gives, and the name of the file that is locked for it: a wire format, it never changes.
//
//   file(key) = the 32 lower-case hexadecimal digits of BLAKE2b with a digest of 16 bytes + ".lock", of
//               "text:" + the bytes of a text, "integer:" + decimal, or "pair:" + decimal + "," + decimal
//
// Every sequence of bytes is a key, and the three kinds never meet.
#pragma once

#include <array>
#include <compare>
#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include <dlock/detail/blake2b.hpp>
#include <dlock/keys/integer_pair_key.hpp>

namespace dlock::sqlite {

class key {
public:
    key() : key{std::string_view{}} {}
    template <std::convertible_to<std::string_view> Text>
    key(const Text& text) : key{"text", text} {}
    key(std::int64_t integer) : key{"integer", std::to_string(integer)} {}
    key(integer_pair pair) : key{"pair", std::to_string(pair.high) + "," + std::to_string(pair.low)} {}

    [[nodiscard]] const std::string& kind() const noexcept { return kind_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] const std::array<std::uint8_t, 16>& digest() const noexcept { return digest_; }

    [[nodiscard]] std::string file() const {
        constexpr std::string_view digits = "0123456789abcdef";
        std::string file;
        for (const std::uint8_t byte : digest_) {
            file += digits[byte >> 4];
            file += digits[byte & 15];
        }
        return file + ".lock";
    }

    friend auto operator<=>(const key&, const key&) = default;

private:
    key(std::string_view kind, std::string_view name)
        : kind_{kind}, name_{name}, digest_{detail::blake2b<16>(kind_ + ":" + name_)} {}

    std::string kind_;
    std::string name_;
    std::array<std::uint8_t, 16> digest_;
};

}  // namespace dlock::sqlite
