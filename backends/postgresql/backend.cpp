// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/postgresql/backend.hpp>

#include <algorithm>
#include <limits>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include <dlock/error.hpp>
#include <dlock/postgresql/answer.hpp>
#include <dlock/postgresql/connection.hpp>
#include <dlock/postgresql/error.hpp>
#include <dlock/postgresql/ready.hpp>
#include <dlock/postgresql/statement.hpp>
#include <dlock/soci/pooled_session.hpp>

namespace dlock::postgresql {

lock_error in_use(const char* by) {
    return {errc::unsupported, std::string{"dlock: "} + by + ", or another thread uses the session, which one thread at a time may"};
}

std::shared_ptr<connection> ready(soci::session& session, scope where) {
    auto on = connection::of(session);
    switch (PQtransactionStatus(on->handle())) {
        case PQTRANS_IDLE:
            if (where == scope::transaction) {
                throw lock_error{errc::unsupported, "dlock: a transaction_lock needs an open transaction: begin one first"};
            }
            break;
        case PQTRANS_INTRANS: break;
        case PQTRANS_INERROR:
            throw lock_error{errc::unsupported, "dlock: the session's transaction is aborted: roll it back first",
                             sqlstate::in_failed_transaction};
        case PQTRANS_ACTIVE:
            throw in_use("a statement is in progress on this session: its rows have not been read");
        case PQTRANS_UNKNOWN: throw lock_error{errc::lost, "dlock: the session has lost its connection"};
    }
    if (PQpipelineStatus(on->handle()) != PQ_PIPELINE_OFF || PQisnonblocking(on->handle()) != 0) {
        throw in_use("the session's connection is in pipeline or non-blocking mode");
    }
    on->release_pending();
    return on;
}

namespace {

using std::chrono::milliseconds;

/// Proves, after an acquire() that failed, whether the session holds the lock: the server can report an error although it
/// has granted. `keep` says what to do with such a ghost. True: it is held, and kept.
/// https://www.postgresql.org/docs/current/view-pg-locks.html
/// \throws lock_error  lost: the server does not say, so the session was ended
bool prove(connection& on, const statement::request& what, bool keep) {
    constexpr int attempts = 10;  // a statement_timeout of the session can end these statements too
    for (int i = 0; i < attempts && !on.is_severed() && PQstatus(on.handle()) == CONNECTION_OK; ++i) {
        if (PQtransactionStatus(on.handle()) == PQTRANS_INERROR && !statement::recover_transaction(on).ok()) continue;
        if (what.scope == scope::transaction) return false;  // rolling back to the savepoint has released it
        const auto ghost = statement::find_ghost(on, what.key, what.mode, !keep);
        if (ghost.ok()) return keep && ghost.rows() > 0;
        if (ghost.sqlstate() != sqlstate::insufficient_privilege) continue;
        // A role that may not read pg_locks cannot see it, and so cannot keep it.
        if (const auto released = statement::release_unseen(on, what.key, what.mode); released.ok() && !released.is_null(0)) return false;
    }
    on.sever("the server did not say whether it had granted a lock: the session was ended, and with it every lock on it");
    throw on.end();
}

}  // namespace

lock_error error_or_end(connection& on, const result& failed) {
    try {
        return on.error(failed);
    } catch (const std::bad_alloc&) {
        on.sever("there was no memory to tell an error, so the session was ended, and with it every lock on it");
        throw;
    }
}

void refuse(connection& on, int backend_pid, const result& answer) {
    if (backend_pid != 0 && (answer.columns() == 1 || answer.integer(1) != on.known_backend_pid())) {
        if (on.holds_something()) on.sever("a pooler has put another server connection behind this session: it was ended, and every lock on it is lost");
        throw lock_error{errc::unsupported,
                         "dlock: a pooler has put another server connection behind this session; its session-level locks are lost: "
                         "use transaction_lock, or pool_mode = session"};
    }
    throw lock_error{errc::unsupported, "dlock: in a transaction that is " + std::string{answer.text(0, 2)} +
                                            " the lock would be granted after the snapshot was taken, and its holder would read stale "
                                            "rows: lock before the transaction begins, or use READ COMMITTED"};
}

namespace {

/// Once; nullopt: the limit has passed, or the lock is not free.
/// \param may_wait  the caller does not only try
std::optional<grant> acquire_once(soci::session& session, const std::shared_ptr<connection>& on, const statement::request& what,
                                  const std::stop_token& stop, bool may_wait) {
    const auto granted = [&] { return grant{on, on->remember(what.key, what.mode, what.scope)}; };
    const auto answer = statement::acquire(*on, what);
    if (on->is_severed()) throw on->end();  // whatever it says is void
    const bool overdue = on->was_overdue() && !stop.stop_requested();
    const auto too_late = [&]() -> std::optional<grant> {
        if (may_wait) return std::nullopt;
        throw lock_error{errc::cancelled,
                         "dlock: the server did not answer a try_lock() within " + std::to_string(on->grace().count() / 2) +
                             " ms, so the statement was cancelled; the lock is not held"};
    };
    if (answer.ok()) {
        const char said = answer.letter(0);
        if (said == '\0') refuse(*on, what.backend_pid, answer);
        const fencing_token token{what.fenced ? answer.number(0) : 0};
        if (what.fenced ? token.value == 0 : said != 't') return std::nullopt;
        auto taken = granted();
        taken.token = token;
        if (stop.stop_requested() && what.scope == scope::session) {  // it came too late to stop the server, not the caller
            (void)advisory::release(session, what.key, what.mode, taken);
            throw lock_error{errc::cancelled, "dlock: the wait was cancelled"};
        }
        if (overdue && what.fenced) {
            // The cancel request may have ended the wait for a synchronous standby, which then does not have the token.
            // https://www.postgresql.org/docs/current/warm-standby.html#SYNCHRONOUS-REPLICATION
            if (advisory::release(session, what.key, what.mode, taken) == released::lost) throw on->end();
            return too_late();
        }
        return taken;
    }
    const auto error = error_or_end(*on, answer);
    if (error.reason() == errc::lost) {
        on->sever();  // so that it is, also where libpq has not seen the end yet
        throw error;
    }
    const bool timed_out = error.reason() == errc::timed_out || (overdue && error.reason() == errc::cancelled);
    if (prove(*on, what, timed_out && !what.fenced)) return granted();  // a ghost has no token
    if (timed_out && overdue) return too_late();
    if (timed_out) return std::nullopt;
    const bool names_the_fence = std::string_view{error.what()}.find("dlock_fence") != std::string_view::npos;
    if (what.fenced && names_the_fence && (error.native() == sqlstate::undefined_table || error.native() == sqlstate::insufficient_privilege)) {
        throw lock_error{errc::unsupported,
                         "dlock: a fenced lock draws from the sequence public.dlock_fence: call postgresql::create_fence() once, and "
                         "grant USAGE on it",
                         error.native()};
    }
    if (error.reason() == errc::cancelled && stop.stop_requested()) {
        throw lock_error{errc::cancelled, "dlock: the wait was cancelled", error.native()};
    }
    throw error;
}

enum class fencing : bool { no, yes };

std::optional<grant> acquire(soci::session& session, const key& key, mode m, scope where, fencing with, const deadline* until,
                             const std::stop_token& stop) {
    const auto on = ready(session, where);
    if (on->find(key) != nullptr) {
        throw lock_error{errc::already_owned, "dlock: another lock object holds this key on the same session, which owns the lock"};
    }
    if (stop.stop_requested()) throw lock_error{errc::cancelled, "dlock: the wait was cancelled"};
    if (with == fencing::yes && PQtransactionStatus(on->handle()) != PQTRANS_IDLE) {
        throw lock_error{errc::unsupported,
                         "dlock: a crash of the server would take back a fencing token that was drawn inside an open transaction: lock "
                         "before the transaction begins"};
    }
    const connection::call call{*on, until == nullptr || !until->is_never(), stop};
    on->reserve_one();
    statement::request what{key, m, where, where == scope::session ? on->backend_pid() : on->any_backend_pid(), {}};
    what.fenced = with == fencing::yes;
    if (until == nullptr) return acquire_once(session, on, what, stop, false);
    constexpr milliseconds longest{std::numeric_limits<std::int32_t>::max()};  // of lock_timeout: 24 days
    for (bool waited = false;;) {
        const auto left = until->is_never() ? longest : until->remaining<milliseconds>();
        const bool last = left == milliseconds::zero();
        what.limit = until->is_never() ? milliseconds::zero() : std::min(longest, left);  // 0 is for ever
        if (last) what.limit.reset();
        what.override_lock_timeout = waited || !until->is_never();  // which costs every lock() a little, and hardly any needs it
        if (auto taken = acquire_once(session, on, what, stop, true)) return taken;
        waited = true;
        if (last || until->expired()) return std::nullopt;
    }
}

[[maybe_unused]] const bool scrubbed_before_give_back =
    soci_support::scrub_with("postgresql", [](soci::session& session) noexcept { return connection::scrub(session); });

}  // namespace

std::optional<grant> advisory::try_acquire(soci::session& session, const key_type& key, mode m) {
    return acquire(session, key, m, scope::session, fencing::no, nullptr, {});
}

std::optional<grant> advisory::acquire_until(soci::session& session, const key_type& key, mode m, deadline until,
                                             const std::stop_token& stop) {
    return acquire(session, key, m, scope::session, fencing::no, &until, stop);
}

std::optional<grant> fenced_advisory::try_acquire(soci::session& session, const key_type& key, mode m) {
    return acquire(session, key, m, scope::session, fencing::yes, nullptr, {});
}

std::optional<grant> fenced_advisory::acquire_until(soci::session& session, const key_type& key, mode m, deadline until,
                                                    const std::stop_token& stop) {
    return acquire(session, key, m, scope::session, fencing::yes, &until, stop);
}

std::optional<grant> transaction_advisory::try_acquire(soci::session& session, const key_type& key, mode m) {
    return acquire(session, key, m, scope::transaction, fencing::no, nullptr, {});
}

std::optional<grant> transaction_advisory::acquire_until(soci::session& session, const key_type& key, mode m, deadline until,
                                                         const std::stop_token& stop) {
    return acquire(session, key, m, scope::transaction, fencing::no, &until, stop);
}

released advisory::release(soci::session&, const key_type& key, mode m, const grant& granted) noexcept {
    auto& on = *granted.on;
    auto* const lock = on.find(key, granted.serial);
    if (lock == nullptr) return on.has_lost(granted.serial) ? released::lost : released::yes;
    const auto outcome = statement::release(on, key, m);
    if (outcome == released::pending) {
        on.set_release_pending(*lock);
    } else {
        on.forget(key, granted.serial);
    }
    return outcome;
}

void advisory::sever(soci::session&, const grant& granted) noexcept { granted.on->sever(); }

bool advisory_base::still_held(soci::session& session, const key_type& key, mode, const grant& granted) noexcept {
    return granted.on->serves(session) && granted.on->find(key, granted.serial) != nullptr;
}

std::stop_token advisory_base::lost(soci::session&, const key_type&, mode, const grant& granted) {
    return granted.on->lost(granted.serial);
}

std::vector<holder> advisory_base::holders(soci::session& session, const key_type& key) {
    const auto on = ready(session, scope::session);
    const auto answer = statement::holders(*on, key);
    if (!answer.ok()) throw on->error(answer);
    return holders_of(answer);
}

void create_fence(soci::session& session) {
    const auto on = ready(session, scope::session);
    const auto answer = execute(*on, sql::create_fence, "the creation of the sequence");
    // "if not exists" is not atomic: of two that create it at once, one fails, and that is as good
    if (!answer.ok() && answer.sqlstate() != sqlstate::unique_violation && answer.sqlstate() != sqlstate::duplicate_table) {
        throw on->error(answer);
    }
    const auto check = execute(*on, sql::is_fence, "a question");
    if (!check.ok()) throw on->error(check);
    if (!check.is_true(0)) {
        throw lock_error{errc::unsupported,
                         "dlock: the sequence public.dlock_fence is no fence: its numbers must rise from 1 or more, with CACHE 1 and NO CYCLE, and logged"};
    }
}

void assume_session_pooling(soci::session& session) { connection::of(session)->assume_session_pooling(); }

}  // namespace dlock::postgresql
