// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The statements for several keys, word for word: a change of one is a change of what was proven about it.
#include <dlock/postgresql/set_sql.hpp>

namespace dlock::postgresql::sql {
namespace {

using enum mode;

static_assert(try_set<place::alone, exclusive, space::bigint>().view() ==
              "SELECT CASE WHEN pg_backend_pid() = $3::int4 THEN "
              "(SELECT CASE WHEN busy IS NULL THEN cardinality($1::int8[]) ELSE busy - 1 - "
              "(SELECT count(*) FILTER (WHERE pg_advisory_unlock(k)) FROM unnest(($1::int8[])[1:busy - 1]) AS k) END "
              "FROM (SELECT (SELECT n::int4 FROM unnest($1::int8[]) WITH ORDINALITY AS wanted (k, n) "
              "WHERE NOT pg_try_advisory_lock(k) LIMIT 1) AS busy OFFSET 0) AS tried) END");
static_assert(try_set<place::in_transaction, shared, space::pair>().view() ==
              "SELECT CASE WHEN $3::int4 IN (0, pg_backend_pid()) AND current_setting('transaction_isolation') LIKE 'read%' THEN "
              "(SELECT CASE WHEN busy IS NULL THEN cardinality($1::int8[]) ELSE busy - 1 - "
              "(SELECT count(*) FILTER (WHERE pg_advisory_unlock_shared((k >> 32)::int4, ((k << 32) >> 32)::int4)) "
              "FROM unnest(($1::int8[])[1:busy - 1]) AS k) END "
              "FROM (SELECT (SELECT n::int4 FROM unnest($1::int8[]) WITH ORDINALITY AS wanted (k, n) "
              "WHERE NOT pg_try_advisory_lock_shared((k >> 32)::int4, ((k << 32) >> 32)::int4) LIMIT 1) AS busy OFFSET 0) AS tried) "
              "END, pg_backend_pid(), current_setting('transaction_isolation')");
static_assert(acquire_set<exclusive, space::bigint>().view() ==
              "SELECT CASE WHEN pg_backend_pid() = $3::int4 THEN "
              "(SELECT count(*) FILTER (WHERE pg_advisory_lock(k) IS NOT NULL) FROM unnest($1::int8[]) AS k) END");
static_assert(until_set<place::alone, exclusive, space::bigint>().view() ==
              "SELECT CASE WHEN pg_backend_pid() = $3::int4 THEN "
              "(SELECT count(*) FILTER (WHERE CASE WHEN pg_try_advisory_lock(k) THEN true "
              "WHEN set_config('lock_timeout', least($2::float8, greatest(1, ceil($2::float8 - "
              "extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000)))::int8::text, true) IS NOT NULL "
              "THEN pg_advisory_lock(k) IS NOT NULL END) FROM unnest($1::int8[]) AS k) END");
static_assert(until_set<place::in_transaction, shared, space::bigint>().view() ==
              "SELECT CASE WHEN $3::int4 IN (0, pg_backend_pid()) AND current_setting('transaction_isolation') LIKE 'read%' THEN "
              "(SELECT count(*) FILTER (WHERE CASE WHEN pg_try_advisory_lock_shared(k) THEN true "
              "WHEN set_config('lock_timeout', least($2::float8, greatest(1, ceil($2::float8 - "
              "extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000)))::int8::text, true) IS NOT NULL "
              "THEN pg_advisory_lock_shared(k) IS NOT NULL END) FROM unnest($1::int8[]) AS k) "
              "END, pg_backend_pid(), current_setting('transaction_isolation')");
static_assert(release_set<shared, space::bigint>().view() ==
              "SELECT CASE WHEN pg_backend_pid() = $3::int4 THEN "
              "(SELECT count(*) FILTER (WHERE pg_advisory_unlock_shared(k)) FROM unnest($1::int8[]) AS k) END");
static_assert(release_ghosts<exclusive, space::pair>().view() ==
              "SELECT count(*) FILTER (WHERE NOT pg_advisory_unlock((k >> 32)::int4, ((k << 32) >> 32)::int4)) FROM "
              "(SELECT ((classid::int8 << 32) | objid::int8) AS k FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() "
              "AND granted AND objsubid = 2 AND mode = 'ExclusiveLock' AND ((classid::int8 << 32) | objid::int8) = ANY ($1::int8[]) "
              "OFFSET 0) AS ghosts");

constexpr std::string_view at(const auto& table, mode m, space s) { return table.at(m, s); }
static_assert(at(try_set_alone, shared, space::pair) == try_set<place::alone, shared, space::pair>().view());
static_assert(at(acquire_set_alone, exclusive, space::pair) == acquire_set<exclusive, space::pair>().view());
static_assert(at(until_set_alone, shared, space::bigint) == until_set<place::alone, shared, space::bigint>().view());
static_assert(at(release_set_alone, exclusive, space::bigint) == release_set<exclusive, space::bigint>().view());
static_assert(at(ghosts_released, shared, space::pair) == release_ghosts<shared, space::pair>().view());

}  // namespace
}  // namespace dlock::postgresql::sql
