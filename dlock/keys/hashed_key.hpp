// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Any name to 64 bits: BLAKE2b with a digest of 8 bytes (no key, salt or personalisation), read as a little-endian
// signed integer. Equal to sqlalchemy-dlock's for str and bytes. Fits PostgreSQL's bigint advisory locks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <dlock/detail/blake2b.hpp>

namespace dlock {

struct hashed_key {
    using key_type = std::int64_t;

    /// Every sequence of bytes has a key, also the empty one. Text should be UTF-8, in one normalisation form.
    [[nodiscard]] static constexpr key_type key(std::string_view name) noexcept {
        return detail::little_endian<key_type>(detail::blake2b<8>(name));
    }

    /// A binary name: the same bytes have the same key as text has.
    [[nodiscard]] static constexpr key_type key(std::span<const std::byte> name) noexcept {
        return detail::little_endian<key_type>(detail::blake2b<8>(name.data(), name.size()));
    }
};

}  // namespace dlock
