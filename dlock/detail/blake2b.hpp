// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// BLAKE2b (RFC 7693), unkeyed and in one call: nothing is allocated, all of it can run at compile time. The length of
// the digest is a parameter of the hash: a shorter digest is another one, not the beginning of a longer one.
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace dlock::detail {

/// The first bytes as an integer, the least significant first, on every machine.
template <std::integral Integer, class Bytes>
[[nodiscard]] constexpr Integer little_endian(const Bytes& bytes) noexcept {
    std::make_unsigned_t<Integer> value = 0;
    for (std::size_t i = sizeof value; i-- > 0;) {
        value = static_cast<decltype(value)>(value << 8 | static_cast<std::uint8_t>(bytes[i]));
    }
    return static_cast<Integer>(value);
}

class blake2b_state {
public:
    explicit constexpr blake2b_state(std::size_t digest_size) noexcept : h_{iv} { h_[0] ^= 0x01010000 ^ digest_size; }

    /// Takes one block of 128 bytes. \param total  how many bytes of the message there are up to and with this block
    constexpr void absorb(const std::array<std::uint8_t, 128>& block, std::uint64_t total, bool last) noexcept {
        std::array<std::uint64_t, 16> m{};
        for (std::size_t i = 0; i < m.size(); ++i) {
            for (std::size_t byte = 8; byte-- > 0;) m[i] = m[i] << 8 | block[8 * i + byte];
        }
        std::array<std::uint64_t, 16> v{};
        for (std::size_t i = 0; i < 8; ++i) {
            v[i] = h_[i];
            v[i + 8] = iv[i];
        }
        v[12] ^= total;
        if (last) {
            v[14] = ~v[14];
        }
        for (std::size_t round = 0; round < 12; ++round) {
            const auto& s = sigma[round % sigma.size()];
            for (std::size_t i = 0; i < 4; ++i) {  // the columns
                mix(v[i], v[4 + i], v[8 + i], v[12 + i], m[s[2 * i]], m[s[2 * i + 1]]);
            }
            for (std::size_t i = 0; i < 4; ++i) {  // the diagonals
                const auto right = [i](std::size_t by) { return (i + by) % 4; };
                mix(v[i], v[4 + right(1)], v[8 + right(2)], v[12 + right(3)], m[s[2 * i + 8]], m[s[2 * i + 9]]);
            }
        }
        for (std::size_t i = 0; i < 8; ++i) {
            h_[i] ^= v[i] ^ v[i + 8];
        }
    }

    [[nodiscard]] constexpr std::uint8_t operator[](std::size_t i) const noexcept {
        return static_cast<std::uint8_t>(h_[i / 8] >> (8 * (i % 8)));
    }

private:
    using words = std::array<std::uint64_t, 8>;

    static constexpr words iv{0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
                              0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};

    static constexpr std::array<std::array<std::uint8_t, 16>, 10> sigma{{
        {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
        {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
        {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
        {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
        {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
        {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
        {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
        {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
        {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
        {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
    }};

    static constexpr void mix(std::uint64_t& a, std::uint64_t& b, std::uint64_t& c, std::uint64_t& d,  //
                              std::uint64_t x, std::uint64_t y) noexcept {
        a += b + x;
        d = std::rotr(d ^ a, 32);
        c += d;
        b = std::rotr(b ^ c, 24);
        a += b + y;
        d = std::rotr(d ^ a, 16);
        c += d;
        b = std::rotr(b ^ c, 63);
    }

    words h_;
};

template <std::size_t DigestSize, class Byte>
    requires(DigestSize >= 1 && DigestSize <= 64 && sizeof(Byte) == 1)
[[nodiscard]] constexpr std::array<std::uint8_t, DigestSize> blake2b(const Byte* message, std::size_t size) noexcept {
    blake2b_state state{DigestSize};
    std::array<std::uint8_t, 128> block{};
    std::size_t used = 0;
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < size; ++i) {
        if (used == block.size()) {  // a full block is known not to be the last one only when another byte follows
            state.absorb(block, total, false);
            block = {};
            used = 0;
        }
        block[used++] = static_cast<std::uint8_t>(message[i]);
        ++total;
    }
    state.absorb(block, total, true);

    std::array<std::uint8_t, DigestSize> digest{};
    for (std::size_t i = 0; i < DigestSize; ++i) {
        digest[i] = state[i];
    }
    return digest;
}

template <std::size_t DigestSize>
[[nodiscard]] constexpr std::array<std::uint8_t, DigestSize> blake2b(std::string_view message) noexcept {
    return blake2b<DigestSize>(message.data(), message.size());
}

}  // namespace dlock::detail
