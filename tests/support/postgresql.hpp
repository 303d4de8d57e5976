// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Questions to a PostgreSQL server, and its raw connection.
#pragma once

#include <memory>
#include <string>

#include <soci/soci.h>
#include <soci/postgresql/soci-postgresql.h>

namespace dlock::testing {

inline PGconn* raw(soci::session& session) {
    return static_cast<soci::postgresql_session_backend*>(session.get_backend())->conn_;
}

inline int pid_of(soci::session& session) { return PQbackendPID(raw(session)); }

template <class T>
T ask(soci::session& session, const std::string& query) {
    T answer{};
    session << query, soci::into(answer);
    return answer;
}

/// How many advisory locks the server has granted; to whom, if a pid is given.
inline int granted(soci::session& onlooker, int pid = 0) {
    return ask<int>(onlooker, "SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND granted" +
                                  (pid != 0 ? " AND pid = " + std::to_string(pid) : ""));
}

inline int waiting(soci::session& onlooker, int pid = 0) {
    return ask<int>(onlooker, "SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND NOT granted" +
                                  (pid != 0 ? " AND pid = " + std::to_string(pid) : ""));
}

/// Returns when the session has ended; what pg_terminate_backend(pid, timeout) does since PostgreSQL 14.
inline void end_session(soci::session& onlooker, int pid) {
    (void)ask<int>(onlooker, "SELECT pg_terminate_backend(" + std::to_string(pid) + ")::int");
    while (ask<int>(onlooker, "SELECT count(*)::int FROM pg_stat_activity WHERE pid = " + std::to_string(pid)) != 0) {}
}

struct clear_result {
    void operator()(PGresult* r) const noexcept { PQclear(r); }
};
using raw_result = std::unique_ptr<PGresult, clear_result>;

inline raw_result execute(PGconn* on, const std::string& sql) { return raw_result{PQexec(on, sql.c_str())}; }

inline std::string sqlstate(const raw_result& result) {
    const char* const state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
    return state != nullptr ? state : "";
}

inline std::string value(const raw_result& result, int row = 0, int column = 0) {
    return PQntuples(result.get()) > row ? PQgetvalue(result.get(), row, column) : "(no row)";
}

}  // namespace dlock::testing
