// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Every statement this backend sends, assembled at compile time; tests/postgresql holds them word for word.
//
// Parameters: $1 the key's 64 bits, $2 lock_timeout as text, $3 the backend pid that must serve us (inside a transaction, 0: any).
// An acquiring statement answers in one row: whether the lock was granted (NULL: refused before it was asked for) and,
// inside a transaction, the backend pid and the isolation level, which say why it was refused.
//
//  - The pid is compared before the lock is asked for: behind a pooler that shares sessions nothing gets locked.
//  - CASE is the only form whose order of evaluation is documented; so the limit is set strictly before the lock waits.
//    https://www.postgresql.org/docs/current/sql-expressions.html#SYNTAX-EXPRESS-EVAL
//  - A session's own lock_timeout does not apply: a timed wait overrides it, lock() does once it has struck; '0' is for ever.
//    https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-LOCK-TIMEOUT
//  - Under REPEATABLE READ the waiting statement itself would fix the snapshot before the lock is granted, and its holder
//    would read stale rows: refused. https://www.postgresql.org/docs/current/transaction-iso.html
#pragma once

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
        return fixed_string{"($1::int8)"};
    } else {
        return fixed_string{"(($1::int8 >> 32)::int4, (($1::int8 << 32) >> 32)::int4)"};
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

template <place Place, std::size_t N>
constexpr auto guarded(const fixed_string<N>& granted) {
    if constexpr (Place == place::alone) {
        return fixed_string{"SELECT CASE WHEN pg_backend_pid() = $3::int4 THEN "} + granted + fixed_string{" END"};
    } else {
        return fixed_string{"SELECT CASE WHEN $3::int4 IN (0, pg_backend_pid()) "
                            "AND current_setting('transaction_isolation') LIKE 'read%' THEN "} +
               granted +
               fixed_string{" END, pg_backend_pid(), current_setting('transaction_isolation')"};
    }
}

template <scope Scope, place Place, mode Mode, space Space>
constexpr auto try_acquire() {
    return guarded<Place>(fixed_string{"pg_try_"} + lock_suffix<Scope, Mode>() + key_arguments<Space>());
}

/// Waits for as long as the session's lock_timeout says, which is for ever where nobody has set it.
template <mode Mode, space Space>
constexpr auto acquire() {
    return guarded<place::alone>(fixed_string{"pg_"} + lock_suffix<scope::session, Mode>() + key_arguments<Space>() +
                                 fixed_string{" IS NOT NULL"});
}

template <scope Scope, place Place, mode Mode, space Space>
constexpr auto acquire_until() {
    constexpr auto wait = fixed_string{"pg_"} + lock_suffix<Scope, Mode>() + key_arguments<Space>() + fixed_string{" IS NOT NULL"};
    constexpr auto limited = fixed_string{"WHEN set_config('lock_timeout', $2, true) IS NOT NULL THEN "};
    if constexpr (Place == place::alone) {  // a free lock, the common case, does not pay for the setting, which ends by itself
        return guarded<Place>(fixed_string{"CASE WHEN pg_try_"} + lock_suffix<Scope, Mode>() + key_arguments<Space>() +
                              fixed_string{" THEN true "} + limited + wait + fixed_string{" END"});
    } else if constexpr (Scope == scope::session) {  // the setting ends with the savepoint
        return guarded<Place>(fixed_string{"CASE "} + limited + wait + fixed_string{" END"});
    } else {  // a transaction-level lock does not survive ROLLBACK TO SAVEPOINT, so the statement puts the setting back
        return guarded<Place>(fixed_string{"CASE "} + limited + fixed_string{"CASE WHEN "} + wait +
                              fixed_string{" THEN set_config('lock_timeout', before, true) IS NOT NULL END END"}) +
               fixed_string{" FROM (SELECT current_setting('lock_timeout') AS before OFFSET 0) AS setting"};
    }
}

/// A number from the sequence, strictly after the grant; 0: not granted, whatever somebody has made of the sequence. The commit
/// that makes the number durable is waited for, whatever the session has set: a crash must not give it out again.
/// https://www.postgresql.org/docs/current/runtime-config-wal.html#GUC-SYNCHRONOUS-COMMIT
///
/// But a sequence writes 32 numbers ahead into the log, and only the transaction of whoever draws the first of them waits for
/// that; the others write nothing. If it is killed, or late, their numbers are in no log on the disk. So, unless all of the log
/// is there, this transaction writes a little into it, and its commit waits for that and all before. An id alone
/// (pg_current_xact_id) does not make it wait.
/// https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-REPLICATION
template <std::size_t N>
constexpr auto fenced(const fixed_string<N>& granted) {
    return guarded<place::alone>(
        fixed_string{"CASE WHEN set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' "
                     "ELSE current_setting('synchronous_commit') END, true) IS NOT NULL THEN coalesce(CASE WHEN "} +
        granted +
        fixed_string{" THEN CASE WHEN nextval('public.dlock_fence') IS NOT NULL THEN CASE WHEN CASE WHEN pg_current_wal_flush_lsn() < "
                     "pg_current_wal_insert_lsn() THEN pg_logical_emit_message(true, 'dlock', '') ELSE '0/0' END IS NOT NULL THEN "
                     "greatest(currval('public.dlock_fence'), 1) END END END, 0) END"});
}

template <mode Mode, space Space>
constexpr auto try_fenced() {
    return fenced(fixed_string{"pg_try_"} + lock_suffix<scope::session, Mode>() + key_arguments<Space>());
}

template <mode Mode, space Space>
constexpr auto until_fenced() {
    return fenced(fixed_string{"CASE WHEN set_config('lock_timeout', $2, true) IS NOT NULL THEN pg_"} + lock_suffix<scope::session, Mode>() +
                  key_arguments<Space>() + fixed_string{" IS NOT NULL END"});
}

template <mode Mode>
constexpr auto unlock_function() {
    if constexpr (Mode == mode::exclusive) return fixed_string{"pg_advisory_unlock"};
    else return fixed_string{"pg_advisory_unlock_shared"};
}

template <mode Mode, space Space>
constexpr auto release() {
    return fixed_string{"SELECT CASE WHEN pg_backend_pid() = $3::int4 THEN "} + unlock_function<Mode>() + key_arguments<Space>() +
           fixed_string{" END"};
}

template <mode Mode, space Space>
constexpr auto held_here() {
    constexpr auto objsubid = [] {
        if constexpr (Space == space::bigint) return fixed_string{"1"};
        else return fixed_string{"2"};
    }();
    constexpr auto name = [] {
        if constexpr (Mode == mode::exclusive) return fixed_string{"ExclusiveLock"};
        else return fixed_string{"ShareLock"};
    }();
    return fixed_string{"(SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted AND objsubid = "} +
           objsubid + fixed_string{" AND mode = '"} + name +
           fixed_string{"' AND ((classid::int8 << 32) | objid::int8) = $1::int8 OFFSET 0) AS ghost"};
}

/// One row when the session holds the lock after all, none when it does not.
template <mode Mode, space Space>
constexpr auto find_ghost() {
    return fixed_string{"SELECT true FROM "} + held_here<Mode, Space>();
}

/// The same, and releases it. It never asks to unlock what is not held: the server would warn in its log.
template <mode Mode, space Space>
constexpr auto release_ghost() {
    return fixed_string{"SELECT "} + unlock_function<Mode>() + key_arguments<Space>() + fixed_string{" FROM "} + held_here<Mode, Space>();
}

/// Who holds $1 in this database. pg_stat_activity hides the host of other users' sessions.
template <space Space>
constexpr auto holders() {
    constexpr auto objsubid = [] {
        if constexpr (Space == space::bigint) return fixed_string{"1"};
        else return fixed_string{"2"};
    }();
    return fixed_string{"SELECT l.pid, concat_ws(' ', nullif(a.application_name, ''), a.usename || '@' || coalesce(host(a.client_addr), 'local')) "
                        "FROM pg_locks AS l LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid "
                        "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = "} +
           objsubid +
           fixed_string{" AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
                        "AND ((l.classid::int8 << 32) | l.objid::int8) = $1::int8 ORDER BY l.pid"};
}

/// What create_fence() executes, and what an administrator may execute instead. Users of fenced locks need USAGE on it.
inline constexpr const char* create_fence = "CREATE SEQUENCE IF NOT EXISTS public.dlock_fence";
/// With a cache each session has numbers of its own in advance, and a later holder may get a smaller one; an unlogged sequence
/// begins anew after a crash.
/// https://www.postgresql.org/docs/current/sql-createsequence.html
inline constexpr const char* is_fence =
    "SELECT seqcache = 1 AND NOT seqcycle AND seqincrement > 0 AND seqmin > 0 AND relpersistence = 'p' FROM pg_sequence "
    "JOIN pg_class ON pg_class.oid = seqrelid WHERE seqrelid = 'public.dlock_fence'::regclass";
/// The last column: whether what was locked could be released. A right can be revoked from everybody.
inline constexpr const char* preflight =
    "SELECT pg_backend_pid(), pg_is_in_recovery(), version() LIKE '%CockroachDB%', "
    "pg_catalog.has_function_privilege('pg_catalog.pg_advisory_unlock(bigint)', 'EXECUTE') "
    "AND pg_catalog.has_function_privilege('pg_catalog.pg_advisory_unlock(integer,integer)', 'EXECUTE') "
    "AND pg_catalog.has_function_privilege('pg_catalog.pg_advisory_unlock_shared(bigint)', 'EXECUTE') "
    "AND pg_catalog.has_function_privilege('pg_catalog.pg_advisory_unlock_shared(integer,integer)', 'EXECUTE')";
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
    return fixed_string{"SELECT pg_try_"} + lock_suffix<scope::session, m.value>() + key_arguments<s.value>();
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
