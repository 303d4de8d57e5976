// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Key formats of other libraries that are made with SHA-256, all for PostgreSQL: 64 bits, little-endian, signed.
#pragma once

#include <cstdint>
#include <string_view>

#include <dlock/detail/blake2b.hpp>
#include <dlock/detail/sha.hpp>
#include <dlock/keys/integer_pair_key.hpp>

namespace dlock::interop {

/// django-pglock: the first 8 bytes of SHA-256.
struct django_pglock {
    using key_type = std::int64_t;
    [[nodiscard]] static constexpr key_type key(std::string_view name) noexcept {
        return detail::little_endian<key_type>(detail::sha256{}.absorb(name).digest());
    }
};

/// advisory-lock (npm): the same 8 bytes as a pair, the first 4 and the next 4. Its key never meets django-pglock's.
struct advisory_lock {
    using key_type = integer_pair;
    [[nodiscard]] static constexpr key_type key(std::string_view name) noexcept {
        const auto both = django_pglock::key(name);
        return {static_cast<std::int32_t>(both), static_cast<std::int32_t>(both >> 32)};
    }
};

/// sqlx's PgAdvisoryLock::new: 8 bytes of HKDF-SHA-256 (RFC 5869) without salt.
struct sqlx {
    using key_type = std::int64_t;
    [[nodiscard]] static constexpr key_type key(std::string_view name) noexcept {
        const auto extracted = detail::hmac_sha256({}, name);
        const auto expanded = detail::hmac_sha256(extracted, "SQLx (Rust) Postgres advisory lock\x01");
        return detail::little_endian<key_type>(expanded);
    }
};

}  // namespace dlock::interop
