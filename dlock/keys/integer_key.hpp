// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// An integer, unchanged: the key is the identifier. Fits PostgreSQL's bigint advisory locks.
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

#include <dlock/detail/fixed_string.hpp>
#include <dlock/error.hpp>

namespace dlock {

namespace detail {

template <class T, class... Us>
concept any_of = (std::same_as<T, Us> || ...);

template <class T>
concept integer_name =
    (std::integral<T> && !any_of<std::remove_cv_t<T>, bool, char, wchar_t, char8_t, char16_t, char32_t>) ||
    unmet<"dlock: an integer key is made of an integer, not of a bool or a character">;

template <class Key, class Name>
[[noreturn]] void integer_out_of_range(Name id) {
    using limits = std::numeric_limits<Key>;
    throw lock_error{errc::bad_key, "dlock: an integer key must be between " + std::to_string(limits::min()) + " and " +
                                        std::to_string(limits::max()) + "; this one is " + std::to_string(id)};
}

template <std::signed_integral Key, integer_name Name>
[[nodiscard]] constexpr Key in_range_of(Name id) {
    if (!std::in_range<Key>(id)) {
        integer_out_of_range<Key>(id);
    }
    return static_cast<Key>(id);
}

}  // namespace detail

struct integer_key {
    using key_type = std::int64_t;

    /// \throws lock_error{errc::bad_key} if id does not fit; only an unsigned 64-bit type can be that large
    [[nodiscard]] static constexpr key_type key(detail::integer_name auto id) {
        return detail::in_range_of<key_type>(id);
    }
};

}  // namespace dlock
