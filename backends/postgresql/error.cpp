// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/postgresql/error.hpp>

#include <string>

namespace dlock::postgresql {
namespace {

/// What a server says that has PostgreSQL's protocol and not its advisory locks.
bool lacks_functions(std::string_view state) noexcept {
    return state == sqlstate::feature_not_supported || state == sqlstate::undefined_function;
}

}  // namespace

errc reason_of(std::string_view state, const PGconn* connection) noexcept {
    // When a server dies between two statements libpq may know only that it could not send, and call the connection good.
    const bool no_server_spoke = state.empty();
    if (connection == nullptr || PQstatus(connection) != CONNECTION_OK || no_server_spoke ||
        state.starts_with("08") || state.starts_with("57P")) {
        return errc::lost;
    }
    if (state == sqlstate::lock_not_available) return errc::timed_out;
    if (state == sqlstate::query_canceled) return errc::cancelled;
    if (state == sqlstate::deadlock_detected) return errc::deadlock;
    if (state == sqlstate::out_of_memory) return errc::exhausted;
    if (state == sqlstate::in_failed_transaction || state == sqlstate::insufficient_privilege || lacks_functions(state)) return errc::unsupported;
    return errc::server_error;
}

const char* advice_for(errc reason, std::string_view state) noexcept {
    if (reason == errc::exhausted) return "the server's lock table is full (max_locks_per_transaction): ";
    if (reason == errc::cancelled) return "the wait was ended by a cancel request or by statement_timeout: ";
    if (state == sqlstate::insufficient_privilege) return "this role lacks a right that dlock needs: ";
    if (lacks_functions(state)) return "this server does not have PostgreSQL's advisory locks, or not all that dlock asks of them: ";
    return "";
}

lock_error error_from(const result& failed, const PGconn* connection) {
    const auto state = failed.sqlstate();
    const auto reason = reason_of(state, connection);
    std::string what = std::string{"dlock: "} + advice_for(reason, state);
    // The result's own, as long as there is one: a rollback to a savepoint may have come behind it.
    const std::string_view own = failed.message();
    what += !own.empty() ? own : connection != nullptr ? std::string_view{PQerrorMessage(connection)} : std::string_view{"the connection is closed"};
    while (what.ends_with('\n')) what.pop_back();
    return {reason, what, state};
}

}  // namespace dlock::postgresql
