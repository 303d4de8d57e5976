// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// madelson/DistributedLock's PostgresAdvisoryLockKey (C#). It locks a short ASCII name as a pair and hashes other names
// to an integer; these are two key spaces, so here they are two policies, and each refuses the names of the other.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <dlock/detail/blake2b.hpp>
#include <dlock/detail/sha.hpp>
#include <dlock/error.hpp>
#include <dlock/keys/integer_pair_key.hpp>

namespace dlock {

namespace detail {

inline constexpr std::size_t distributed_lock_short = 9;

[[nodiscard]] constexpr bool is_distributed_lock_ascii(std::string_view name) noexcept {
    return name.size() <= distributed_lock_short &&
           std::ranges::all_of(name, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

[[nodiscard]] constexpr bool is_hexadecimal(std::string_view text) noexcept {
    return std::ranges::all_of(
        text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); });
}

[[noreturn]] inline void not_for_distributed_lock(const char* why) {
    throw lock_error{errc::bad_key, std::string{"dlock: "} + why};
}

}  // namespace detail

namespace interop {

/// A name of at most 9 ASCII characters, also with hashing off: 7 bits each, a 0, and ones to the end.
struct distributed_lock_ascii {
    using key_type = integer_pair;

    /// \throws lock_error{errc::bad_key} for any other name
    [[nodiscard]] static constexpr key_type key(std::string_view name) {
        if (!detail::is_distributed_lock_ascii(name)) {
            detail::not_for_distributed_lock(
                "only a name of at most 9 ASCII characters is a pair: use distributed_lock_hashed");
        }
        std::uint64_t bits = 0;
        for (const char c : name) {
            bits = bits << 7 | static_cast<unsigned char>(c);
        }
        bits <<= 1;
        for (std::size_t i = name.size(); i < detail::distributed_lock_short; ++i) {
            bits = bits << 7 | 0x7f;
        }
        return {static_cast<std::int32_t>(bits >> 32), static_cast<std::int32_t>(static_cast<std::uint32_t>(bits))};
    }
};

/// A longer name, or one that is not ASCII, with hashing on: the first 8 bytes of SHA-1, little-endian, signed.
struct distributed_lock_hashed {
    using key_type = std::int64_t;

    /// \throws lock_error{errc::bad_key} for a name that DistributedLock does not hash
    [[nodiscard]] static constexpr key_type key(std::string_view name) {
        if (detail::is_distributed_lock_ascii(name)) {
            detail::not_for_distributed_lock(
                "a name of at most 9 ASCII characters is not hashed: use distributed_lock_ascii");
        }
        if (name.size() == 16 && detail::is_hexadecimal(name)) {
            detail::not_for_distributed_lock("16 hexadecimal digits are the key itself: use integer_key");
        }
        if (name.size() == 17 && name[8] == ',' && detail::is_hexadecimal(name.substr(0, 8)) &&
            detail::is_hexadecimal(name.substr(9))) {
            detail::not_for_distributed_lock("8 and 8 hexadecimal digits are the pair itself: use integer_pair_key");
        }
        return detail::little_endian<key_type>(detail::sha1{}.absorb(name).digest());
    }
};

}  // namespace interop

}  // namespace dlock
