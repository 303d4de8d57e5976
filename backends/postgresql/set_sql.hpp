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

inline constexpr fixed_string each_key{" FROM pg_catalog.unnest($1::pg_catalog.int8[]) AS k"};

/// The key in a row of each_key.
template <space Space>
constexpr auto row_key() {
    if constexpr (Space == space::bigint) {
        return fixed_string{"(k)"};
    } else {
        return fixed_string{"((k OPERATOR(pg_catalog.>>) 32)::pg_catalog.int4, "
                            "((k OPERATOR(pg_catalog.<<) 32) OPERATOR(pg_catalog.>>) 32)::pg_catalog.int4)"};
    }
}

template <mode Mode, space Space>
constexpr auto unlock_row() {
    return unlock_function<Mode>() + row_key<Space>();
}

template <place Place, mode Mode, space Space>
constexpr auto try_set() {
    return guarded<Place>(
        fixed_string{"(SELECT CASE WHEN busy IS NULL THEN pg_catalog.cardinality($1::pg_catalog.int8[]) "
                     "ELSE (busy OPERATOR(pg_catalog.-) 1) OPERATOR(pg_catalog.-) (SELECT pg_catalog.count(*) FILTER (WHERE "} +
        unlock_row<Mode, Space>() +
        fixed_string{") FROM pg_catalog.unnest(($1::pg_catalog.int8[])[1:busy OPERATOR(pg_catalog.-) 1]) AS k) END "
                     "FROM (SELECT (SELECT n::pg_catalog.int4 FROM pg_catalog.unnest($1::pg_catalog.int8[]) "
                     "WITH ORDINALITY AS wanted (k, n) WHERE NOT pg_catalog.pg_try_"} +
        lock_suffix<scope::session, Mode>() + row_key<Space>() + fixed_string{" LIMIT 1) AS busy OFFSET 0) AS tried)"});
}

/// Waits for each as long as the session's lock_timeout says.
template <mode Mode, space Space>
constexpr auto acquire_set() {
    return guarded<place::alone>(fixed_string{"(SELECT pg_catalog.count(*) FILTER (WHERE pg_catalog.pg_"} + lock_suffix<scope::session, Mode>() +
                                 row_key<Space>() + fixed_string{" IS NOT NULL)"} + each_key + fixed_string{")"});
}

template <place Place, mode Mode, space Space>
constexpr auto until_set() {
    return guarded<Place>(
        fixed_string{"(SELECT pg_catalog.count(*) FILTER (WHERE CASE WHEN pg_catalog.pg_try_"} + lock_suffix<scope::session, Mode>() + row_key<Space>() +
        fixed_string{" THEN true WHEN pg_catalog.set_config('lock_timeout', least($2::pg_catalog.float8, greatest(1, "
                     "pg_catalog.ceil($2::pg_catalog.float8 OPERATOR(pg_catalog.-) (extract(epoch FROM pg_catalog.clock_timestamp() "
                     "OPERATOR(pg_catalog.-) pg_catalog.statement_timestamp()) OPERATOR(pg_catalog.*) 1000))))"
                     "::pg_catalog.int8::pg_catalog.text, true) IS NOT NULL THEN pg_catalog.pg_"} +
        lock_suffix<scope::session, Mode>() + row_key<Space>() + fixed_string{" IS NOT NULL END)"} + each_key + fixed_string{")"});
}

/// Answers how many it has released.
template <mode Mode, space Space>
constexpr auto release_set() {
    return if_served_by_us + fixed_string{"(SELECT pg_catalog.count(*) FILTER (WHERE "} + unlock_row<Mode, Space>() + fixed_string{")"} +
           each_key + fixed_string{") END"};
}

/// Releases which of the keys the session holds, and none that it does not. Answers how many it could not release. NULL: another
/// session answers.
template <mode Mode, space Space>
constexpr auto release_ghosts() {
    return if_served_by_us + fixed_string{"(SELECT pg_catalog.count(*) FILTER (WHERE NOT "} + unlock_row<Mode, Space>() + fixed_string{") FROM (SELECT "} +
           locked_key + fixed_string{" AS k FROM pg_catalog.pg_locks WHERE "} + is_own<Mode, Space>() + fixed_string{" AND "} + locked_key +
           fixed_string{" OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.int8[]) OFFSET 0) AS ghosts) END"};
}

/// Who holds any of them, once.
template <space Space>
constexpr auto set_holders() {
    return fixed_string{"SELECT DISTINCT "} + holding<Space>() +
           fixed_string{" OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.int8[]) ORDER BY l.pid"};
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
