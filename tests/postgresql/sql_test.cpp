// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The statements, word for word: a change of one is a change of what was proven about it.
#include <dlock/postgresql/sql.hpp>

namespace dlock::postgresql::sql {
namespace {

using enum mode;

static_assert(try_acquire<scope::session, place::alone, exclusive, space::bigint>().view() ==
              "SELECT CASE WHEN pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $3::pg_catalog.int4 THEN "
              "pg_catalog.pg_try_advisory_lock($1::pg_catalog.int8) END");
static_assert(try_acquire<scope::session, place::alone, shared, space::pair>().view() ==
              "SELECT CASE WHEN pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $3::pg_catalog.int4 THEN "
              "pg_catalog.pg_try_advisory_lock_shared(($1::pg_catalog.int8 OPERATOR(pg_catalog.>>) 32)::pg_catalog.int4, "
              "(($1::pg_catalog.int8 OPERATOR(pg_catalog.<<) 32) OPERATOR(pg_catalog.>>) 32)::pg_catalog.int4) END");
static_assert(acquire<exclusive, space::bigint>().view() ==
              "SELECT CASE WHEN pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $3::pg_catalog.int4 THEN "
              "pg_catalog.pg_advisory_lock($1::pg_catalog.int8) IS NOT NULL END");
static_assert(acquire_until<scope::session, place::alone, exclusive, space::bigint>().view() ==
              "SELECT CASE WHEN pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $3::pg_catalog.int4 THEN CASE WHEN "
              "pg_catalog.pg_try_advisory_lock($1::pg_catalog.int8) THEN true WHEN pg_catalog.set_config('lock_timeout', $2, "
              "true) IS NOT NULL THEN pg_catalog.pg_advisory_lock($1::pg_catalog.int8) IS NOT NULL END END");
static_assert(acquire_until<scope::session, place::in_transaction, shared, space::bigint>().view() ==
              "SELECT CASE WHEN pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $3::pg_catalog.int4 AND "
              "pg_catalog.current_setting('transaction_isolation') OPERATOR(pg_catalog.~~) 'read%' THEN CASE WHEN "
              "pg_catalog.set_config('lock_timeout', $2, true) IS NOT NULL THEN "
              "pg_catalog.pg_advisory_lock_shared($1::pg_catalog.int8) IS NOT NULL END END, pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $3::pg_catalog.int4, "
              "pg_catalog.current_setting('transaction_isolation')");
static_assert(acquire_until<scope::transaction, place::in_transaction, exclusive, space::bigint>().view() ==
              "SELECT CASE WHEN NOT pg_catalog.pg_is_in_recovery() AND "
              "pg_catalog.current_setting('transaction_isolation') OPERATOR(pg_catalog.~~) 'read%' THEN CASE WHEN "
              "pg_catalog.set_config('lock_timeout', $2, true) IS NOT NULL THEN CASE WHEN "
              "pg_catalog.pg_advisory_xact_lock($1::pg_catalog.int8) IS NOT NULL THEN pg_catalog.set_config('lock_timeout', "
              "before, true) IS NOT NULL END END END, NOT pg_catalog.pg_is_in_recovery(), "
              "pg_catalog.current_setting('transaction_isolation') FROM (SELECT pg_catalog.current_setting('lock_timeout') "
              "AS before OFFSET 0) AS setting");
static_assert(try_fenced<exclusive, space::bigint>().view() ==
              "SELECT CASE WHEN pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $3::pg_catalog.int4 THEN CASE WHEN "
              "pg_catalog.set_config('synchronous_commit', CASE WHEN pg_catalog.current_setting('synchronous_commit') "
              "OPERATOR(pg_catalog.=) 'off' THEN 'on' ELSE pg_catalog.current_setting('synchronous_commit') END, true) IS "
              "NOT NULL THEN coalesce(CASE WHEN pg_catalog.pg_try_advisory_lock($1::pg_catalog.int8) THEN CASE WHEN "
              "pg_catalog.nextval($4::pg_catalog.regclass) IS NOT NULL THEN CASE WHEN CASE WHEN "
              "pg_catalog.pg_current_wal_flush_lsn() OPERATOR(pg_catalog.<) pg_catalog.pg_current_wal_insert_lsn() OR "
              "pg_catalog.current_setting('synchronous_standby_names') OPERATOR(pg_catalog.<>) '' THEN "
              "pg_catalog.pg_logical_emit_message(true, 'dlock', '') ELSE '0/0' END IS NOT NULL THEN "
              "greatest(pg_catalog.currval($4::pg_catalog.regclass), 1) END END END, 0) END END");
static_assert(until_fenced<shared, space::pair>().view() ==
              "SELECT CASE WHEN pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $3::pg_catalog.int4 THEN CASE WHEN "
              "pg_catalog.set_config('synchronous_commit', CASE WHEN pg_catalog.current_setting('synchronous_commit') "
              "OPERATOR(pg_catalog.=) 'off' THEN 'on' ELSE pg_catalog.current_setting('synchronous_commit') END, true) IS "
              "NOT NULL THEN coalesce(CASE WHEN CASE WHEN pg_catalog.set_config('lock_timeout', $2, true) IS NOT NULL THEN "
              "pg_catalog.pg_advisory_lock_shared(($1::pg_catalog.int8 OPERATOR(pg_catalog.>>) 32)::pg_catalog.int4, "
              "(($1::pg_catalog.int8 OPERATOR(pg_catalog.<<) 32) OPERATOR(pg_catalog.>>) 32)::pg_catalog.int4) IS NOT NULL "
              "END THEN CASE WHEN pg_catalog.nextval($4::pg_catalog.regclass) IS NOT NULL THEN CASE WHEN CASE WHEN "
              "pg_catalog.pg_current_wal_flush_lsn() OPERATOR(pg_catalog.<) pg_catalog.pg_current_wal_insert_lsn() OR "
              "pg_catalog.current_setting('synchronous_standby_names') OPERATOR(pg_catalog.<>) '' THEN "
              "pg_catalog.pg_logical_emit_message(true, 'dlock', '') ELSE '0/0' END IS NOT NULL THEN "
              "greatest(pg_catalog.currval($4::pg_catalog.regclass), 1) END END END, 0) END END");
static_assert(holders<space::bigint>().view() ==
              "SELECT coalesce(l.pid::pg_catalog.text, 'prepared'), CASE WHEN l.pid IS NULL "
              "THEN (SELECT pg_catalog.concat_ws(' ', 'prepared transaction', pg_catalog.quote_literal(p.gid), 'of', p.owner) "
              "FROM pg_catalog.pg_locks AS t JOIN pg_catalog.pg_prepared_xacts AS p ON p.transaction OPERATOR(pg_catalog.=) t.transactionid "
              "WHERE t.pid IS NULL AND t.virtualtransaction OPERATOR(pg_catalog.=) l.virtualtransaction LIMIT 1) "
              "ELSE pg_catalog.concat_ws(' ', CASE WHEN a.application_name OPERATOR(pg_catalog.<>) '' THEN a.application_name END, "
              "a.usename OPERATOR(pg_catalog.||) '@' OPERATOR(pg_catalog.||) coalesce(pg_catalog.host(a.client_addr), 'local')) END, l.pid "
              "FROM pg_catalog.pg_locks AS l LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid OPERATOR(pg_catalog.=) l.pid "
              "WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory' AND l.granted AND l.objsubid OPERATOR(pg_catalog.=) 1 "
              "AND l.database OPERATOR(pg_catalog.=) (SELECT oid FROM pg_catalog.pg_database "
              "WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database()) "
              "AND ((classid::pg_catalog.int8 OPERATOR(pg_catalog.<<) 32) OPERATOR(pg_catalog.|) objid::pg_catalog.int8) "
              "OPERATOR(pg_catalog.=) $1::pg_catalog.int8 ORDER BY l.pid");
static_assert(release<exclusive, space::bigint>().view() ==
              "SELECT CASE WHEN pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $3::pg_catalog.int4 THEN "
              "pg_catalog.pg_advisory_unlock($1::pg_catalog.int8) END");
static_assert(release<shared, space::bigint>().view() ==
              "SELECT CASE WHEN pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $3::pg_catalog.int4 THEN "
              "pg_catalog.pg_advisory_unlock_shared($1::pg_catalog.int8) END");
static_assert(release_ghost<shared, space::pair>().view() ==
              "SELECT CASE WHEN pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $3::pg_catalog.int4 THEN coalesce((SELECT "
              "pg_catalog.pg_advisory_unlock_shared(($1::pg_catalog.int8 OPERATOR(pg_catalog.>>) "
              "32)::pg_catalog.int4, (($1::pg_catalog.int8 OPERATOR(pg_catalog.<<) 32) OPERATOR(pg_catalog.>>) "
              "32)::pg_catalog.int4) FROM (SELECT 1 FROM pg_catalog.pg_locks WHERE locktype OPERATOR(pg_catalog.=) "
              "'advisory' AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND granted AND objsubid "
              "OPERATOR(pg_catalog.=) 2 AND mode OPERATOR(pg_catalog.=) 'ShareLock' AND ((classid::pg_catalog.int8 "
              "OPERATOR(pg_catalog.<<) 32) OPERATOR(pg_catalog.|) objid::pg_catalog.int8) OPERATOR(pg_catalog.=) "
              "$1::pg_catalog.int8 OFFSET 0) AS ghost), false) END");
static_assert(find_ghost<exclusive, space::bigint>().view() ==
              "SELECT CASE WHEN pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $3::pg_catalog.int4 THEN coalesce((SELECT "
              "true FROM (SELECT 1 FROM pg_catalog.pg_locks WHERE locktype OPERATOR(pg_catalog.=) 'advisory' AND pid "
              "OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND granted AND objsubid OPERATOR(pg_catalog.=) 1 AND mode "
              "OPERATOR(pg_catalog.=) 'ExclusiveLock' AND ((classid::pg_catalog.int8 OPERATOR(pg_catalog.<<) 32) "
              "OPERATOR(pg_catalog.|) objid::pg_catalog.int8) OPERATOR(pg_catalog.=) $1::pg_catalog.int8 OFFSET 0) AS ghost), "
              "false) END");

constexpr std::string_view at(const auto& table, mode m, space s) { return table.at(m, s); }
static_assert(at(release_alone, shared, space::pair) == release<shared, space::pair>().view());
static_assert(at(release_alone, exclusive, space::pair) == release<exclusive, space::pair>().view());
static_assert(at(until_fenced_alone, shared, space::bigint) == until_fenced<shared, space::bigint>().view());
static_assert(at(try_fenced_alone, exclusive, space::pair) == try_fenced<exclusive, space::pair>().view());
static_assert(at(try_for_transaction, shared, space::bigint) ==
              try_acquire<scope::transaction, place::in_transaction, shared, space::bigint>().view());

}  // namespace
}  // namespace dlock::postgresql::sql
