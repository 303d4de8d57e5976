// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Strict UTF-8 (RFC 3629; Unicode's table 3-7): no overlong form, no surrogate, nothing above U+10FFFF.
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <cstddef>
#include <string_view>

namespace dlock::detail {

/// How many bytes the well-formed character at the front of `text` has; 0 if there is none.
[[nodiscard]] constexpr std::size_t utf8_front(std::string_view text) noexcept {
    const auto in = [text](std::size_t i, unsigned low, unsigned high) {
        return i < text.size() && static_cast<unsigned char>(text[i]) >= low &&
               static_cast<unsigned char>(text[i]) <= high;
    };
    const auto continues = [in](std::size_t i) { return in(i, 0x80, 0xbf); };

    if (in(0, 0x00, 0x7f)) {
        return 1;
    }
    if (in(0, 0xc2, 0xdf)) {
        return continues(1) ? 2 : 0;
    }
    if (in(0, 0xe0, 0xef)) {
        const bool second = text[0] == '\xe0'   ? in(1, 0xa0, 0xbf)  // below: overlong
                            : text[0] == '\xed' ? in(1, 0x80, 0x9f)  // above: surrogates
                                                : continues(1);
        return second && continues(2) ? 3 : 0;
    }
    if (in(0, 0xf0, 0xf4)) {
        const bool second = text[0] == '\xf0'   ? in(1, 0x90, 0xbf)  // below: overlong
                            : text[0] == '\xf4' ? in(1, 0x80, 0x8f)  // above: U+110000 and more
                                                : continues(1);
        return second && continues(2) && continues(3) ? 4 : 0;
    }
    return 0;
}

struct utf8_extent {
    std::size_t bytes = 0;
    std::size_t characters = 0;  ///< code points
};

/// The longest well-formed beginning of `text`: all of it, or up to the first byte that is not UTF-8.
[[nodiscard]] constexpr utf8_extent utf8_prefix(std::string_view text) noexcept {
    utf8_extent seen;
    while (const std::size_t width = utf8_front(text.substr(seen.bytes))) {
        seen.bytes += width;
        ++seen.characters;
    }
    return seen;
}

}  // namespace dlock::detail
