// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The statements for several keys, word for word: a change of one is a change of what was proven about it.
#include <dlock/postgresql/set_sql.hpp>

namespace dlock::postgresql::sql {
namespace {

using enum mode;

static_assert(try_set<place::alone, exclusive, space::bigint>().view() ==
              "SELECT CASE WHEN pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $3::pg_catalog.int4 THEN (SELECT CASE "
              "WHEN busy IS NULL THEN pg_catalog.cardinality($1::pg_catalog.int8[]) ELSE (busy OPERATOR(pg_catalog.-) 1) "
              "OPERATOR(pg_catalog.-) (SELECT pg_catalog.count(*) FILTER (WHERE pg_catalog.pg_advisory_unlock(k)) FROM "
              "pg_catalog.unnest(($1::pg_catalog.int8[])[1:busy OPERATOR(pg_catalog.-) 1]) AS k) END FROM (SELECT (SELECT "
              "n::pg_catalog.int4 FROM pg_catalog.unnest($1::pg_catalog.int8[]) WITH ORDINALITY AS wanted (k, n) WHERE NOT "
              "pg_catalog.pg_try_advisory_lock(k) LIMIT 1) AS busy OFFSET 0) AS tried) END");
static_assert(try_set<place::in_transaction, shared, space::pair>().view() ==
              "SELECT CASE WHEN pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $3::pg_catalog.int4 AND "
              "pg_catalog.current_setting('transaction_isolation') OPERATOR(pg_catalog.~~) 'read%' THEN (SELECT CASE WHEN "
              "busy IS NULL THEN pg_catalog.cardinality($1::pg_catalog.int8[]) ELSE (busy OPERATOR(pg_catalog.-) 1) "
              "OPERATOR(pg_catalog.-) (SELECT pg_catalog.count(*) FILTER (WHERE pg_catalog.pg_advisory_unlock_shared((k "
              "OPERATOR(pg_catalog.>>) 32)::pg_catalog.int4, ((k OPERATOR(pg_catalog.<<) 32) OPERATOR(pg_catalog.>>) "
              "32)::pg_catalog.int4)) FROM pg_catalog.unnest(($1::pg_catalog.int8[])[1:busy OPERATOR(pg_catalog.-) 1]) AS k) "
              "END FROM (SELECT (SELECT n::pg_catalog.int4 FROM pg_catalog.unnest($1::pg_catalog.int8[]) WITH ORDINALITY AS "
              "wanted (k, n) WHERE NOT pg_catalog.pg_try_advisory_lock_shared((k OPERATOR(pg_catalog.>>) "
              "32)::pg_catalog.int4, ((k OPERATOR(pg_catalog.<<) 32) OPERATOR(pg_catalog.>>) 32)::pg_catalog.int4) LIMIT 1) "
              "AS busy OFFSET 0) AS tried) END, pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $3::pg_catalog.int4, "
              "pg_catalog.current_setting('transaction_isolation')");
static_assert(acquire_set<exclusive, space::bigint>().view() ==
              "SELECT CASE WHEN pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $3::pg_catalog.int4 THEN (SELECT "
              "pg_catalog.count(*) FILTER (WHERE pg_catalog.pg_advisory_lock(k) IS NOT NULL) FROM "
              "pg_catalog.unnest($1::pg_catalog.int8[]) AS k) END");
static_assert(until_set<place::alone, exclusive, space::bigint>().view() ==
              "SELECT CASE WHEN pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $3::pg_catalog.int4 THEN (SELECT "
              "pg_catalog.count(*) FILTER (WHERE CASE WHEN pg_catalog.pg_try_advisory_lock(k) THEN true WHEN "
              "pg_catalog.set_config('lock_timeout', least($2::pg_catalog.float8, greatest(1, "
              "pg_catalog.ceil($2::pg_catalog.float8 OPERATOR(pg_catalog.-) (extract(epoch FROM pg_catalog.clock_timestamp() "
              "OPERATOR(pg_catalog.-) pg_catalog.statement_timestamp()) OPERATOR(pg_catalog.*) "
              "1000))))::pg_catalog.int8::pg_catalog.text, true) IS NOT NULL THEN pg_catalog.pg_advisory_lock(k) IS NOT NULL "
              "END) FROM pg_catalog.unnest($1::pg_catalog.int8[]) AS k) END");
static_assert(until_set<place::in_transaction, shared, space::bigint>().view() ==
              "SELECT CASE WHEN pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $3::pg_catalog.int4 AND "
              "pg_catalog.current_setting('transaction_isolation') OPERATOR(pg_catalog.~~) 'read%' THEN (SELECT "
              "pg_catalog.count(*) FILTER (WHERE CASE WHEN pg_catalog.pg_try_advisory_lock_shared(k) THEN true WHEN "
              "pg_catalog.set_config('lock_timeout', least($2::pg_catalog.float8, greatest(1, "
              "pg_catalog.ceil($2::pg_catalog.float8 OPERATOR(pg_catalog.-) (extract(epoch FROM pg_catalog.clock_timestamp() "
              "OPERATOR(pg_catalog.-) pg_catalog.statement_timestamp()) OPERATOR(pg_catalog.*) "
              "1000))))::pg_catalog.int8::pg_catalog.text, true) IS NOT NULL THEN pg_catalog.pg_advisory_lock_shared(k) IS "
              "NOT NULL END) FROM pg_catalog.unnest($1::pg_catalog.int8[]) AS k) END, pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $3::pg_catalog.int4, "
              "pg_catalog.current_setting('transaction_isolation')");
static_assert(release_set<shared, space::bigint>().view() ==
              "SELECT CASE WHEN pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $3::pg_catalog.int4 THEN (SELECT "
              "pg_catalog.count(*) FILTER (WHERE pg_catalog.pg_advisory_unlock_shared(k)) FROM "
              "pg_catalog.unnest($1::pg_catalog.int8[]) AS k) END");
static_assert(release_ghosts<exclusive, space::pair>().view() ==
              "SELECT CASE WHEN pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $3::pg_catalog.int4 THEN (SELECT "
              "pg_catalog.count(*) FILTER (WHERE NOT pg_catalog.pg_advisory_unlock((k OPERATOR(pg_catalog.>>) "
              "32)::pg_catalog.int4, ((k OPERATOR(pg_catalog.<<) 32) OPERATOR(pg_catalog.>>) 32)::pg_catalog.int4)) FROM "
              "(SELECT ((classid::pg_catalog.int8 OPERATOR(pg_catalog.<<) 32) OPERATOR(pg_catalog.|) objid::pg_catalog.int8) "
              "AS k FROM pg_catalog.pg_locks WHERE locktype OPERATOR(pg_catalog.=) 'advisory' AND pid OPERATOR(pg_catalog.=) "
              "pg_catalog.pg_backend_pid() AND granted AND objsubid OPERATOR(pg_catalog.=) 2 AND mode OPERATOR(pg_catalog.=) "
              "'ExclusiveLock' AND ((classid::pg_catalog.int8 OPERATOR(pg_catalog.<<) 32) OPERATOR(pg_catalog.|) "
              "objid::pg_catalog.int8) OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.int8[]) OFFSET 0) AS ghosts) END");

constexpr std::string_view at(const auto& table, mode m, space s) { return table.at(m, s); }
static_assert(at(try_set_alone, shared, space::pair) == try_set<place::alone, shared, space::pair>().view());
static_assert(at(acquire_set_alone, exclusive, space::pair) == acquire_set<exclusive, space::pair>().view());
static_assert(at(until_set_alone, shared, space::bigint) == until_set<place::alone, shared, space::bigint>().view());
static_assert(at(release_set_alone, exclusive, space::bigint) == release_set<exclusive, space::bigint>().view());
static_assert(at(ghosts_released, shared, space::pair) == release_ghosts<shared, space::pair>().view());

}  // namespace
}  // namespace dlock::postgresql::sql
