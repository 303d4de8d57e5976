// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Key formats of other libraries that are made with CRC-32 (ISO 3309, as in zlib), all for PostgreSQL. It has 32 bits:
// among 10,000 names the odds that some two share a key are 1 in 86. Take them to meet these libraries only.
#pragma once

#include <cstdint>
#include <string_view>

#include <dlock/keys/integer_pair_key.hpp>

namespace dlock {

namespace detail {

class crc32 {
public:
    constexpr crc32& absorb(std::string_view text) noexcept {
        for (const char c : text) {
            remainder_ ^= static_cast<unsigned char>(c);
            for (int bit = 0; bit < 8; ++bit) {
                remainder_ = remainder_ >> 1 ^ (remainder_ & 1 ? 0xedb88320 : 0);
            }
        }
        return *this;
    }

    [[nodiscard]] constexpr std::uint32_t value() const noexcept { return ~remainder_; }

private:
    std::uint32_t remainder_ = 0xffffffff;
};

}  // namespace detail

namespace interop {

/// django-pglocks: the CRC as a signed 32-bit integer.
struct django_pglocks {
    using key_type = std::int64_t;
    [[nodiscard]] static constexpr key_type key(std::string_view name) noexcept {
        return static_cast<std::int32_t>(detail::crc32{}.absorb(name).value());
    }
};

/// Symfony Lock's PostgreSqlStore: the CRC as an unsigned 32-bit integer; from 2^31 on it is not django-pglocks' key.
struct symfony {
    using key_type = std::int64_t;
    [[nodiscard]] static constexpr key_type key(std::string_view name) noexcept {
        return detail::crc32{}.absorb(name).value();
    }
};

/// with_advisory_lock (Ruby), without its WITH_ADVISORY_LOCK_PREFIX: the low 31 bits of the CRC, and 0.
struct with_advisory_lock {
    using key_type = integer_pair;
    [[nodiscard]] static constexpr key_type key(std::string_view name) noexcept {
        return {static_cast<std::int32_t>(detail::crc32{}.absorb(name).value() & 0x7fffffff), 0};
    }
};

/// The lock that Rails (Active Record) holds while it migrates this database: a salt times the CRC.
struct rails_migration {
    using key_type = std::int64_t;
    [[nodiscard]] static constexpr key_type key(std::string_view database) noexcept {
        return key_type{2053462845} * detail::crc32{}.absorb(database).value();
    }
};

/// The lock that golang-migrate holds while it migrates: a salt times the CRC of its names, in 32 bits.
struct golang_migrate {
    using key_type = std::int64_t;
    [[nodiscard]] static constexpr key_type key(std::string_view database, std::string_view schema,
                                                std::string_view table) noexcept {
        constexpr std::string_view nul{"", 1};
        return detail::crc32{}.absorb(schema).absorb(nul).absorb(table).absorb(nul).absorb(database).value() *
               1486364155u;
    }
};

}  // namespace interop

}  // namespace dlock
