// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/postgresql/backend.hpp>

#include <algorithm>
#include <limits>
#include <new>
#include <stdexcept>
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
        if (ghost.ok() && !ghost.is_null(0)) return keep && ghost.is_true(0);
        if (ghost.ok() && !on.restore_mark()) break;  // somebody else's session knows nothing of ours
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

void require_another_try(connection& on, scope where, const result& answer) {
    if (const bool by_us = answer.columns() > 1 && answer.is_true(1); !by_us) {
        if (where == scope::transaction) throw connection::standby();
        if (on.restore_mark()) return;
        throw on.not_served();
    }
    throw lock_error{errc::unsupported, "dlock: in a transaction that is " + std::string{answer.text(0, 2)} +
                                            " the lock would be granted after the snapshot was taken, and its holder would read stale "
                                            "rows: lock before the transaction begins, or use READ COMMITTED"};
}

namespace {

/// Throws when what the server said is about the fence of a lock.
void refuse_fence(const std::string& fence, const result& failed) {
    const auto state = failed.sqlstate();
    std::string what;
    if (state == sqlstate::read_only_sql_transaction) {
        what = "dlock: a fenced lock draws from the sequence " + fence +
               ", which a read-only transaction must not: set default_transaction_read_only = off for this session";
    } else if (state == sqlstate::undefined_table || state == sqlstate::invalid_schema_name || state == sqlstate::insufficient_privilege ||
               state == sqlstate::wrong_object_type) {
        what = "dlock: a fenced lock draws from the sequence " + fence +
               ": call postgresql::create_fence() once, and grant USAGE on it and on its schema";
    } else {
        return;
    }
    throw lock_error{errc::unsupported, what.append(": ").append(failed.primary_message()), state};
}

/// Once; nullopt: the limit has passed, or the lock is not free.
/// \param may_wait  the caller does not only try
/// \param again     it was sent before, and not served
std::optional<grant> acquire_once(soci::session& session, const std::shared_ptr<connection>& on, const statement::request& what,
                                  const std::stop_token& stop, bool may_wait, bool again = false) {
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
        if (said == '\0') {
            if (again) throw on->not_served();
            require_another_try(*on, what.scope, answer);
            return acquire_once(session, on, what, stop, may_wait, true);
        }
        const bool fenced = what.fence != nullptr;
        const fencing_token token{fenced ? answer.number(0) : 0};
        if (fenced ? token.value == 0 : said != 't') return std::nullopt;
        auto taken = granted();
        taken.token = token;
        if (stop.stop_requested() && what.scope == scope::session) {  // it came too late to stop the server, not the caller
            if (advisory::release(session, what.key, what.mode, taken) == released::lost) throw on->end();
            throw lock_error{errc::cancelled, "dlock: the wait was cancelled"};
        }
        if (overdue && fenced) {
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
    if (prove(*on, what, timed_out && what.fence == nullptr)) return granted();  // a ghost has no token
    if (timed_out && overdue) return too_late();
    if (timed_out) return std::nullopt;
    if (what.fence != nullptr) refuse_fence(what.fence, answer);
    if (error.reason() == errc::cancelled && stop.stop_requested()) {
        throw lock_error{errc::cancelled, "dlock: the wait was cancelled", error.native()};
    }
    throw error;
}

/// \param fence  the sequence to draw from; null: without a token
std::optional<grant> acquire(soci::session& session, const key& key, mode m, scope where, const char* fence, const deadline* until,
                             const std::stop_token& stop) {
    const auto on = ready(session, where);
    if (on->find(key) != nullptr) {
        throw lock_error{errc::already_owned, "dlock: another lock object holds this key on the same session, which owns the lock"};
    }
    if (stop.stop_requested()) throw lock_error{errc::cancelled, "dlock: the wait was cancelled"};
    if (fence != nullptr && PQtransactionStatus(on->handle()) != PQTRANS_IDLE) {
        throw lock_error{errc::unsupported,
                         "dlock: a crash of the server would take back a fencing token that was drawn inside an open transaction: lock "
                         "before the transaction begins"};
    }
    const connection::call call{*on, until == nullptr || !until->is_never(), stop};
    on->reserve_one();
    const connection::stake at_stake{*on};
    where == scope::session ? on->require_session_locks(fence == nullptr) : on->require_transaction_locks();
    statement::request what{key, m, where, {}};
    what.fence = fence;
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
    return acquire(session, key, m, scope::session, nullptr, nullptr, {});
}

std::optional<grant> advisory::acquire_until(soci::session& session, const key_type& key, mode m, deadline until,
                                             const std::stop_token& stop) {
    return acquire(session, key, m, scope::session, nullptr, &until, stop);
}

std::optional<grant> fencing::acquire(soci::session& session, const key& key, mode m, const char* fence, const deadline* until,
                                      const std::stop_token& stop) {
    return postgresql::acquire(session, key, m, scope::session, fence, until, stop);
}

std::optional<grant> transaction_advisory::try_acquire(soci::session& session, const key_type& key, mode m) {
    return acquire(session, key, m, scope::transaction, nullptr, nullptr, {});
}

std::optional<grant> transaction_advisory::acquire_until(soci::session& session, const key_type& key, mode m, deadline until,
                                                         const std::stop_token& stop) {
    return acquire(session, key, m, scope::transaction, nullptr, &until, stop);
}

released advisory::release(soci::session&, const key_type& key, mode m, const grant& granted) noexcept {
    auto& on = *granted.on;
    if (!on.is_here()) return released::lost;
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

namespace {

/// As SQL writes a name whatever it contains.
std::string quoted(std::string_view name) {
    std::string text{'"'};
    for (const char c : name) text.append(c == '"' ? 2 : 1, c);
    return text + '"';
}

/// Of the sequence, if it is there.
result look_at_fence(connection& on, const std::string& fence) {
    auto answer = execute(on, sql::is_fence, fence.c_str(), static_cast<int>(fence.size()), "a question");
    if (!answer.ok()) throw on.error(answer);
    return answer;
}

/// Not IF NOT EXISTS, which tells of it on the user's stderr. An error leaves an open transaction as it was.
void create_sequence(connection& on, const std::string& fence) {
    const bool inside = PQtransactionStatus(on.handle()) != PQTRANS_IDLE;
    const std::string sql = "CREATE SEQUENCE " + fence;
    const connection::own_statements quiet{on};
    const auto answer = execute(on, (inside ? sql::savepoint + sql + sql::keep_all : sql).c_str(), "the creation of a sequence");
    if (answer.ok()) return;
    const auto error = on.error(answer);
    if (inside) (void)statement::recover_transaction(on);
    // Of two that create it at once, one fails, and that is as good. Before 14 a sequence is a type, too, and may fail as one.
    if (error.native() == sqlstate::unique_violation || error.native() == sqlstate::duplicate_table ||
        error.native() == sqlstate::duplicate_object)
        return;
    const bool no_right = error.native() == sqlstate::insufficient_privilege;
    const bool no_schema = error.native() == sqlstate::invalid_schema_name;
    const bool read_only = error.native() == sqlstate::read_only_sql_transaction;
    if (!no_right && !no_schema && !read_only) throw error;
    throw lock_error{errc::unsupported,
                     "dlock: create_fence() cannot create the sequence " + fence + ": " +
                         (no_right    ? "it needs CREATE on the schema: "
                          : no_schema ? "create the schema first: "
                                      : "the session is read-only (default_transaction_read_only): ") +
                         std::string{answer.primary_message()},
                     error.native()};
}

}  // namespace

void create_fence(soci::session& session, std::string_view schema) {
    if (schema.empty() || schema.find('\0') != schema.npos) throw std::invalid_argument{"dlock: the name of a schema is empty or has a NUL"};
    const auto on = ready(session, scope::session);
    const auto fence = quoted(schema) + ".dlock_fence";
    auto found = look_at_fence(*on, fence);
    if (found.rows() == 0) {
        create_sequence(*on, fence);
        found = look_at_fence(*on, fence);
    }
    if (found.is_true(0)) return;
    throw lock_error{errc::unsupported, "dlock: the sequence " + fence +
                                            " is no fence: its numbers must rise from 1 or more, with CACHE 1 and NO CYCLE, and logged"};
}

void set_label(soci::session& session, std::string_view label) {
    if (label.find('\0') != label.npos) throw std::invalid_argument{"dlock: a label has a NUL"};
    const auto on = ready(session, scope::session);
    if (PQtransactionStatus(on->handle()) != PQTRANS_IDLE) {
        throw lock_error{errc::unsupported, "dlock: set_label() needs a session outside a transaction"};
    }
    const std::string text{label};
    const auto answer = execute(*on, sql::set_label, text.c_str(), static_cast<int>(text.size()), "a setting");
    if (!answer.ok()) throw on->error(answer);
}

void assume_session_pooling(soci::session& session) { connection::of(session)->assume_session_pooling(); }

}  // namespace dlock::postgresql
