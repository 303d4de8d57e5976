// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What any key policy gives: a text, an integer or a pair of integers. The three never meet.
#pragma once

#include <compare>
#include <concepts>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include <dlock/keys/integer_pair_key.hpp>

namespace dlock::memory {

struct key {
    std::variant<std::string, std::int64_t, integer_pair> name;

    key() = default;
    template <std::convertible_to<std::string_view> Text>
    key(const Text& text) : name{std::string{std::string_view{text}}} {}
    key(std::int64_t integer) noexcept : name{integer} {}
    key(integer_pair pair) noexcept : name{pair} {}

    friend auto operator<=>(const key&, const key&) = default;
};

}  // namespace dlock::memory

template <>
struct std::hash<dlock::memory::key> {
    std::size_t operator()(const dlock::memory::key& k) const noexcept {
        return std::visit(
            [](const auto& name) {
                if constexpr (requires { name.high; }) return std::hash<std::int64_t>{}((std::int64_t{name.high} << 32) ^ name.low);
                else return std::hash<std::decay_t<decltype(name)>>{}(name);
            },
            k.name);
    }
};
