// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The statements for several keys at once; tests/postgresql holds them word for word.
//
// Parameters: $1 the keys' bits, sorted and without duplicates; $2 milliseconds, and $3 a backend pid, as in sql.hpp. An acquiring
// statement answers in one row how many of the keys are held now (all; none; NULL: refused before anything was asked for), and
// inside a transaction what sql.hpp adds.
//
//  - The keys are locked in the order of the array: unnest() gives its elements in that order, and nothing here sorts, groups
//    or joins. An ORDER BY would sort what is locked already.
//    https://www.postgresql.org/docs/current/functions-array.html#ARRAY-FUNCTIONS-TABLE
//  - A try stops at the first key that is not free, and the statement gives back itself what it took before that one.
//  - lock_timeout limits each wait, not their sum. So each key that is not free gets what is left of the limit: the clock less
//    the time at which the statement came in. LEAST, in case somebody sets the clock back meanwhile.
//    https://www.postgresql.org/docs/current/functions-datetime.html#FUNCTIONS-DATETIME-CURRENT
#pragma once

#include <dlock/postgresql/sql.hpp>

namespace dlock::postgresql::sql {

inline constexpr fixed_string each_key{" FROM unnest($1::int8[]) AS k"};

/// The key in a row of each_key.
template <space Space>
constexpr auto row_key() {
    if constexpr (Space == space::bigint) {
        return fixed_string{"(k)"};
    } else {
        return fixed_string{"((k >> 32)::int4, ((k << 32) >> 32)::int4)"};
    }
}

template <mode Mode, space Space>
constexpr auto unlock_row() {
    constexpr auto unlock = [] {
        if constexpr (Mode == mode::exclusive) return fixed_string{"pg_advisory_unlock"};
        else return fixed_string{"pg_advisory_unlock_shared"};
    };
    return unlock() + row_key<Space>();
}

template <place Place, mode Mode, space Space>
constexpr auto try_set() {
    return guarded<Place>(
        fixed_string{"(SELECT CASE WHEN busy IS NULL THEN cardinality($1::int8[]) ELSE busy - 1 - (SELECT count(*) FILTER (WHERE "} +
        unlock_row<Mode, Space>() +
        fixed_string{") FROM unnest(($1::int8[])[1:busy - 1]) AS k) END "
                     "FROM (SELECT (SELECT n::int4 FROM unnest($1::int8[]) WITH ORDINALITY AS wanted (k, n) WHERE NOT pg_try_"} +
        lock_suffix<scope::session, Mode>() + row_key<Space>() + fixed_string{" LIMIT 1) AS busy OFFSET 0) AS tried)"});
}

/// Waits for each as long as the session's lock_timeout says.
template <mode Mode, space Space>
constexpr auto acquire_set() {
    return guarded<place::alone>(fixed_string{"(SELECT count(*) FILTER (WHERE pg_"} + lock_suffix<scope::session, Mode>() +
                                 row_key<Space>() + fixed_string{" IS NOT NULL)"} + each_key + fixed_string{")"});
}

template <place Place, mode Mode, space Space>
constexpr auto until_set() {
    return guarded<Place>(
        fixed_string{"(SELECT count(*) FILTER (WHERE CASE WHEN pg_try_"} + lock_suffix<scope::session, Mode>() + row_key<Space>() +
        fixed_string{" THEN true WHEN set_config('lock_timeout', least($2::float8, greatest(1, ceil($2::float8 - "
                     "extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000)))::int8::text, true) IS NOT NULL THEN pg_"} +
        lock_suffix<scope::session, Mode>() + row_key<Space>() + fixed_string{" IS NOT NULL END)"} + each_key + fixed_string{")"});
}

/// Answers how many it has released.
template <mode Mode, space Space>
constexpr auto release_set() {
    return fixed_string{"SELECT CASE WHEN pg_backend_pid() = $3::int4 THEN (SELECT count(*) FILTER (WHERE "} + unlock_row<Mode, Space>() +
           fixed_string{")"} + each_key + fixed_string{") END"};
}

/// Releases which of the keys the session holds, and none that it does not. Answers how many it could not release.
template <mode Mode, space Space>
constexpr auto release_ghosts() {
    constexpr auto where = [] {
        if constexpr (Mode == mode::exclusive) return fixed_string{" AND mode = 'ExclusiveLock'"};
        else return fixed_string{" AND mode = 'ShareLock'"};
    };
    constexpr auto objsubid = [] {
        if constexpr (Space == space::bigint) return fixed_string{"1"};
        else return fixed_string{"2"};
    };
    return fixed_string{"SELECT count(*) FILTER (WHERE NOT "} + unlock_row<Mode, Space>() +
           fixed_string{") FROM (SELECT ((classid::int8 << 32) | objid::int8) AS k FROM pg_locks "
                        "WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted AND objsubid = "} +
           objsubid() + where() + fixed_string{" AND ((classid::int8 << 32) | objid::int8) = ANY ($1::int8[]) OFFSET 0) AS ghosts"};
}

/// Who holds any of them, once.
template <space Space>
constexpr auto set_holders() {
    constexpr auto objsubid = [] {
        if constexpr (Space == space::bigint) return fixed_string{"1"};
        else return fixed_string{"2"};
    };
    return fixed_string{"SELECT DISTINCT l.pid, concat_ws(' ', nullif(a.application_name, ''), a.usename || '@' || coalesce(host(a.client_addr), 'local')) "
                        "FROM pg_locks AS l LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid "
                        "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = "} +
           objsubid() +
           fixed_string{" AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
                        "AND ((l.classid::int8 << 32) | l.objid::int8) = ANY ($1::int8[]) ORDER BY l.pid"};
}

inline constexpr table try_set_alone{[](auto m, auto s) { return try_set<place::alone, m.value, s.value>(); }};
inline constexpr table acquire_set_alone{[](auto m, auto s) { return acquire_set<m.value, s.value>(); }};
inline constexpr table until_set_alone{[](auto m, auto s) { return until_set<place::alone, m.value, s.value>(); }};
inline constexpr table try_set_in_transaction{[](auto m, auto s) { return try_set<place::in_transaction, m.value, s.value>(); }};
inline constexpr table until_set_in_transaction{[](auto m, auto s) { return until_set<place::in_transaction, m.value, s.value>(); }};
inline constexpr table release_set_alone{[](auto m, auto s) { return release_set<m.value, s.value>(); }};
inline constexpr table ghosts_released{[](auto m, auto s) { return release_ghosts<m.value, s.value>(); }};
inline constexpr table who_holds_any{[](auto, auto s) { return set_holders<s.value>(); }};

}  // namespace dlock::postgresql::sql
