// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Keys that SQL itself computes: PostgreSQL's hashtextextended(name, 0) and hashtext(name), as in
// SELECT pg_advisory_lock(hashtextextended('my_lock', 0)). Equal to a little-endian server's, for a database in UTF-8
// and a deterministic collation (the default). PostgreSQL does not promise that they stay; they have since 11 and 8.4.
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dlock {

namespace detail {

struct lookup3_words {
    std::uint32_t b;
    std::uint32_t c;
};

/// Bob Jenkins's lookup3 as PostgreSQL varies it: the last block is always a partial one, if only of no bytes, and the
/// low byte of its third word stays free.
[[nodiscard]] constexpr lookup3_words lookup3(std::string_view text) noexcept {
    std::uint32_t a = 0x9e3779b9 + static_cast<std::uint32_t>(text.size()) + 3923095;
    std::uint32_t b = a;
    std::uint32_t c = a;
    const auto byte = [&text](std::size_t i, int shift) {
        return i < text.size() ? std::uint32_t{static_cast<unsigned char>(text[i])} << shift : 0;
    };
    const auto word = [&byte](std::size_t i) {
        return byte(i, 0) + byte(i + 1, 8) + byte(i + 2, 16) + byte(i + 3, 24);
    };

    for (; text.size() >= 12; text.remove_prefix(12)) {
        const auto mix = [](std::uint32_t& x, std::uint32_t& y, std::uint32_t z, int bits) {
            x = (x - y) ^ std::rotl(y, bits);
            y += z;
        };
        a += word(0);
        b += word(4);
        c += word(8);
        mix(a, c, b, 4);
        mix(b, a, c, 6);
        mix(c, b, a, 8);
        mix(a, c, b, 16);
        mix(b, a, c, 19);
        mix(c, b, a, 4);
    }
    const auto finish = [](std::uint32_t& x, std::uint32_t y, int bits) { x = (x ^ y) - std::rotl(y, bits); };
    a += word(0);
    b += word(4);
    c += byte(8, 8) + byte(9, 16) + byte(10, 24);
    finish(c, b, 14);
    finish(a, c, 11);
    finish(b, a, 25);
    finish(c, b, 16);
    finish(a, c, 4);
    finish(b, a, 14);
    finish(c, b, 24);
    return {b, c};
}

}  // namespace detail

namespace interop {

/// hashtextextended(name, 0): 64 bits.
struct hashtextextended {
    using key_type = std::int64_t;

    [[nodiscard]] static constexpr key_type key(std::string_view name) noexcept {
        const auto [b, c] = detail::lookup3(name);
        return static_cast<key_type>(std::uint64_t{b} << 32 | c);
    }
};

/// hashtext(name): 32 bits, and so one pair in a thousand million names shares a key; it widens with its sign.
struct hashtext {
    using key_type = std::int64_t;

    [[nodiscard]] static constexpr key_type key(std::string_view name) noexcept {
        return static_cast<std::int32_t>(detail::lookup3(name).c);
    }
};

}  // namespace interop

}  // namespace dlock
