// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// From SQLSTATE to errc. https://www.postgresql.org/docs/current/errcodes-appendix.html
#pragma once

#include <string_view>

#include <libpq-fe.h>

#include <dlock/error.hpp>
#include <dlock/postgresql/result.hpp>

namespace dlock::postgresql {

namespace sqlstate {
inline constexpr std::string_view lock_not_available = "55P03";  // lock_timeout
inline constexpr std::string_view query_canceled = "57014";      // a cancel request, or statement_timeout
inline constexpr std::string_view deadlock_detected = "40P01";
inline constexpr std::string_view out_of_memory = "53200";  // the lock table is full
inline constexpr std::string_view invalid_statement_name = "26000";
inline constexpr std::string_view duplicate_statement = "42P05";
inline constexpr std::string_view in_failed_transaction = "25P02";
inline constexpr std::string_view undefined_table = "42P01";
inline constexpr std::string_view insufficient_privilege = "42501";
inline constexpr std::string_view duplicate_object = "42710";
inline constexpr std::string_view duplicate_table = "42P07";
inline constexpr std::string_view feature_not_supported = "0A000";
inline constexpr std::string_view undefined_function = "42883";
inline constexpr std::string_view read_only_sql_transaction = "25006";
inline constexpr std::string_view invalid_schema_name = "3F000";
inline constexpr std::string_view wrong_object_type = "42809";
inline constexpr std::string_view unique_violation = "23505";
}  // namespace sqlstate

[[nodiscard]] errc reason_of(std::string_view sqlstate, const PGconn* connection) noexcept;

/// What to say in front of the server's own words, where they do not say what to do.
[[nodiscard]] const char* advice_for(errc reason, std::string_view sqlstate) noexcept;

[[nodiscard]] lock_error error_from(const result& failed, const PGconn* connection);

}  // namespace dlock::postgresql
