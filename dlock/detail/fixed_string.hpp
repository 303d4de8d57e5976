// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Text as a template argument: namespaces of keys, sentences of concepts, SQL.
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <cstddef>
#include <string_view>

namespace dlock::detail {

template <std::size_t N>
struct fixed_string {
    char text[N + 1]{};

    constexpr fixed_string() = default;
    constexpr fixed_string(const char (&literal)[N + 1]) { put(0, literal, N); }

    [[nodiscard]] constexpr std::string_view view() const noexcept { return {text, N}; }
    [[nodiscard]] constexpr const char* c_str() const noexcept { return text; }

    /// Not view().find(): with UBSan g++ 12 takes no pointer into a template argument for a constant.
    /// https://gcc.gnu.org/bugzilla/show_bug.cgi?id=71962
    [[nodiscard]] constexpr bool contains(char wanted) const noexcept {
        for (std::size_t i = 0; i < N; ++i) {
            if (text[i] == wanted) return true;
        }
        return false;
    }

    /// \pre at + size <= N
    constexpr void put(std::size_t at, const char* from, std::size_t size) noexcept {
        for (std::size_t i = 0; i < size; ++i) text[at + i] = from[i];
    }
};

template <std::size_t N>
fixed_string(const char (&)[N]) -> fixed_string<N - 1>;

template <std::size_t N, std::size_t M>
[[nodiscard]] constexpr fixed_string<N + M> operator+(const fixed_string<N>& a, const fixed_string<M>& b) {
    fixed_string<N + M> joined;
    joined.put(0, a.text, N);
    joined.put(N, b.text, M);
    return joined;
}

/// A constant false that both g++ and clang print together with its sentence when a concept is not met.
template <fixed_string Sentence>
inline constexpr bool unmet = false;

}  // namespace dlock::detail
