// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Every statement this backend sends, assembled at compile time; tests/postgresql holds them word for word.
//
// Parameters: $1 the key's 64 bits, $2 lock_timeout as text, $3 the backend pid that must serve us (connection::served_by()), $4 the
// sequence of a fenced lock.
// An acquiring statement answers in one row: whether the lock was granted (NULL: refused before it was asked for) and, inside a
// transaction, whether the right server was asked, and the isolation level, which say why it was refused.
//
//  - Every function, operator, type and relation is qualified, because whoever may create one in a schema of the search_path,
//    or a temporary relation, would otherwise decide what is locked. No IN, LIKE, BETWEEN, NULLIF, CASE with a value, IS
//    DISTINCT FROM: they look operators up by name. COALESCE, GREATEST, LEAST, EXTRACT, DISTINCT and ORDER BY do not.
//    https://www.postgresql.org/docs/current/typeconv-func.html
//  - The pid is compared before the lock is asked for: behind a pooler that shares sessions nothing gets locked. A lock of a
//    transaction is fine on any backend, but of the primary only, and a pooler may have a standby too: each statement looks.
//    https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-RECOVERY-CONTROL
//  - CASE is the only form whose order of evaluation is documented; so the limit is set strictly before the lock waits.
//    https://www.postgresql.org/docs/current/sql-expressions.html#SYNTAX-EXPRESS-EVAL
//  - A session's own lock_timeout does not apply: a timed wait overrides it, lock() does once it has struck; '0' is for ever.
//    https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-LOCK-TIMEOUT
//  - Under REPEATABLE READ the waiting statement itself would fix the snapshot before the lock is granted, and its holder
//    would read stale rows: refused. https://www.postgresql.org/docs/current/transaction-iso.html
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <boost/hana/cartesian_product.hpp>
#include <boost/hana/tuple.hpp>
#include <boost/hana/unpack.hpp>

#include <dlock/backend.hpp>
#include <dlock/detail/fixed_string.hpp>
#include <dlock/postgresql/key.hpp>

namespace dlock::postgresql {

enum class scope : std::uint8_t { session, transaction };

namespace sql {

using detail::fixed_string;

/// Where a statement runs: as a transaction of its own (prepared), or inside the caller's (text, between savepoints).
enum class place : std::uint8_t { alone, in_transaction };

template <space Space>
constexpr auto key_arguments() {
    if constexpr (Space == space::bigint) {
        return fixed_string{"($1::pg_catalog.int8)"};
    } else {
        return fixed_string{"(($1::pg_catalog.int8 OPERATOR(pg_catalog.>>) 32)::pg_catalog.int4, "
                            "(($1::pg_catalog.int8 OPERATOR(pg_catalog.<<) 32) OPERATOR(pg_catalog.>>) 32)::pg_catalog.int4)"};
    }
}

template <scope Scope, mode Mode>
constexpr auto lock_suffix() {
    if constexpr (Scope == scope::session) {
        if constexpr (Mode == mode::exclusive) return fixed_string{"advisory_lock"};
        else return fixed_string{"advisory_lock_shared"};
    } else {
        if constexpr (Mode == mode::exclusive) return fixed_string{"advisory_xact_lock"};
        else return fixed_string{"advisory_xact_lock_shared"};
    }
}

/// Whether this server, and this session of it, may be asked for a lock.
template <scope Scope>
constexpr auto served_by_us() {
    if constexpr (Scope == scope::session) return fixed_string{"pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) $3::pg_catalog.int4"};
    else return fixed_string{"NOT pg_catalog.pg_is_in_recovery()"};
}

inline constexpr auto if_served_by_us = fixed_string{"SELECT CASE WHEN "} + served_by_us<scope::session>() + fixed_string{" THEN "};

template <place Place, scope Scope = scope::session, std::size_t N>
constexpr auto guarded(const fixed_string<N>& granted) {
    if constexpr (Place == place::alone) {
        return if_served_by_us + granted + fixed_string{" END"};
    } else {
        return fixed_string{"SELECT CASE WHEN "} + served_by_us<Scope>() +
               fixed_string{" AND pg_catalog.current_setting('transaction_isolation') OPERATOR(pg_catalog.~~) 'read%' THEN "} + granted +
               fixed_string{" END, "} + served_by_us<Scope>() + fixed_string{", pg_catalog.current_setting('transaction_isolation')"};
    }
}

template <scope Scope, place Place, mode Mode, space Space>
constexpr auto try_acquire() {
    return guarded<Place, Scope>(fixed_string{"pg_catalog.pg_try_"} + lock_suffix<Scope, Mode>() + key_arguments<Space>());
}

/// Waits for as long as the session's lock_timeout says, which is for ever where nobody has set it.
template <mode Mode, space Space>
constexpr auto acquire() {
    return guarded<place::alone>(fixed_string{"pg_catalog.pg_"} + lock_suffix<scope::session, Mode>() + key_arguments<Space>() +
                                 fixed_string{" IS NOT NULL"});
}

template <scope Scope, place Place, mode Mode, space Space>
constexpr auto acquire_until() {
    constexpr auto wait = fixed_string{"pg_catalog.pg_"} + lock_suffix<Scope, Mode>() + key_arguments<Space>() + fixed_string{" IS NOT NULL"};
    constexpr auto limited = fixed_string{"WHEN pg_catalog.set_config('lock_timeout', $2, true) IS NOT NULL THEN "};
    if constexpr (Place == place::alone) {  // a free lock, the common case, does not pay for the setting, which ends by itself
        return guarded<Place, Scope>(fixed_string{"CASE WHEN pg_catalog.pg_try_"} + lock_suffix<Scope, Mode>() + key_arguments<Space>() +
                              fixed_string{" THEN true "} + limited + wait + fixed_string{" END"});
    } else if constexpr (Scope == scope::session) {  // the setting ends with the savepoint
        return guarded<Place, Scope>(fixed_string{"CASE "} + limited + wait + fixed_string{" END"});
    } else {  // a transaction-level lock does not survive ROLLBACK TO SAVEPOINT, so the statement puts the setting back
        return guarded<Place, Scope>(fixed_string{"CASE "} + limited + fixed_string{"CASE WHEN "} + wait +
                              fixed_string{" THEN pg_catalog.set_config('lock_timeout', before, true) IS NOT NULL END END"}) +
               fixed_string{" FROM (SELECT pg_catalog.current_setting('lock_timeout') AS before OFFSET 0) AS setting"};
    }
}

/// A number from the sequence, strictly after the grant; 0: not granted, whatever somebody has made of the sequence. The commit
/// that makes the number durable is waited for, whatever the session has set: a crash must not give it out again.
/// https://www.postgresql.org/docs/current/runtime-config-wal.html#GUC-SYNCHRONOUS-COMMIT
///
/// But a sequence writes 32 numbers ahead into the log, and only the transaction of whoever draws the first of them waits for
/// that; the others write nothing. If it is killed, or late, their numbers are in no log on the disk. So, unless all of the log
/// is there, this transaction writes a little into it, and its commit waits for that and all before; always, where standbys are
/// to have it, too: how far they are nobody can ask. An id alone (pg_current_xact_id) does not make it wait.
/// https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-REPLICATION
template <std::size_t N>
constexpr auto fenced(const fixed_string<N>& granted) {
    return guarded<place::alone>(
        fixed_string{"CASE WHEN pg_catalog.set_config('synchronous_commit', "
                     "CASE WHEN pg_catalog.current_setting('synchronous_commit') OPERATOR(pg_catalog.=) 'off' THEN 'on' "
                     "ELSE pg_catalog.current_setting('synchronous_commit') END, true) IS NOT NULL THEN coalesce(CASE WHEN "} +
        granted +
        fixed_string{" THEN CASE WHEN pg_catalog.nextval($4::pg_catalog.regclass) IS NOT NULL THEN CASE WHEN "
                     "CASE WHEN pg_catalog.pg_current_wal_flush_lsn() OPERATOR(pg_catalog.<) pg_catalog.pg_current_wal_insert_lsn() "
                     "OR pg_catalog.current_setting('synchronous_standby_names') OPERATOR(pg_catalog.<>) '' "
                     "THEN pg_catalog.pg_logical_emit_message(true, 'dlock', '') ELSE '0/0' END IS NOT NULL THEN "
                     "greatest(pg_catalog.currval($4::pg_catalog.regclass), 1) END END END, 0) END"});
}

template <mode Mode, space Space>
constexpr auto try_fenced() {
    return fenced(fixed_string{"pg_catalog.pg_try_"} + lock_suffix<scope::session, Mode>() + key_arguments<Space>());
}

template <mode Mode, space Space>
constexpr auto until_fenced() {
    return fenced(fixed_string{"CASE WHEN pg_catalog.set_config('lock_timeout', $2, true) IS NOT NULL THEN pg_catalog.pg_"} + lock_suffix<scope::session, Mode>() +
                  key_arguments<Space>() + fixed_string{" IS NOT NULL END"});
}

template <mode Mode>
constexpr auto unlock_function() {
    if constexpr (Mode == mode::exclusive) return fixed_string{"pg_catalog.pg_advisory_unlock"};
    else return fixed_string{"pg_catalog.pg_advisory_unlock_shared"};
}

template <mode Mode, space Space>
constexpr auto release() {
    return if_served_by_us + unlock_function<Mode>() + key_arguments<Space>() + fixed_string{" END"};
}

template <space Space>
constexpr auto objsubid() {
    if constexpr (Space == space::bigint) return fixed_string{"1"};
    else return fixed_string{"2"};
}

/// Of rows of pg_locks: advisory locks of this session in the mode.
template <mode Mode, space Space>
constexpr auto is_own() {
    constexpr auto name = [] {
        if constexpr (Mode == mode::exclusive) return fixed_string{"ExclusiveLock"};
        else return fixed_string{"ShareLock"};
    }();
    return fixed_string{"locktype OPERATOR(pg_catalog.=) 'advisory' AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND granted "
                        "AND objsubid OPERATOR(pg_catalog.=) "} +
           objsubid<Space>() + fixed_string{" AND mode OPERATOR(pg_catalog.=) '"} + name + fixed_string{"'"};
}

/// The key of a row of pg_locks.
inline constexpr fixed_string locked_key{
    "((classid::pg_catalog.int8 OPERATOR(pg_catalog.<<) 32) OPERATOR(pg_catalog.|) objid::pg_catalog.int8)"};

template <mode Mode, space Space>
constexpr auto held_here() {
    return fixed_string{"(SELECT 1 FROM pg_catalog.pg_locks WHERE "} + is_own<Mode, Space>() + fixed_string{" AND "} + locked_key +
           fixed_string{" OPERATOR(pg_catalog.=) $1::pg_catalog.int8 OFFSET 0) AS ghost"};
}

/// Whether the session holds the lock after all. NULL: another session answers.
template <mode Mode, space Space>
constexpr auto find_ghost() {
    return if_served_by_us + fixed_string{"coalesce((SELECT true FROM "} + held_here<Mode, Space>() + fixed_string{"), false) END"};
}

/// The same, and releases it. It never asks to unlock what is not held: the server would warn in its log.
template <mode Mode, space Space>
constexpr auto release_ghost() {
    return if_served_by_us + fixed_string{"coalesce((SELECT "} + unlock_function<Mode>() + key_arguments<Space>() + fixed_string{" FROM "} +
           held_here<Mode, Space>() + fixed_string{"), false) END"};
}

/// Rows of who holds advisory locks in this database; the keys are still to be chosen. pg_stat_activity hides the host of other
/// users' sessions. A prepared transaction has no session, and its locks have no pid; its lock on its own id leads to it.
/// https://www.postgresql.org/docs/current/view-pg-prepared-xacts.html
template <space Space>
constexpr auto holding() {
    return fixed_string{"coalesce(l.pid::pg_catalog.text, 'prepared'), CASE WHEN l.pid IS NULL "
                        "THEN (SELECT pg_catalog.concat_ws(' ', 'prepared transaction', pg_catalog.quote_literal(p.gid), 'of', p.owner) "
                        "FROM pg_catalog.pg_locks AS t JOIN pg_catalog.pg_prepared_xacts AS p ON p.transaction OPERATOR(pg_catalog.=) t.transactionid "
                        "WHERE t.pid IS NULL AND t.virtualtransaction OPERATOR(pg_catalog.=) l.virtualtransaction LIMIT 1) "
                        "ELSE pg_catalog.concat_ws(' ', CASE WHEN a.application_name OPERATOR(pg_catalog.<>) '' THEN a.application_name END, "
                        "a.usename OPERATOR(pg_catalog.||) '@' OPERATOR(pg_catalog.||) coalesce(pg_catalog.host(a.client_addr), 'local')) END, "
                        "l.pid FROM pg_catalog.pg_locks AS l "
                        "LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid OPERATOR(pg_catalog.=) l.pid "
                        "WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory' AND l.granted AND l.objsubid OPERATOR(pg_catalog.=) "} +
           objsubid<Space>() +
           fixed_string{" AND l.database OPERATOR(pg_catalog.=) (SELECT oid FROM pg_catalog.pg_database "
                        "WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database()) AND "} +
           locked_key;
}

/// Who holds $1.
template <space Space>
constexpr auto holders() {
    return fixed_string{"SELECT "} + holding<Space>() + fixed_string{" OPERATOR(pg_catalog.=) $1::pg_catalog.int8 ORDER BY l.pid"};
}

/// Of the sequence $1, when it is there: whether it is a fence. With a cache each session has numbers of its own in advance, and
/// a later holder may get a smaller one; an unlogged sequence begins anew after a crash.
/// https://www.postgresql.org/docs/current/sql-createsequence.html
inline constexpr const char* is_fence =
    "SELECT seqcache OPERATOR(pg_catalog.=) 1 AND NOT seqcycle AND seqincrement OPERATOR(pg_catalog.>) 0 AND seqmin OPERATOR(pg_catalog.>) 0 "
    "AND relpersistence OPERATOR(pg_catalog.=) 'p' FROM pg_catalog.pg_sequence "
    "JOIN pg_catalog.pg_class ON pg_class.oid OPERATOR(pg_catalog.=) seqrelid "
    "WHERE seqrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass($1)";
/// The last column: whether what was locked could be released. A right can be revoked from everybody.
inline constexpr const char* preflight =
    "SELECT pg_catalog.pg_backend_pid(), pg_catalog.pg_is_in_recovery(), pg_catalog.version(), "
    "pg_catalog.current_setting('yb_enable_advisory_locks', true), "
    "pg_catalog.has_function_privilege('pg_catalog.pg_advisory_unlock(bigint)', 'EXECUTE') "
    "AND pg_catalog.has_function_privilege('pg_catalog.pg_advisory_unlock(integer,integer)', 'EXECUTE') "
    "AND pg_catalog.has_function_privilege('pg_catalog.pg_advisory_unlock_shared(bigint)', 'EXECUTE') "
    "AND pg_catalog.has_function_privilege('pg_catalog.pg_advisory_unlock_shared(integer,integer)', 'EXECUTE')";
/// Puts a mark on the session, unless there is one: answers the one that it has now, and who has answered. A pooler that shares the
/// session brings somebody else's to light. A custom setting, which every role may make, and which DISCARD ALL takes off again.
/// https://www.postgresql.org/docs/current/runtime-config-custom.html
inline constexpr const char* mark =
    "SELECT CASE WHEN coalesce(pg_catalog.current_setting('dlock.mark', true), '') OPERATOR(pg_catalog.=) '' "
    "THEN pg_catalog.set_config('dlock.mark', $1, false) ELSE pg_catalog.current_setting('dlock.mark', true) END, pg_catalog.pg_backend_pid()";
inline constexpr std::string_view if_marked_before = "(CASE WHEN pg_catalog.current_setting('dlock.mark', true) OPERATOR(pg_catalog.=) '";
inline constexpr const char* set_label = "SELECT pg_catalog.set_config('application_name', $1, false)";
/// What the server says about an unlock of what is not held goes to its log alone. Ends with the (sub)transaction.
inline constexpr const char* quietly = "SET LOCAL client_min_messages TO error; ";
inline constexpr const char* savepoint = "SAVEPOINT dlock; ";
/// A session-level lock survives this, a setting does not.
inline constexpr const char* keep_lock_only = "; ROLLBACK TO SAVEPOINT dlock; RELEASE SAVEPOINT dlock";
inline constexpr const char* keep_all = "; RELEASE SAVEPOINT dlock";
inline constexpr const char* recover = "ROLLBACK TO SAVEPOINT dlock; RELEASE SAVEPOINT dlock";

namespace hana = boost::hana;

inline constexpr auto modes = hana::tuple_c<mode, mode::exclusive, mode::shared>;
inline constexpr auto spaces = hana::tuple_c<space, space::bigint, space::pair>;

/// A text with static storage.
template <fixed_string Text>
inline constexpr auto stored = Text;

/// The texts that Make gives for every mode and key space; at(m, s) chooses one at run time.
template <class Make>
class table {
public:
    constexpr explicit table(Make) {}

    [[nodiscard]] static constexpr std::size_t index(mode m, space s) noexcept {
        return static_cast<std::size_t>(m) * 2 + static_cast<std::size_t>(s);
    }
    [[nodiscard]] constexpr const char* at(mode m, space s) const noexcept { return texts_[index(m, s)]; }
    [[nodiscard]] static constexpr std::size_t longest() noexcept {
        std::size_t most = 0;
        for (const std::string_view text : texts_) most = std::max(most, text.size());
        return most;
    }

private:
    static constexpr auto texts_ = hana::unpack(hana::cartesian_product(hana::make_tuple(modes, spaces)), [](auto... variant) {
        return std::array<const char*, sizeof...(variant)>{
            stored<Make{}(hana::at_c<0>(decltype(variant){}), hana::at_c<1>(decltype(variant){}))>.c_str()...};
    });
};

inline constexpr table try_alone{[](auto m, auto s) { return try_acquire<scope::session, place::alone, m.value, s.value>(); }};
inline constexpr table acquire_alone{[](auto m, auto s) { return acquire<m.value, s.value>(); }};
inline constexpr table until_alone{[](auto m, auto s) { return acquire_until<scope::session, place::alone, m.value, s.value>(); }};
inline constexpr table try_fenced_alone{[](auto m, auto s) { return try_fenced<m.value, s.value>(); }};
inline constexpr table until_fenced_alone{[](auto m, auto s) { return until_fenced<m.value, s.value>(); }};
inline constexpr table release_alone{[](auto m, auto s) { return release<m.value, s.value>(); }};
/// On a connection of dlock's own that is direct: nothing can put another backend behind it, and nobody sets limits on it.
inline constexpr table try_direct{[](auto m, auto s) {
    return fixed_string{"SELECT pg_catalog.pg_try_"} + lock_suffix<scope::session, m.value>() + key_arguments<s.value>();
}};
inline constexpr table release_direct{[](auto m, auto s) { return fixed_string{"SELECT "} + unlock_function<m.value>() + key_arguments<s.value>(); }};
inline constexpr table try_in_transaction{
    [](auto m, auto s) { return try_acquire<scope::session, place::in_transaction, m.value, s.value>(); }};
inline constexpr table until_in_transaction{
    [](auto m, auto s) { return acquire_until<scope::session, place::in_transaction, m.value, s.value>(); }};
inline constexpr table try_for_transaction{
    [](auto m, auto s) { return try_acquire<scope::transaction, place::in_transaction, m.value, s.value>(); }};
inline constexpr table until_for_transaction{
    [](auto m, auto s) { return acquire_until<scope::transaction, place::in_transaction, m.value, s.value>(); }};
inline constexpr table ghost_found{[](auto m, auto s) { return find_ghost<m.value, s.value>(); }};
inline constexpr table ghost_released{[](auto m, auto s) { return release_ghost<m.value, s.value>(); }};
inline constexpr table who_holds{[](auto, auto s) { return holders<s.value>(); }};

inline constexpr std::size_t longest =
    std::max({try_in_transaction.longest(), until_in_transaction.longest(), try_for_transaction.longest(),
              until_for_transaction.longest(), until_fenced_alone.longest(), release_alone.longest(), ghost_found.longest(),
              ghost_released.longest()});

}  // namespace sql
}  // namespace dlock::postgresql
