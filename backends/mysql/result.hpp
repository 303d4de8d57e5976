// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A MYSQL_RES with an owner, or the error there was instead.
#pragma once

#include <cstdint>
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
        return row_[column] != nullptr ? row_[column] : std::string_view{};
    }
    /// A negative one wraps around.
    [[nodiscard]] std::optional<std::uint64_t> number(unsigned column) const noexcept {
        const char* digit = row_[column];
        if (digit == nullptr) return std::nullopt;
        const bool negative = *digit == '-';
        std::uint64_t value = 0;
        for (digit += negative; *digit >= '0' && *digit <= '9'; ++digit) value = 10 * value + static_cast<std::uint64_t>(*digit - '0');
        return negative ? 0 - value : value;
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
