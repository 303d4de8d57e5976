// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A PGresult with an owner, and what an error in it means.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include <libpq-fe.h>

#include <dlock/error.hpp>

namespace dlock::postgresql {

class result {
public:
    explicit result(PGresult* r = nullptr) noexcept : result_{r} {}

    [[nodiscard]] explicit operator bool() const noexcept { return result_ != nullptr; }
    [[nodiscard]] bool ok() const noexcept {
        const auto status = PQresultStatus(result_.get());
        return status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
    }
    /// In pipeline mode: the end of what a Sync ends, and what was not executed because something before it failed.
    [[nodiscard]] bool is_sync() const noexcept { return PQresultStatus(result_.get()) == PGRES_PIPELINE_SYNC; }
    [[nodiscard]] bool is_aborted() const noexcept { return PQresultStatus(result_.get()) == PGRES_PIPELINE_ABORTED; }
    [[nodiscard]] const char* message() const noexcept { return PQresultErrorMessage(result_.get()); }
    /// The server's sentence alone, in one line.
    [[nodiscard]] std::string_view primary_message() const noexcept {
        const char* const said = PQresultErrorField(result_.get(), PG_DIAG_MESSAGE_PRIMARY);
        return said != nullptr ? said : std::string_view{};
    }
    [[nodiscard]] int rows() const noexcept { return PQntuples(result_.get()); }
    [[nodiscard]] int columns() const noexcept { return PQnfields(result_.get()); }
    [[nodiscard]] bool is_null(int column) const noexcept { return rows() == 0 || PQgetisnull(result_.get(), 0, column) != 0; }
    [[nodiscard]] bool is_true(int column) const noexcept { return letter(column) == 't'; }
    /// The first character of a value, which is all of a boolean: 't' or 'f'. '\0': NULL.
    [[nodiscard]] char letter(int column) const noexcept {
        const char* const value = rows() == 0 ? nullptr : PQgetvalue(result_.get(), 0, column);  // NULL reads as empty
        return value != nullptr ? *value : '\0';  // whoever answers may have sent fewer columns than were asked for
    }
    [[nodiscard]] const char* text(int row, int column) const noexcept { return PQgetvalue(result_.get(), row, column); }
    [[nodiscard]] int integer(int column) const noexcept { return is_null(column) ? 0 : std::atoi(text(0, column)); }

    [[nodiscard]] std::uint64_t number(int column) const noexcept {
        return is_null(column) ? 0 : std::strtoull(text(0, column), nullptr, 10);
    }

    /// Empty when no server spoke: the connection broke.
    [[nodiscard]] std::string_view sqlstate() const noexcept {
        const char* const state = PQresultErrorField(result_.get(), PG_DIAG_SQLSTATE);
        return state != nullptr ? state : std::string_view{};
    }

private:
    struct clear {
        void operator()(PGresult* r) const noexcept { PQclear(r); }
    };
    std::unique_ptr<PGresult, clear> result_;
};

}  // namespace dlock::postgresql
