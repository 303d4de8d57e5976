// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The two servers behind one protocol, and where their named locks differ.
#pragma once

#include <string_view>

#include <mysql.h>

#include <dlock/mysql/sql.hpp>

namespace dlock::mysql {

struct server {
    bool mariadb = false;
    unsigned long version = 0;  ///< 10.11.19 is 101119

    /// What the server said of itself when it greeted. No round trip.
    [[nodiscard]] static server of(MYSQL* handle) noexcept;

    /// Whether a second GET_LOCK frees the first.
    /// https://dev.mysql.com/doc/refman/5.7/en/locking-functions.html#function_get-lock
    /// https://mariadb.com/kb/en/get_lock/
    [[nodiscard]] constexpr bool one_lock_per_session() const noexcept {
        return version < (mariadb ? 100'002 : 50'705);
    }

    /// Whether the timeout of GET_LOCK is an integer; MySQL 5.6 even rounds by the type of the argument.
    [[nodiscard]] constexpr bool waits_whole_seconds() const noexcept { return !mariadb; }

    /// Whether N'…' is a literal like any other: MySQL 8 warns of it.
    /// https://dev.mysql.com/doc/refman/8.0/en/charset-national.html
    [[nodiscard]] constexpr bool has_national_literals() const noexcept { return mariadb; }

    /// Whether `EXECUTE … USING` takes a value, and the statements of sql::prepared are right there.
    /// https://mariadb.com/docs/server/reference/sql-statements/prepared-statements/execute-statement
    [[nodiscard]] constexpr bool has_fast_prepared() const noexcept { return mariadb && version >= 100'203 && version < 120'000; }

    /// \pre check(name) passes.
    [[nodiscard]] constexpr sql::name literal(std::string_view name) const noexcept { return {name, has_national_literals()}; }

    /// The name of the variable, which has changed: each version knows one of them at least, and warns of none.
    /// https://mariadb.com/kb/en/server-system-variables/#transaction_isolation
    /// https://dev.mysql.com/doc/relnotes/mysql/8.0/en/news-8-0-3.html
    [[nodiscard]] constexpr std::string_view isolation() const noexcept {
        return version < (mariadb ? 110'101 : 80'003) ? "@@tx_isolation" : "@@transaction_isolation";
    }

    /// Whether the server is read-only now, as SQL: a number or, since MariaDB 12, a word.
    /// https://mariadb.com/docs/server/server-management/variables-and-modes/server-system-variables#read_only
    [[nodiscard]] constexpr std::string_view read_only() const noexcept {
        return mariadb && version >= 120'000 ? "(@@read_only<>_utf8mb4'OFF')" : "@@read_only";
    }

    /// \throws lock_error  bad_key where the server would refuse, fold or truncate the name
    void check(std::string_view name) const;
};

}  // namespace dlock::mysql
