// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The two key spaces of PostgreSQL's advisory locks. They do not overlap, and each database has its own.
// https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADVISORY-LOCKS
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string_view>  // std::hash: <functional> has it, and is three times as long

#include <dlock/keys/integer_pair_key.hpp>

namespace dlock::postgresql {

enum class space : std::uint8_t { bigint, pair };

/// What every key policy that gives an std::int64_t or an integer_pair converts to.
struct key {
    std::int64_t bits = 0;  ///< a pair is kept as (high << 32) | low
    postgresql::space space = postgresql::space::bigint;

    constexpr key() = default;
    constexpr key(std::int64_t bigint) noexcept : bits{bigint} {}
    constexpr key(integer_pair pair) noexcept
        : bits{static_cast<std::int64_t>((static_cast<std::uint64_t>(static_cast<std::uint32_t>(pair.high)) << 32) |
                                         static_cast<std::uint32_t>(pair.low))},
          space{postgresql::space::pair} {}

    friend constexpr auto operator<=>(const key&, const key&) noexcept = default;
};

}  // namespace dlock::postgresql

template <>
struct std::hash<dlock::postgresql::key> {
    std::size_t operator()(const dlock::postgresql::key& k) const noexcept {
        return std::hash<std::int64_t>{}(k.bits) * 2 + static_cast<std::size_t>(k.space);
    }
};
