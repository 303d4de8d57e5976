# SPDX-FileCopyrightText: the dlock authors
# SPDX-License-Identifier: BSL-1.0
"""What mutants.py breaks, and the smallest test that must notice. tests/mutants holds that each text is still there.

Neighbours in the list share files and tests, so that little is built again between them. A text should be as short as it
can be and still occur once: the more it says, the sooner it is stale.
"""

import typing


class Mutant(typing.NamedTuple):
    name: str
    tests: str  # labels, with spaces between them
    filter: str  # of GoogleTest
    edits: typing.List[typing.Tuple[str, str, str]]  # file, what stands there, what shall stand there


LOCK = "dlock/lock.hpp"
ACQUIRER = "dlock/detail/acquirer.hpp"
LEASED = "dlock/detail/leased_lock_state.hpp"
MANAGER = "dlock/detail/lock_manager_state.hpp"
WATCH = "backends/soci/end_watch.cpp"
POSTGRESQL = "backends/postgresql/backend.cpp"
POSTGRESQL_CONNECTION = "backends/postgresql/connection.cpp"
POSTGRESQL_SQL = "backends/postgresql/sql.hpp"
MYSQL = "backends/mysql/backend.cpp"
MYSQL_CONNECTION = "backends/mysql/connection.cpp"
MYSQL_CONNECTION_HPP = "backends/mysql/connection.hpp"
MYSQL_SQL = "backends/mysql/sql.hpp"
POSTGRESQL_SET = "backends/postgresql/advisory_set.cpp"
POSTGRESQL_SET_SQL = "backends/postgresql/set_sql.hpp"
MYSQL_SET_SQL = "backends/mysql/set_sql.hpp"
SQLITE = "backends/sqlite/backend.cpp"
SQLITE_FILE = "backends/sqlite/lock_file.cpp"
SQLITE_FILES = "backends/sqlite/lock_files.cpp"
SQLITE_HOME = "backends/sqlite/home.cpp"
SQLITE_QUEUE = "backends/sqlite/queue.cpp"
SQLITE_SQL = "backends/sqlite/sql.hpp"
MEMORY = "backends/memory/server.cpp"
OWN_SOCKET = "backends/soci/own_socket.cpp"
PROCESS = "dlock/detail/process.cpp"
THREAD = "dlock/detail/background_thread.cpp"

SILENCE_TEST = "//tests/faults:silence_test"
RIGHTS_TEST = "//tests/postgresql:rights_test"
CORE_TEST = "//tests/core:core_test"
POSTGRESQL_CONFORMANCE = "//tests/conformance:postgresql_conformance_test"
POSTGRESQL_TEST = "//tests/postgresql:postgresql_test"
POSTGRESQL_GHOSTS = "//tests/postgresql:ghost_lock_test"
POSTGRESQL_FENCE = "//tests/postgresql:fencing_test"
MYSQL_CONFORMANCE = "//tests/conformance:mysql_conformance_test"
MYSQL_TEST = "//tests/mysql:mysql_test"
POSTGRESQL_MULTI = "//tests/postgresql:multi_lock_test"
MYSQL_MULTI = "//tests/mysql:multi_lock_test"
SQLITE_CONFORMANCE = "//tests/conformance:sqlite_conformance_test"
SQLITE_LOSS = "//tests/sqlite:loss_test"
SQLITE_LINE = "//tests/sqlite:queue_test"
SQLITE_PROCESS = "//tests/sqlite:process_test"
SQLITE_FENCE = "//tests/sqlite:fencing_test"
SQLITE_IDENTITY = "//tests/sqlite:identity_test"
SQLITE_SURROUNDINGS = "//tests/sqlite:surroundings_test"
MEMORY_TEST = "//tests/memory:memory_test"
LEASE_TEST = "//tests/faults:lease_test"
HISTORIES = "//tests/faults:history_fault_test"
LOSS_TEST = "//tests/faults:loss_test"
FORK_TEST = "//tests/process:fork_test"
PROGRAM_TEST = "//tests/process:program_test"
SERVER_FAULT = "//tests/faults:server_fault_test"
MANAGER_TEST = "//tests/lock_manager:lock_manager_test"
PREFLIGHT_TEST = "//tests/faults:preflight_test"

MUTANTS = [
    # --- the core: what every backend has in common
    Mutant("unlock does nothing", CORE_TEST, "Unlock.*",
           [(LOCK, "        const auto outcome = release();\n", "        const auto outcome = released::yes;\n")]),
    Mutant("the destructor forgets", CORE_TEST, "Destructor.*",
           [(LOCK, "if (this->grant_ && release() == released::pending)", "if (false)")]),
    Mutant("try_lock always true", CORE_TEST, "LockTable.*",
           [(ACQUIRER, "return granted(m, Backend::try_acquire(session_, key_, m));",
             "(void)granted(m, Backend::try_acquire(session_, key_, m));\n        return true;")]),
    Mutant("timed wait always true", CORE_TEST, "LockTable.*",
           [(ACQUIRER, "return granted(m, wait_.template acquire_until<Backend>(session_, key_, m, until, stop));",
             "(void)granted(m, wait_.template acquire_until<Backend>(session_, key_, m, until, stop));\n        return true;")]),
    Mutant("zero waits for ever", CORE_TEST, "AtMost*OfNothing*",
           [(ACQUIRER, "if (until.expired() && !stop.stop_requested()) return try_lock(m);",
             "if (until.expired() && !stop.stop_requested()) until = deadline::never();")]),
    Mutant("milliseconds for seconds, every deadline", CORE_TEST, "Deadline.*",
           [("dlock/deadline.hpp", "std::chrono::ceil<clock::duration>(wait)}", "std::chrono::ceil<clock::duration>(wait) * 1000}")]),
    Mutant("hash bytes reversed", "//tests/keys:keys_test", "*",
           [("dlock/detail/blake2b.hpp", "digest[i] = state[i];", "digest[DigestSize - 1 - i] = state[i];")]),

    Mutant("a removed lock leaves a hole", CORE_TEST, "HeldLocks*",
           [("dlock/detail/held_locks.hpp", "if (distance(home(slots_[i].key), i) < distance(hole, i)) continue;", "break;")]),

    # --- several keys at once
    Mutant("keys in the order of their names", POSTGRESQL_MULTI, "MultiLock.KeysAreLockedInTheirOrder*",
           [("dlock/key_set.hpp", "        std::sort(keys_.begin(), keys_.end());\n", "")]),
    Mutant("half a set is kept, one by one", CORE_TEST, "OneByOne.*",
           [("dlock/one_by_one.hpp", "                    give_back(session, keys, m, taken);\n", "")]),
    Mutant("half a set is kept after an error, one by one", CORE_TEST, "OneByOne.*",
           [("dlock/one_by_one.hpp", "        } catch (...) {\n            give_back(session, keys, m, taken);\n", "        } catch (...) {\n")]),
    Mutant("half a set is kept by a try, postgresql", POSTGRESQL_MULTI, "MultiLock.ATryThatMeetsABusyName*",
           [(POSTGRESQL_SET_SQL, "ELSE (busy OPERATOR(pg_catalog.-) 1) OPERATOR(pg_catalog.-) (SELECT pg_catalog.count(*) FILTER (WHERE ", "ELSE 0 * (SELECT count(*) FILTER (WHERE busy > 100000 AND ")]),
    Mutant("half a set is kept, postgresql", POSTGRESQL_MULTI, "MultiLock.AWaitThatTimesOut*",
           [(POSTGRESQL_SET, "    constexpr int attempts = 10;", "    if (what.limit) return;\n    constexpr int attempts = 10;")]),
    Mutant("the limit is of each wait, postgresql", POSTGRESQL_MULTI, "MultiLock.TheLimitIsForAll*",
           [(POSTGRESQL_SET_SQL, "(extract(epoch FROM pg_catalog.clock_timestamp() ", "(extract(epoch FROM pg_catalog.statement_timestamp() ")]),
    Mutant("a key that another object holds is not refused, postgresql", POSTGRESQL_MULTI, "MultiLock.AKeyThatTheSessionHolds*",
           [(POSTGRESQL_SET, "if (std::any_of(keys.begin(), keys.end(), [&](const key& k) { return on->find(k) != nullptr; })) {", "if (false) {")]),
    Mutant("cancel that comes too late keeps the set, postgresql", POSTGRESQL_GHOSTS, "GhostLock.Cancel",
           [(POSTGRESQL_SET, "        prove_none_held(*on, what);  // it came", "        // it came")]),
    Mutant("half a set is kept, mysql", MYSQL_MULTI, "*WhatMeetsABusyName*",
           [("backends/mysql/set_statement.cpp", "    constexpr int attempts = 3;", "    if (id != 0) return true;\n    constexpr int attempts = 3;")]),
    Mutant("the limit is of each wait, mysql", MYSQL_MULTI, "*TheLimitIsForAll*",
           [(MYSQL_SET_SQL, "NOW(6),SYSDATE(6))", "NOW(6),NOW(6))")]),
    Mutant("names behind one that was killed are asked for, mysql", MYSQL_MULTI, "*KillQueryAndMaxStatementTime*:*AStopRequest*",
           [(MYSQL_SET_SQL, "IS NOT TRUE THEN 0", "IS FALSE THEN 0")]),
    Mutant("a long statement cannot be cancelled, mysql", MYSQL_MULTI, "*AThousandNames*",
           [("backends/mysql/killer.cpp", "(shown.size() > shown_whole && statement.starts_with(shown))", "false")]),

    # --- a lock_manager
    Mutant("a stranger's socket is shut down, postgresql", MANAGER_TEST, "*LeavesWhoHasTheNumber*",
           [("backends/postgresql/pipeline.cpp", "speaker{*on, watch.socket()}", "speaker{*on, PQsocket(on->handle())}")]),
    Mutant("a stranger's socket is shut down, mysql", MANAGER_TEST, "*LeavesWhoHasTheNumber*",
           [("backends/mysql/pipeline.cpp", "speaker{*on, watch.socket()}", "speaker{*on, mysql_get_socket(on->handle())}")]),
    Mutant("all connections wait", "//tests/lock_manager:in_memory_test", "*OneConnectionIsLeft*",
           [("dlock/detail/roster.hpp", "(has_free ? 0 : 1)", "(has_free ? 0 : 0)")]),

    # --- the same, by random histories
    Mutant("a lock is handed over to two threads", HISTORIES, "*NoTwoHold*/PostgreSqlManaged",
           [(MANAGER, "if (hands_over) admit(e, woken);", "while (hands_over && !e.queue.empty()) admit(e, woken);")]),
    Mutant("a reader's lock is handed over to a writer", HISTORIES, "*NoTwoHold*/PostgreSqlManaged",
           [(MANAGER, " && e.queue.front().wanted == e.held_in && ", " && ")]),
    Mutant("who has lost a lock gives back that of the next thread", CORE_TEST, "ManagedKeys.*",
           [("dlock/detail/managed_keys.hpp", "e->epoch == epoch", "e->epoch >= epoch")]),

    # --- leases and losses
    Mutant("heartbeat stopped", LEASE_TEST, "Lease/*.IsKeptAlive*",
           [(LEASED, "if (broken_) continue;", "if (broken_ || lease_.count() != 0) continue;")]),
    Mutant("heartbeat that nobody answers, postgresql", LEASE_TEST, "LeaseOnPostgreSQL.ASilentServer*",
           [("backends/postgresql/liveness.cpp", "    on->sever(\"the server did not answer a heartbeat: the session was ended, and with it the lock on it\");\n    return false;",
             "    return true;")]),
    Mutant("a lease that is over is believed", LEASE_TEST, "Lease/*.AStoppedHolder*",
           [(LEASED, "if (ended_ || now >= until) return lock_state::lost;",
             "if (ended_ && now >= until) return lock_state::lost;")]),
    Mutant("a call that the lease does not outlast goes on", LEASE_TEST, "LeaseOn*.TheOwnersCalls*",
           [(LEASED, "        break_();\n        lose();\n", "        lose();\n")]),
    Mutant("a leased session that is replaced unseen, mysql", LEASE_TEST, "LeaseOnMariaDB.TheDriver*",
           [("backends/mysql/liveness.cpp", "    mysql_optionsv(handle, MYSQL_OPT_RECONNECT, &never);\n", "    (void)never;\n")]),
    Mutant("a signal is taken for silence", LEASE_TEST, "Silence.*",
           [("backends/soci/stop_event.cpp", "ready >= 0 || errno != EINTR", "ready >= -1")]),
    Mutant("loss never signalled, leases", LEASE_TEST, "Lease/*.AnEndedSession*",
           [(LEASED, "        ended_ = true;\n        losses_.raise();\n", "        ended_ = true;\n")]),
    Mutant("loss never signalled, by the thread that watches", LOSS_TEST, "Loss.TheEndOfTheBackend*",
           [(WATCH, "signal->raise_for_good();", "(void)signal;")]),
    Mutant("loss never signalled, by the thread that watches, mysql", LOSS_TEST, "Loss.OnMariaDB*",
           [(WATCH, "signal->raise_for_good();", "(void)signal;")]),
    Mutant("loss never signalled, by who notices first, postgresql", LOSS_TEST, "Loss.Reconnects*",
           [(POSTGRESQL_CONNECTION, "if (losses_) losses_->raise();", "")]),
    Mutant("loss never signalled, by who notices first, mysql", MYSQL_TEST, "*APooledSessionGoesBack*",
           [(MYSQL_CONNECTION, "if (losses_) losses_->raise();", "")]),
    Mutant("an aborted transaction's lock is believed", POSTGRESQL_TEST, "Transaction.AnErrorReleases*",
           [(POSTGRESQL_CONNECTION, "if (status == PQTRANS_INERROR) return certainty::unknown;", "")]),
    Mutant("a session that the driver has left stays, postgresql", SERVER_FAULT, "*HangsUp*PostgreSql",
           [(POSTGRESQL_CONNECTION, "if (PQstatus(handle_) == CONNECTION_BAD) return sever();", "")]),
    Mutant("a session that the driver has left stays, mysql, asked", SERVER_FAULT, "*HangsUp*AlsoWhileItIsWatched*MariaDb",
           [(MYSQL_CONNECTION, "ours ? sever() : lose_all();", "")]),
    Mutant("a session that the driver has left stays, mysql, closed", SERVER_FAULT, "*HangsUp*AlsoWhenItIsClosed*MariaDb",
           [(MYSQL_CONNECTION, "    watch_.reset();", "")]),
    Mutant("a session that the driver has left stays, mysql, watched before", SERVER_FAULT, "*HangsUp*AlsoWhenItWasWatched*MariaDb",
           [(MYSQL_CONNECTION, "if (held_.empty()) watch_.reset();", "")]),
    Mutant("a session that the driver has left stays, mysql, pooled", SERVER_FAULT, "*HangsUp*ToItsPool*MariaDb",
           [(MYSQL, "            on->sever();  // a watch keeps", "            // a watch keeps")]),
    Mutant("a session that the driver has left stays, mysql, reconnect=1", SERVER_FAULT, "MariaDBFault.*",
           [("backends/mysql/answer.cpp", "if (on.was_replaced()) on.lose_all();", "(void)on;")]),

    # --- postgresql
    Mutant("a session that cannot be asked is ended silently, postgresql", RIGHTS_TEST, "Rights.AFailedWait*",
           [(POSTGRESQL, "if (ghost.sqlstate() != sqlstate::insufficient_privilege) continue;", "continue;")]),
    Mutant("nobody gives up a silent server", SILENCE_TEST, "Silence/PostgreSql.EndsATry:Silence/MariaDb.EndsATry",
           [("backends/soci/patience.cpp", "if (now >= *over_) return verdict::over;", "")]),
    Mutant("a grace of no end for a release", SILENCE_TEST, "*.EndsAReleaseAndADestructor",
           [("backends/soci/patience.cpp", "if (!interrupts_) return verdict::over;", "if (!interrupts_) continue;")]),
    Mutant("a cancel request all the time", SILENCE_TEST, "*.AStopRequestThatIsTurnedAway*",
           [("backends/soci/patience.cpp", "if (interrupts_ && now >= next_) return interrupt(now);", "if (interrupts_) return interrupt(now);")]),
    Mutant("a manager waits for a silent server", SILENCE_TEST, "*.EndsATryOfAManager",
           [("backends/soci/conversation.hpp", "if (is_silent) {", "if (false) {")]),
    Mutant("preflight always fine, postgresql, standby", POSTGRESQL_TEST, "PostgreSQL.AStandby*",
           [(POSTGRESQL_CONNECTION, "in_recovery_ = answer.is_true(1);", "in_recovery_ = false;")]),
    Mutant("preflight always fine, postgresql, CockroachDB", PREFLIGHT_TEST, "Preflight.CockroachDB*",
           [(POSTGRESQL_CONNECTION, "if (locks_nothing_ != nullptr) throw", "if (false) throw")]),
    Mutant("preflight always fine, postgresql, pooler", POSTGRESQL_TEST, "PostgreSQL.APooler*",
           [(POSTGRESQL_CONNECTION, "    } else if (!is_direct()) {", "    } else if (false) {")]),
    Mutant("a standby grants what a transaction asks for", "//tests/proxies:role_change_test", "PostgreSQLRoleChange.ATransactionsLock*",
           [(POSTGRESQL_SQL, 'return fixed_string{"NOT pg_catalog.pg_is_in_recovery()"}', 'return fixed_string{"true"}')]),
    Mutant("a promise is believed", "//tests/proxies:promise_test", "Promise.ThatWasNeverTrue*:Promise.IsNotTrue*",
           [(POSTGRESQL_CONNECTION, "return answer.text(0, 0) == mark_ && answer", "return answer")]),
    Mutant("a mark is not looked at again", "//tests/proxies:promise_test", "Promise.OfASessionThatIsPromisedTwice*",
           [(POSTGRESQL_CONNECTION, "if (session_pooling_) served_by_ = std::string", "if (false) served_by_ = std::string")]),
    Mutant("who shares a session shares its prepared statements", "//tests/proxies:promise_test", "Promise.OfASessionThatIsPromisedTwice*",
           [("backends/postgresql/statement.cpp", "return on.mark().empty() ? name : space", "return on.mark().size() < 1000 ? name : space")]),
    Mutant("another session's word is proof", "//tests/proxies:promise_test", "Promise.ThatStopsBeingTrueMakes*",
           [(POSTGRESQL, "if (ghost.ok() && !ghost.is_null(0)) return", "if (ghost.ok()) return")]),
    Mutant("a mark that is gone is a loss", "//tests/proxies:promise_test", "Promise.OfASessionThatLosesItsMark*",
           [(POSTGRESQL_CONNECTION, "    if (!session_pooling_) return false;\n    try {", "    return false;\n    try {")]),
    Mutant("locks are believed that went with the mark", "//tests/proxies:promise_test", "Promise.OfASessionThatIsDiscarded*",
           [(POSTGRESQL_CONNECTION, "return statement::holds(*this, lock.key, lock.mode) == true;", "return lock.serial != 0;")]),
    Mutant("last words are not heard", POSTGRESQL_TEST, "PostgreSQL.TheServersLastWords*",
           [(POSTGRESQL_CONNECTION, "return size > 0 && has_last_words(", "return size > 1'000'000 && has_last_words(")]),
    Mutant("any error is the last word", POSTGRESQL_TEST, "LastWords.AreNoOtherError",
           [("backends/postgresql/last_words.cpp", "return value == \"FATAL\" || value == \"PANIC\";", "return value != \"NOTICE\";")]),
    Mutant("a lost lock is believed, postgresql", POSTGRESQL_TEST, "PostgreSQL.TheEndOfTheBackend*",
           [(POSTGRESQL_CONNECTION, "if (!has_ended(handle_)) return true;", "if (!has_ended(handle_) || handle_ != nullptr) return true;")]),
    Mutant("lock does nothing, postgresql", POSTGRESQL_CONFORMANCE, "*AWriterKeepsEveryoneOut*",
           [(POSTGRESQL_SQL, '"($1::pg_catalog.int8)"', '"($1::int8 # pg_backend_pid())"')]),
    Mutant("a name that the search_path decides, postgresql", "//tests/postgresql:hostile_path_test", "HostilePath.*",
           [(POSTGRESQL_SQL, 'return fixed_string{"pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) ',
             'return fixed_string{"pg_catalog.pg_backend_pid() = ')]),
    Mutant("unlock does nothing, postgresql", POSTGRESQL_CONFORMANCE, "*UnlockLetsAnotherSessionIn*",
           [(POSTGRESQL_SQL, 'return if_served_by_us + unlock', 'return if_served_by_us + fixed_string{"true OR "} + unlock')]),
    Mutant("token minted before the grant, postgresql", POSTGRESQL_FENCE, "*ATokenIsMintedAfterTheWait",
           [(POSTGRESQL_SQL, "        granted +\n        fixed_string{\" THEN CASE WHEN pg_catalog.nextval($4::pg_catalog.regclass) IS",
             "        fixed_string{\"nextval($4::regclass) > 0 AND \"} + granted +\n        fixed_string{\" THEN CASE WHEN 1 IS")]),
    Mutant("a token that is in nobody's log, postgresql", POSTGRESQL_FENCE, "PostgreSQLFenceCrash.ATokenThatSomebodyElse*",
           [(POSTGRESQL_SQL, "THEN pg_catalog.pg_logical_emit_message(true, 'dlock', '') ELSE", "THEN pg_current_wal_lsn() ELSE")]),
    Mutant("a token of a commit that nobody waits for, postgresql", POSTGRESQL_FENCE, "PostgreSQLFenceCrash.*",
           [(POSTGRESQL_SQL, "'off' THEN 'on' ", "'off' THEN 'off' ")]),
    Mutant("try_lock always true, postgresql", POSTGRESQL_CONFORMANCE, "*UnlockLetsAnotherSessionIn*",
           [(POSTGRESQL, "if (fenced ? token.value == 0 : said != 't') return", "if (fenced && token.value == 0) return")]),
    Mutant("milliseconds for seconds, postgresql", POSTGRESQL_CONFORMANCE, "*ATimedWaitFailsAfterItsTimeout*",
           [(POSTGRESQL, "until->remaining<milliseconds>();", "until->remaining<milliseconds>() * 1000;")]),
    Mutant("an idle session's end is read, not seen", POSTGRESQL_TEST, "PostgreSQL.NothingIsPrinted*",
           [("backends/postgresql/connection.cpp", "    if ((socket.revents & ~POLLIN) != 0) return true;",
             "    if ((socket.revents & ~POLLIN) != 0) return PQconsumeInput(handle) == 0;")]),
    Mutant("a second object not refused, postgresql", POSTGRESQL_CONFORMANCE, "*ASecondObject*",
           [(POSTGRESQL, "if (on->find(key) != nullptr) {", "if (false) {")]),
    Mutant("the transaction not recovered, postgresql", POSTGRESQL_TEST, "Transaction.AWaitThatTimesOut*",
           [(POSTGRESQL, "PQtransactionStatus(on.handle()) == PQTRANS_INERROR && !statement::recover_transaction(on).ok()", "false")]),
    Mutant("the guard removed, postgresql", POSTGRESQL_GHOSTS, "GhostLock.LockTimeout",
           [(POSTGRESQL, "    constexpr int attempts = 10;",
             "    if (PQtransactionStatus(on.handle()) == PQTRANS_IDLE) return false;\n    constexpr int attempts = 10;")]),
    Mutant("cancel forgets to look whether it was granted, postgresql", POSTGRESQL_GHOSTS, "GhostLock.Cancel",
           [(POSTGRESQL, "if (prove(*on, what,", "if (!(stop.stop_requested() && PQtransactionStatus(on->handle()) == PQTRANS_IDLE) && prove(*on, what,")]),
    Mutant("cancel that comes too late keeps the grant, postgresql", POSTGRESQL_GHOSTS, "GhostLock.Cancel",
           [(POSTGRESQL, "not the caller\n            if (advisory::release(session, what.key, what.mode, taken) == released::lost) throw on->end();", "\n            (void)session;")]),

    Mutant("a loss behind a stop request is called a cancel, postgresql", SERVER_FAULT, "*CannotBeGivenBack*PostgreSql",
           [(POSTGRESQL, "not the caller\n            if (advisory::release(session, what.key, what.mode, taken) == released::lost) throw on->end();", "\n            (void)advisory::release(session, what.key, what.mode, taken);")]),
    Mutant("a cancelled unlock is called a loss, postgresql", POSTGRESQL_TEST, "PostgreSQL.AnUnlockThatIsCancelled*",
           [("backends/postgresql/statement.cpp", "(said != '\\0' && again)", "(said == 't' && again)")]),

    # --- mysql
    Mutant("a reconnect before the lock goes unseen, mysql", MYSQL_TEST, "*Loss.AReconnectBehindADeclaredPooler*",
           [(MYSQL, "    if (on->was_replaced()) refuse(*on);\n    return on;", "    return on;"), (MYSQL, "if (answer.id != on->id() || on->was_replaced()) {", "if (answer.id != on->id()) {")]),
    Mutant("preflight always fine, mysql", PREFLIGHT_TEST, "Preflight.AGalera*:Preflight.AReadOnly*",
           [("backends/mysql/preflight.cpp", "if (on.is_checked()) return;", "on.set_checked();\n    if (on.is_checked()) return;")]),
    Mutant("preflight always fine, mysql, one lock per session", MYSQL_TEST, "MySQL56*OneLockPerSession*",
           [(MYSQL, "if (!on->accepts_one_lock()) {", "if (false) {")]),
    Mutant("preflight always fine, mysql, pooler", MYSQL_TEST, "*Loss.BehindAPoolerNothing*",
           [(MYSQL, "if (answer.id != on->id() || on->was_replaced()) {", "if (false) {")]),
    Mutant("an open snapshot goes unnoticed, mysql", MYSQL_TEST, "*MySQLTransaction*",
           [(MYSQL_CONNECTION_HPP, "(handle_->server_status & SERVER_STATUS_IN_TRANS) != 0 && !open_snapshot_", "false")]),
    Mutant("the connection's character set decides, mysql", "//tests/mysql:settings_test", "*MariaDB",
           [(MYSQL_SQL, "(n.national ? \"N'\" : \"_utf8mb4'\")", "\"'\"")]),
    Mutant("a fencing token in the connection's character set, mysql", "//tests/mysql:settings_test", "*MariaDB",
           [(MYSQL_SQL, 'to << ",0,CAST(UUID_SHORT() AS BINARY)";', 'to << ",0,UUID_SHORT()";')]),
    Mutant("who may not read labels reads no holders, mysql", MYSQL_TEST, "Label.IsNotShown*:LabelThatNobodyKeeps.IsNoError/MySQL56",
           [("backends/mysql/answer.cpp", "    if (said.reason() == errc::lost) throw", "    throw")]),
    Mutant("a label for whoever answers, mysql", MYSQL_TEST, "LabelThatNobodyKeeps.IsNotGiven*",
           [(MYSQL_SQL, '"SET @dlock_label=IF(CONNECTION_ID()=" << connection << ","', '"SET @dlock_label=IF(0<" << connection << ","')]),
    Mutant("a server that has become read-only grants, mysql", "//tests/proxies:role_change_test", "ReadOnly/MariaDB.AnOpenSession*",
           [(MYSQL_SQL, 'to << "IF(" << read_only << ",3,";\n    }', 'to << "IF(0,3,";\n    }'),
            (MYSQL_SQL, "SELECT IF(@@read_only,3,GET_LOCK(?,0)) a", "SELECT IF(0,3,GET_LOCK(?,0)) a")]),
    Mutant("a server that becomes read-only grants what was waited for, mysql", "//tests/proxies:role_change_test", "ReadOnly/MariaDB.AWaiter*",
           [(MYSQL_SQL, 'to << "+3*" << read_only;', 'to << "+0*" << read_only;')]),
    Mutant("a grant by a read-only server is kept, mysql", "//tests/proxies:role_change_test", "ReadOnly/MariaDB.AWaiter*",
           [(MYSQL, "    if (said == sql::said::read_only) refuse_read_only(*on);", "    if (said == sql::said::read_only || said == sql::said::granted_read_only) refuse_read_only(*on);")]),
    Mutant("a mark is not looked at, mysql", MYSQL_TEST, "*Loss.ASessionWithSomebodyElsesMark*",
           [(MYSQL_SQL, "return who.mark == 0 ? to : to", "return who.mark < 18'446'744'073'709'551'615U ? to : to")]),
    Mutant("a promise is believed, mysql", MYSQL_TEST, "*Loss.ASessionWithSomebodyElsesMark*",
           [("backends/mysql/preflight.cpp", "if (answer.id != mark || id == 0) {", "if (id == 0) {")]),
    Mutant("a lost release leaves the session alone, mysql", MYSQL_TEST, "*Loss.AReleaseThatSomebodyElses*",
           [("backends/mysql/preflight.cpp", "    if (on.is_severed() || on.was_replaced()) return;\n    const auto answer", "    return;\n    const auto answer")]),
    Mutant("every lost release ends the session, mysql", MYSQL_TEST, "*MariaDBLoss.AReleaseOfWhatTheCaller*",
           [("backends/mysql/preflight.cpp", "(mark == 0 || answer.id == mark)) return;", "mark != 0) return;")]),
    Mutant("a broken promise is told by the watch alone", "//tests/lock_manager:lock_manager_test", "LockManagerBehindPgBouncer.ABrokenPromise*",
           [("backends/postgresql/pipeline.cpp", "p.losses->raise_for_good();", "")]),
    Mutant("a prepared statement is missed, mysql", MYSQL_TEST, "*APreparedStatement*",
           [(MYSQL, "    if (!said.failed || mysql_errno(on.handle()) != ER_UNKNOWN_STMT_HANDLER) return false;", "    if (said.id <= 18'446'744'073'709'551'615U) return false;")]),
    Mutant("a name of a prepared statement in the connection's character set, mysql", "//tests/mysql:settings_test", "*MariaDB",
           [(MYSQL_SQL, 'return to << "EXECUTE dlock_3_try_" << connection << " USING " << hex{key};', 'return to << "EXECUTE dlock_3_try_" << connection << " USING N\'" << key << "\'";')]),
    Mutant("a lost lock is believed, mysql", MYSQL_TEST, "*Loss.OfAnIdleSession*",
           [(MYSQL, "on.still_serves(session);", "on.serves(session);")]),
    Mutant("unlock does nothing, mysql", MYSQL_CONFORMANCE, "*UnlockLetsAnotherSessionIn*",
           [(MYSQL, "    if (executes && was_forgotten(on, answer)) answer = ask(on, sql::release",
             "    return released::yes;\n    if (executes && was_forgotten(on, answer)) answer = ask(on, sql::release"),
            (MYSQL, "    auto answer = ask(on, (executes ? sql::execute_release(on.id(), key)", "    auto answer = ask(on, (name.plain() ? sql::acquire({}, name, milliseconds::zero()) : executes ? sql::execute_release(on.id(), key)")]),
    Mutant("lock does nothing, mysql", MYSQL_CONFORMANCE, "*AWriterKeepsEveryoneOut*",
           [(MYSQL_SQL, "(n.national ? \"N'\" : \"_utf8mb4'\") << n.value << \"'\";", "\"CONCAT(CONNECTION_ID(),'\" << n.value << \"')\";")]),
    Mutant("try_lock always true, mysql", MYSQL_CONFORMANCE, "*UnlockLetsAnotherSessionIn*",
           [(MYSQL, "if (said == sql::said::busy) return std::nullopt;", "if (said == sql::said::busy) return grant{on, on->remember(), {}};")]),
    Mutant("milliseconds for seconds, mysql", MYSQL_CONFORMANCE, "*ATimedWaitFailsAfterItsTimeout*",
           [("backends/mysql/pauses.hpp", "std::chrono::floor<std::chrono::seconds>(left) : left;",
             "std::chrono::floor<std::chrono::seconds>(left) : left * 1000;")]),
    Mutant("the guard removed, mysql", MYSQL_TEST, "*Cancel.ByAnAdministrator*:*Cancel.AGrantThatWasOnItsWay*:*Loss.AnInterruptedProof*",
           [(MYSQL, "    // NULL, as MariaDB answers KILL QUERY; or granted, too late to stop the server\n    if (!prove_not_held(*on, key, on->who())) throw on->error(errc::lost);\n",
             "")]),
    Mutant("cancel forgets to look whether it was granted, mysql", MYSQL_TEST, "*Loss.AGrantThatIsReportedAsAFailure*",
           [(MYSQL, "if (!prove_not_held(*on, key, on->who())) throw on->error(errc::lost);\n        if (error.reason() != errc::cancelled",
             "if (error.reason() != errc::cancelled")]),
    Mutant("token minted before the grant, mysql", MYSQL_TEST, "*Fencing.ATokenIsMintedAfterTheWait*",
           [(MYSQL_SQL, 'to << "ELT(1+GET_LOCK(" << key', 'to << "ELT(IF((@early:=UUID_SHORT())>0,1,0)+GET_LOCK(" << key'),
            (MYSQL_SQL, 'to << ",0,CAST(UUID_SHORT() AS BINARY)";', 'to << ",0,@early";')]),
    Mutant("a ghost where memory is short, mysql", MYSQL_TEST, "*Loss.AFailureThatThereIsNoMemory*",
           [(MYSQL, "on.sever(\"there was no memory to tell an error", "(void)(\"there was no memory to tell an error")]),
    Mutant("a ghost where memory is short, mysql, several keys", MYSQL_MULTI, "*AFailureThatThereIsNoMemory*",
           [(MYSQL, "on.sever(\"there was no memory to tell an error", "(void)(\"there was no memory to tell an error")]),
    Mutant("a token constant, mysql", MYSQL_TEST, "*Fencing.TokensIncrease*",
           [(MYSQL, "fencing_token{with == fencing::yes ? *answer.value : 0}", "fencing_token{with == fencing::yes ? 7U : 0U}")]),

    # --- sqlite
    Mutant("lock does nothing, sqlite", SQLITE_CONFORMANCE, "*AWriterKeepsEveryoneOut*",
           [(SQLITE_SQL, '"BEGIN EXCLUSIVE"', '"BEGIN"'), (SQLITE_FILE, "    if (has == wanted) {", "    if (has == wanted || wanted != 0) {")]),
    Mutant("unlock does nothing, sqlite", SQLITE_CONFORMANCE, "*UnlockLetsAnotherSessionIn*",
           [(SQLITE_FILES, "    at->file.release();\n", ""), (SQLITE_FILES, "if (!in_place || !at->file.unlocked()) {", "if (!in_place) {")]),
    Mutant("try_lock always true, sqlite", SQLITE_CONFORMANCE, "*UnlockLetsAnotherSessionIn*",
           [(SQLITE_FILE, "if ((code & 0xff) == SQLITE_BUSY) return false;", "if ((code & 0xff) == SQLITE_BUSY) return true;")]),
    Mutant("cancel forgets to look whether it was granted, sqlite", "//tests/sqlite:wait_test", "SqliteWait.RacingWithAStopRequest*",
           [(SQLITE_FILES, "        if (granted) {\n",
             "        if (granted && stop.stop_requested()) throw lock_error{errc::cancelled, \"\"};\n        if (granted) {\n")]),
    Mutant("a grant on a file that is gone, sqlite", SQLITE_LOSS, "SqliteLoss.GrantIsNever*:SqliteLoss.WhoWaits*",
           [(SQLITE_FILES, "if (!at->file.in_place()) {  // a lock", "if (false) {  // a lock")]),
    Mutant("a lost lock is believed, sqlite", SQLITE_LOSS, "SqliteLoss.DeletedFile*",
           [(SQLITE_FILES, "return at && (*at)->file.in_place();", "return at.has_value();")]),
    Mutant("token minted before the grant, sqlite", SQLITE_FENCE, "SqliteFence.ATokenIsDrawnAfterTheWait",
           [(SQLITE, "    return numbered(s, k, m, lock_database::acquire_until(s, k, m, until, stop), stop);\n",
             "    const auto early = s.files_->draw(stop);\n    auto taken = lock_database::acquire_until(s, k, m, until, stop);\n"
             "    if (taken) taken->token = early;\n    return taken;\n")]),
    Mutant("a token without a lock: kept when none can be drawn, sqlite", SQLITE_FENCE, "SqliteFence.*NothingIsHeld*",
           [(SQLITE, "        (void)release(s, k, m, *taken);\n", "")]),

    Mutant("a counter that is gone is drawn from, sqlite", SQLITE_FENCE, "SqliteFence.ACounterThatWasDeleted*",
           [(SQLITE_FILES, "if (fence_ && !fence_->in_place()) fence_.reset();", "")]),
    Mutant("last come, second served, sqlite", SQLITE_LINE, "SqliteQueue.IsFirstComeFirstServed",
           [(SQLITE_QUEUE, "line_.insert(queue_->line_.end(), this);",
             "line_.insert(queue_->line_.empty() ? queue_->line_.end() : std::next(queue_->line_.begin()), this);")]),
    Mutant("all in line look at the file, sqlite", SQLITE_LINE, "SqliteQueue.OnlyTheFirstInLine*",
           [(SQLITE_QUEUE, "for (bool watched = false; !first() || (q.writers_ != 0 && !watched);) {",
             "for (bool watched = true; !watched;) {")]),
    Mutant("the first in line looks while its own process holds, sqlite", SQLITE_LINE, "SqliteQueue.NobodyLooks*",
           [(SQLITE_QUEUE, "q.writers_ == 0 ? naps_.next() : clock::duration{watch}", "naps_.next()")]),
    Mutant("a release wakes nobody, sqlite", SQLITE_LINE, "SqliteQueue.IsWokenByTheRelease",
           [("backends/sqlite/queue.hpp", "if (queue_->waiting() != 0) queue_->given_back();", "")]),
    Mutant("a try overtakes the line, sqlite", SQLITE_LINE, "SqliteQueue.IsNotOvertakenByATry:SqliteQueue.IsFirstComeFirstServed",
           [(SQLITE_FILES, "line.waiting() != 0 || ", "")]),
    Mutant("readers overtake a writer of another process, sqlite", SQLITE_LINE, "SqliteQueue.ReadersDoNotOvertakeAWriterOfAnotherProcess",
           [(SQLITE_FILES, "line.reads() && at.file.writer_is_there()", "false")]),
    Mutant("a process gives way to nobody, sqlite", SQLITE_LINE, "SqliteQueue.LetsAnotherProcessIn*",
           [(SQLITE_QUEUE, "if (now() - turn_began_ < turn_ticks) return false;", "if (now() != 0) return false;")]),
    Mutant("a forked child stands in its parent's lines, sqlite", SQLITE_LINE, "SqliteQueue.AForkedChildHas*",
           [("backends/sqlite/queues.cpp", "mine == nullptr || mine->forks != forks()", "mine == nullptr")]),

    Mutant("a mark that is gone is not set again, sqlite", SQLITE_LINE, "SqliteQueue.ShowsThatItWaits*",
           [(SQLITE_QUEUE, "    queue_->others_.set(", "    if (!marked_) queue_->others_.set(")]),
    Mutant("SQLite opens a lock file as standard input, sqlite", SQLITE_PROCESS, "SqliteProcess.WithoutStandardInput*",
           [("backends/sqlite/database.cpp", "if (!soci_support::fill_standard_descriptors()) {", "if (false) {")]),
    Mutant("a child forked while locks are held is trusted, sqlite", SQLITE_PROCESS, "SqliteFork.ChildOfAProcess*",
           [("backends/sqlite/forks.cpp", "if (engagement::any()) engaged = true;", "")]),
    Mutant("a connection that was never noted down is kept, sqlite", "//tests/sqlite:memory_test", "SqliteMemory.*",
           [(SQLITE_FILES, "connections fresh;", "connections& fresh = idle_;"), (SQLITE_FILES, "    idle_.splice(idle_.end(), fresh);\n", ""),
            (SQLITE_FILES, " && known->second == at) by_key_", ") by_key_")]),
    Mutant("a file system without locks is waited for, sqlite", "//tests/sqlite:sqlite_test", "SqliteFile.WhereThereAreNoLocks*",
           [("backends/sqlite/vfs.cpp", "code == SQLITE_BUSY && errno == ENOLCK", "false")]),
    Mutant("a renamed database keeps its locks, sqlite", SQLITE_IDENTITY, "SqliteIdentity.OfARenamed*:SqliteIdentity.OfAReplaced*",
           [(SQLITE_HOME, "return found && file_id{found->st_dev, found->st_ino} == id_ && found->st_nlink == 1;", "return found.has_value();")]),
    Mutant("a renamed database is locked again, sqlite", SQLITE_IDENTITY, "SqliteIdentity.OfARenamedFile*",
           [(SQLITE_HOME, "if (!found || file_id{found->st_dev, found->st_ino} != id_) throw", "if (!found) throw")]),
    Mutant("a database behind a symbolic link keeps its locks, sqlite", SQLITE_IDENTITY, "SqliteIdentity.OfARenamedFile*",
           [(SQLITE_HOME, "::lstat(path.c_str(), &found)", "::stat(path.c_str(), &found)")]),
    Mutant("a hard link is believed, sqlite", SQLITE_IDENTITY, "SqliteIdentity.OfAHardLinkedFile*",
           [(SQLITE_HOME, "if (found->st_nlink == 1) return;", "if (found->st_nlink != 0) return;")]),
    Mutant("a database in memory has a path, sqlite", SQLITE_IDENTITY, "SqliteNoFile.*",
           [(SQLITE_HOME, "&elsewhere) != SQLITE_OK) {", "&elsewhere) == SQLITE_ERROR) {")]),
    Mutant("what moved since it was opened is believed, sqlite", SQLITE_IDENTITY, "SqliteIdentity.OfAReplacedFile*",
           [(SQLITE_HOME, "|| elsewhere != 0) throw", ") throw")]),
    Mutant("a mount of the file alone is believed, sqlite", SQLITE_IDENTITY, "SqliteMount.OfTheFileAlone*",
           [(SQLITE_HOME, "if (is_mount(path_)) {", "if (false) {")]),
    Mutant("the umask decides who may lock, sqlite", SQLITE_SURROUNDINGS, "SqliteAccess.IsThatOfTheDatabaseAsItsJournal*",
           [("backends/sqlite/access.hpp", "    (void)::fchmod(made, mode);\n", "    (void)mode;\n")]),
    Mutant("SQLite is told to make a lock file that is there, sqlite", SQLITE_SURROUNDINGS, "SqliteAccess.ToAFileThatIsThere*",
           [("backends/sqlite/vfs.cpp", "flags &= ~SQLITE_OPEN_CREATE;", "flags &= ~0;")]),
    Mutant("an extension keeps its locks, sqlite", SQLITE_SURROUNDINGS, "SqliteSettings.OfTheProgramsExtensions*",
           [(SQLITE_SQL, "PRAGMA locking_mode = NORMAL; ", "")]),
    Mutant("a temporary table comes before ours, sqlite", SQLITE_SURROUNDINGS, "SqliteSettings.OfTheProgramsExtensions*",
           [(SQLITE_SQL, '"INSERT INTO main.fence', '"INSERT INTO fence')]),
    Mutant("a file that is too large ends the process, sqlite", "//tests/sqlite:sqlite_test //tests/sqlite:fencing_test", "*ThatCannotBeWritten*:*WithoutSpace*",
           [("backends/sqlite/size_signal.hpp", "::pthread_sigmask(SIG_BLOCK, &only_, &before_);", "::pthread_sigmask(SIG_BLOCK, nullptr, &before_);")]),
    Mutant("a label of another process, sqlite", SQLITE_PROCESS, "SqliteLabel.*",
           [("backends/sqlite/label.cpp", '(prefix + pid + "-" + start);', '(prefix + pid);')]),

    # --- memory
    Mutant("loss never signalled, memory", MEMORY_TEST, "MemorySession.*",
           [("backends/memory/session.cpp", "if (losses) losses->raise();", "if (losses) losses.reset();")]),
    Mutant("loss signalled to the next session, memory", MEMORY_TEST, "MemorySession.*",
           [("backends/memory/session.cpp", "losses = std::move(losses_);", "losses = losses_;")]),
    Mutant("loss that comes while one asks is not signalled, memory", MEMORY_TEST, "MemorySession.*",
           [("backends/memory/session.cpp", "if (id_ != g.session) return detail::loss_signal::raised();", "")]),
    Mutant("lock does nothing, memory", MEMORY_TEST, "MemorySession.ReconnectedMeansLost",
           [(MEMORY, "return a == mode::exclusive || b == mode::exclusive;", "return (void)a, (void)b, false;")]),
    Mutant("unlock does nothing, memory", MEMORY_TEST, "MemorySession.ReconnectedMeansLost:MemoryCancel.EndsAWait*",
           [(MEMORY, "    if (at == slots_.end()) return false;\n", "    if (at == slots_.end()) return false;\n    if (at != slots_.end()) return true;\n")]),
    Mutant("try_lock always true, memory", MEMORY_TEST, "MemorySession.ReconnectedMeansLost",
           [(MEMORY, "if (until.expired()) return std::nullopt;", "if (until.expired()) return grant{session, give(s, session, m)};")]),
    Mutant("cancel forgets to look whether it was granted, memory", MEMORY_TEST, "MemoryCancel.*",
           [(MEMORY, "if (self.end == waiter::outcome::granted) return", "if (self.end == waiter::outcome::granted && !stop.stop_requested()) return")]),
    Mutant("token minted before the grant, memory", MEMORY_TEST, "MemoryFence.*",
           [(MEMORY, "s.queue.push_back(&self);", "self.token = {++last_token_};\n    s.queue.push_back(&self);"),
            (MEMORY, "first.token = give(", "(void)give(")]),
    Mutant("a token minted when the waiter wakes up, memory", MEMORY_TEST, "MemoryFence.*",
           [(MEMORY, "return grant{session, self.token};", "return grant{session, {++last_token_}};")]),
    # --- forks, and the program around dlock
    Mutant("a forked child takes itself for its parent", FORK_TEST, "Fork.TheChildIsToldWhyItCannotLockOnWhatItHasInherited/PostgreSqlLock", [
        (PROCESS, "(void)::madvise(page, size, MADV_WIPEONFORK);", ""), (PROCESS, "cell.load()->store(0);", "")]),
    Mutant("only pthread_atfork tells of a fork", FORK_TEST, "Fork.AChildOfABareCloneHoldsNothingEither/PostgreSqlLock", [
        (PROCESS, "(void)::madvise(page, size, MADV_WIPEONFORK);", "")]),
    Mutant("a forked child gets the socket", FORK_TEST, "Fork.TheChildDestroysWhatItHasInherited/PostgreSqlLock", [
        (OWN_SOCKET, "if (dead >= 0) (void)::dup3", "if (dead > 1000) (void)::dup3"), (OWN_SOCKET, "    ::close(in_place_of);", "    return;")]),
    Mutant("a forked child gets the socket of a waiter", FORK_TEST, "ForkWhileWaiting.*/PostgreSqlLock", [
        ("backends/postgresql/connection.hpp", "connection_.socket_.keep(true);", "")]),
    Mutant("a forked child gets the watch's duplicate", FORK_TEST, "Fork.TheChildDoesNotHaveTheParentsConnection/MariaDbLock", [
        (WATCH, "kept_.keep(true);", "")]),
    Mutant("a forked worker is watched by a thread of its parent", FORK_TEST, "ForkedWorker.*", [
        (WATCH, "known == nullptr || !known->made_.is_here()", "known == nullptr")]),
    Mutant("threads take the program's signals", PROGRAM_TEST, "Program/*.SignalsThatTheProgramWaitsForReachIt", [
        (THREAD, "::pthread_sigmask(SIG_SETMASK, &all, &before_);", "::pthread_sigmask(SIG_SETMASK, nullptr, &before_);")]),
    Mutant("the end of a scope changes errno", PROGRAM_TEST, "Program/0.TheEndOfAScopeLeavesErrnoAlone", [
        ("dlock/detail/errno_kept.hpp", "errno = before_;", "")]),
    Mutant("an eventfd is the standard input", PROGRAM_TEST, "Program/0.StandardInputOutputAndErrorAreNeverOurs", [
        ("backends/soci/above_standard.hpp", "descriptor > STDERR_FILENO", "descriptor >= 0")]),
]
