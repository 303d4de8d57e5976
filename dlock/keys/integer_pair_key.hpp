// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Two 32-bit integers, unchanged: often a kind of thing and its identifier. Fits PostgreSQL's (int4, int4) advisory
// locks, a key space of its own: no pair ever meets a bigint key.
#pragma once

#include <compare>
#include <cstdint>

#include <dlock/keys/integer_key.hpp>

namespace dlock {

struct integer_pair {
    std::int32_t high = 0;
    std::int32_t low = 0;

    friend constexpr auto operator<=>(const integer_pair&, const integer_pair&) = default;
};

struct integer_pair_key {
    using key_type = integer_pair;

    /// \throws lock_error{errc::bad_key} if high or low does not fit in 32 bits
    [[nodiscard]] static constexpr key_type key(detail::integer_name auto high, detail::integer_name auto low) {
        return {detail::in_range_of<std::int32_t>(high), detail::in_range_of<std::int32_t>(low)};
    }

    /// A pair as one name: where there is room for one only, as in a lock's constructor.
    [[nodiscard]] static constexpr key_type key(integer_pair pair) noexcept { return pair; }
};

}  // namespace dlock
