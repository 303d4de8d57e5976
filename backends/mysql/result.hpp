// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A MYSQL_RES with an owner, or the error there was instead.
//
// The answers to dlock's statements are digits, bytes, and words of ASCII. In a character_set_results of several bytes a letter
// (ucs2, utf16, utf16le, utf32) each of their characters has NULs around it, of which a text here is free.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include <mysql.h>

#include <dlock/error.hpp>

namespace dlock::mysql {

class result {
public:
    explicit result(MYSQL_RES* rows) noexcept : rows_{rows} {
        if (rows_) next();
    }
    explicit result(errc failed) noexcept : failed_{failed} {}

    [[nodiscard]] bool ok() const noexcept { return rows_ != nullptr; }
    /// \pre !ok()
    [[nodiscard]] errc reason() const noexcept { return failed_; }

    /// The current row, the first one to begin with. The functions below need one.
    [[nodiscard]] bool has_row() const noexcept { return row_ != nullptr; }
    void next() noexcept { row_ = mysql_fetch_row(rows_.get()); }

    [[nodiscard]] unsigned columns() const noexcept { return mysql_num_fields(rows_.get()); }
    /// Empty: NULL. Valid until next().
    [[nodiscard]] std::string_view text(unsigned column) const noexcept {
        char* const first = row_[column];
        if (first == nullptr) return {};
        char* const last = first + mysql_fetch_lengths(rows_.get())[column];
        if (std::memchr(first, '\0', static_cast<std::size_t>(last - first)) == nullptr) return {first, last};
        char* const end = std::remove(first, last, '\0');
        std::fill(end, last, '\0');  // so that it reads the same again
        return {first, end};
    }
    /// Nullopt: NULL, or no number.
    [[nodiscard]] std::optional<std::uint64_t> number(unsigned column) const noexcept {
        const char* const first = row_[column];
        if (first == nullptr) return std::nullopt;
        const char* const last = first + mysql_fetch_lengths(rows_.get())[column];
        std::uint64_t value = 0;
        bool is_one = false;
        for (const char* at = first; at != last; ++at) {
            if (*at == '\0') continue;
            if (*at < '0' || *at > '9') return std::nullopt;
            value = 10 * value + static_cast<std::uint64_t>(*at - '0');
            is_one = true;
        }
        return is_one ? std::optional{value} : std::nullopt;
    }

private:
    struct free_rows {
        void operator()(MYSQL_RES* rows) const noexcept { mysql_free_result(rows); }
    };
    std::unique_ptr<MYSQL_RES, free_rows> rows_;
    MYSQL_ROW row_ = nullptr;
    errc failed_{};
};

}  // namespace dlock::mysql
