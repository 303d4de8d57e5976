// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// SHA-1 and SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104), for the key formats of other libraries. Nothing is
// allocated, all of it can run at compile time. Not for secrets.
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace dlock::detail {

using sha_block = std::array<std::uint8_t, 64>;

/// The 32-bit word, the most significant byte first, at this place in a block.
[[nodiscard]] constexpr std::uint32_t sha_word(const sha_block& block, std::size_t index) noexcept {
    const std::size_t i = 4 * index;
    return std::uint32_t{block[i]} << 24 | std::uint32_t{block[i + 1]} << 16 | std::uint32_t{block[i + 2]} << 8 |
           block[i + 3];
}

struct sha1_words {
    std::array<std::uint32_t, 5> h{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};

    constexpr void absorb(const sha_block& block) noexcept {
        std::array<std::uint32_t, 80> w{};
        for (std::size_t i = 0; i < w.size(); ++i) {
            w[i] = i < 16 ? sha_word(block, i) : std::rotl(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
        }
        auto [a, b, c, d, e] = h;
        for (std::size_t i = 0; i < w.size(); ++i) {
            const std::uint32_t f = i < 20   ? ((b & c) | (~b & d)) + 0x5a827999
                                    : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                                    : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
                                             : (b ^ c ^ d) + 0xca62c1d6;
            const std::uint32_t next = std::rotl(a, 5) + f + e + w[i];
            e = d;
            d = c;
            c = std::rotl(b, 30);
            b = a;
            a = next;
        }
        h = {h[0] + a, h[1] + b, h[2] + c, h[3] + d, h[4] + e};
    }
};

template <int R1, int R2, int Shift>
[[nodiscard]] constexpr std::uint32_t sha256_sigma(std::uint32_t x) noexcept {
    return std::rotr(x, R1) ^ std::rotr(x, R2) ^ x >> Shift;
}

template <int R1, int R2, int R3>
[[nodiscard]] constexpr std::uint32_t sha256_sum(std::uint32_t x) noexcept {
    return std::rotr(x, R1) ^ std::rotr(x, R2) ^ std::rotr(x, R3);
}

struct sha256_words {
    std::array<std::uint32_t, 8> h{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

    constexpr void absorb(const sha_block& block) noexcept {
        std::array<std::uint32_t, 64> w{};
        for (std::size_t i = 0; i < w.size(); ++i) {
            w[i] = i < 16
                       ? sha_word(block, i)
                       : w[i - 16] + sha256_sigma<7, 18, 3>(w[i - 15]) + w[i - 7] + sha256_sigma<17, 19, 10>(w[i - 2]);
        }
        auto v = h;
        auto& [a, b, c, d, e, f, g, last] = v;
        for (std::size_t i = 0; i < w.size(); ++i) {
            const std::uint32_t t = last + sha256_sum<6, 11, 25>(e) + ((e & f) ^ (~e & g)) + k[i] + w[i];
            const std::uint32_t next = t + sha256_sum<2, 13, 22>(a) + ((a & b) ^ (a & c) ^ (b & c));
            last = g;
            g = f;
            f = e;
            e = d + t;
            d = c;
            c = b;
            b = a;
            a = next;
        }
        for (std::size_t i = 0; i < h.size(); ++i) {
            h[i] += v[i];
        }
    }

private:
    static constexpr std::array<std::uint32_t, 64> k{
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
};

/// A message in pieces, and the padding that both hashes share.
template <class Words>
class sha {
public:
    constexpr sha& absorb(std::string_view text) noexcept {
        for (const char c : text) {
            put(static_cast<std::uint8_t>(c));
        }
        return *this;
    }
    constexpr sha& absorb(std::span<const std::uint8_t> bytes) noexcept {
        for (const std::uint8_t byte : bytes) {
            put(byte);
        }
        return *this;
    }

    [[nodiscard]] constexpr auto digest() noexcept {
        const std::uint64_t bits = 8 * total_;
        put(0x80);
        while (total_ % block_.size() != block_.size() - sizeof bits) {
            put(0);
        }
        for (int shift = 56; shift >= 0; shift -= 8) {
            put(static_cast<std::uint8_t>(bits >> shift));
        }
        std::array<std::uint8_t, sizeof words_.h> digest{};
        for (std::size_t i = 0; i < digest.size(); ++i) {
            digest[i] = static_cast<std::uint8_t>(words_.h[i / 4] >> (24 - 8 * (i % 4)));
        }
        return digest;
    }

private:
    constexpr void put(std::uint8_t byte) noexcept {
        block_[total_++ % block_.size()] = byte;
        if (total_ % block_.size() == 0) {
            words_.absorb(block_);
        }
    }

    Words words_{};
    sha_block block_{};
    std::uint64_t total_ = 0;
};

using sha1 = sha<sha1_words>;
using sha256 = sha<sha256_words>;
using sha256_digest = std::array<std::uint8_t, 32>;

[[nodiscard]] constexpr sha256_digest hmac_sha256(const sha256_digest& key, std::string_view message) noexcept {
    sha_block inner{};
    sha_block outer{};
    for (std::size_t i = 0; i < inner.size(); ++i) {
        const std::uint8_t byte = i < key.size() ? key[i] : 0;
        inner[i] = byte ^ 0x36;
        outer[i] = byte ^ 0x5c;
    }
    return sha256{}.absorb(outer).absorb(sha256{}.absorb(inner).absorb(message).digest()).digest();
}

}  // namespace dlock::detail
