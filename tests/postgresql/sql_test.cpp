// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The statements, word for word: a change of one is a change of what was proven about it.
#include <dlock/postgresql/sql.hpp>

namespace dlock::postgresql::sql {
namespace {

using enum mode;

static_assert(try_acquire<scope::session, place::alone, exclusive, space::bigint>().view() ==
              "SELECT CASE WHEN pg_backend_pid() = $3::int4 THEN pg_try_advisory_lock($1::int8) END");
static_assert(try_acquire<scope::session, place::alone, shared, space::pair>().view() ==
              "SELECT CASE WHEN pg_backend_pid() = $3::int4 THEN "
              "pg_try_advisory_lock_shared(($1::int8 >> 32)::int4, (($1::int8 << 32) >> 32)::int4) END");
static_assert(acquire<exclusive, space::bigint>().view() ==
              "SELECT CASE WHEN pg_backend_pid() = $3::int4 THEN pg_advisory_lock($1::int8) IS NOT NULL END");
static_assert(acquire_until<scope::session, place::alone, exclusive, space::bigint>().view() ==
              "SELECT CASE WHEN pg_backend_pid() = $3::int4 THEN "
              "CASE WHEN pg_try_advisory_lock($1::int8) THEN true "
              "WHEN set_config('lock_timeout', $2, true) IS NOT NULL THEN pg_advisory_lock($1::int8) IS NOT NULL END END");
static_assert(acquire_until<scope::session, place::in_transaction, shared, space::bigint>().view() ==
              "SELECT CASE WHEN $3::int4 IN (0, pg_backend_pid()) AND current_setting('transaction_isolation') LIKE 'read%' THEN "
              "CASE WHEN set_config('lock_timeout', $2, true) IS NOT NULL THEN pg_advisory_lock_shared($1::int8) IS NOT NULL END "
              "END, pg_backend_pid(), current_setting('transaction_isolation')");
static_assert(acquire_until<scope::transaction, place::in_transaction, exclusive, space::bigint>().view() ==
              "SELECT CASE WHEN $3::int4 IN (0, pg_backend_pid()) AND current_setting('transaction_isolation') LIKE 'read%' THEN "
              "CASE WHEN set_config('lock_timeout', $2, true) IS NOT NULL THEN "
              "CASE WHEN pg_advisory_xact_lock($1::int8) IS NOT NULL THEN set_config('lock_timeout', before, true) IS NOT NULL END END "
              "END, pg_backend_pid(), current_setting('transaction_isolation') "
              "FROM (SELECT current_setting('lock_timeout') AS before OFFSET 0) AS setting");
static_assert(try_fenced<exclusive, space::bigint>().view() ==
              "SELECT CASE WHEN pg_backend_pid() = $3::int4 THEN "
              "CASE WHEN set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' "
              "ELSE current_setting('synchronous_commit') END, true) IS NOT NULL THEN "
              "coalesce(CASE WHEN pg_try_advisory_lock($1::int8) THEN CASE WHEN nextval('public.dlock_fence') IS NOT NULL THEN "
              "CASE WHEN CASE WHEN pg_current_wal_flush_lsn() < pg_current_wal_insert_lsn() THEN pg_logical_emit_message(true, 'dlock', '') ELSE '0/0' END IS NOT NULL "
              "THEN greatest(currval('public.dlock_fence'), 1) END END END, 0) END END");
static_assert(until_fenced<shared, space::pair>().view() ==
              "SELECT CASE WHEN pg_backend_pid() = $3::int4 THEN "
              "CASE WHEN set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' "
              "ELSE current_setting('synchronous_commit') END, true) IS NOT NULL THEN "
              "coalesce(CASE WHEN CASE WHEN set_config('lock_timeout', $2, true) IS NOT NULL THEN "
              "pg_advisory_lock_shared(($1::int8 >> 32)::int4, (($1::int8 << 32) >> 32)::int4) IS NOT NULL END "
              "THEN CASE WHEN nextval('public.dlock_fence') IS NOT NULL THEN "
              "CASE WHEN CASE WHEN pg_current_wal_flush_lsn() < pg_current_wal_insert_lsn() THEN pg_logical_emit_message(true, 'dlock', '') ELSE '0/0' END IS NOT NULL "
              "THEN greatest(currval('public.dlock_fence'), 1) END END END, 0) END END");
static_assert(std::string_view{create_fence} == "CREATE SEQUENCE IF NOT EXISTS public.dlock_fence");
static_assert(release<exclusive, space::bigint>().view() ==
              "SELECT CASE WHEN pg_backend_pid() = $3::int4 THEN pg_advisory_unlock($1::int8) END");
static_assert(release<shared, space::bigint>().view() ==
              "SELECT CASE WHEN pg_backend_pid() = $3::int4 THEN pg_advisory_unlock_shared($1::int8) END");
static_assert(release_ghost<shared, space::pair>().view() ==
              "SELECT pg_advisory_unlock_shared(($1::int8 >> 32)::int4, (($1::int8 << 32) >> 32)::int4) FROM "
              "(SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted AND objsubid = 2 "
              "AND mode = 'ShareLock' AND ((classid::int8 << 32) | objid::int8) = $1::int8 OFFSET 0) AS ghost");

constexpr std::string_view at(const auto& table, mode m, space s) { return table.at(m, s); }
static_assert(at(release_alone, shared, space::pair) == release<shared, space::pair>().view());
static_assert(at(release_alone, exclusive, space::pair) == release<exclusive, space::pair>().view());
static_assert(at(until_fenced_alone, shared, space::bigint) == until_fenced<shared, space::bigint>().view());
static_assert(at(try_fenced_alone, exclusive, space::pair) == try_fenced<exclusive, space::pair>().view());
static_assert(at(try_for_transaction, shared, space::bigint) ==
              try_acquire<scope::transaction, place::in_transaction, shared, space::bigint>().view());

}  // namespace
}  // namespace dlock::postgresql::sql
