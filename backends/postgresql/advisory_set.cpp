// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/postgresql/advisory_set.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <string>

#include <dlock/error.hpp>
#include <dlock/postgresql/answer.hpp>
#include <dlock/postgresql/connection.hpp>
#include <dlock/postgresql/error.hpp>
#include <dlock/postgresql/ready.hpp>
#include <dlock/postgresql/set_statement.hpp>
#include <dlock/postgresql/statement.hpp>

namespace dlock::postgresql {
namespace {

using std::chrono::milliseconds;

/// Proves, after an acquire() that failed, that the session holds none of the keys: by releasing what the server has granted,
/// else by ending the session.
/// \throws lock_error  lost: the session was ended
void prove_none_held(connection& on, const statement::set_request& what) {
    constexpr int attempts = 10;  // a statement_timeout of the session can end these statements too
    try {
        for (int i = 0; i < attempts && !on.is_severed() && PQstatus(on.handle()) == CONNECTION_OK; ++i) {
            if (PQtransactionStatus(on.handle()) == PQTRANS_INERROR && !statement::recover_transaction(on).ok()) continue;
            const auto answer = statement::release_ghosts(on, what.keys, what.mode);
            if (answer.ok() && !answer.is_null(0) && answer.number(0) == 0) return;
            if (answer.ok() && answer.is_null(0) && !on.restore_mark()) break;  // somebody else's session knows nothing of ours
            if (answer.sqlstate() != sqlstate::insufficient_privilege) continue;
            if (const auto unseen = statement::release_unseen(on, what.keys, what.mode); unseen.ok() && !unseen.is_null(0)) return;
        }
    } catch (const std::bad_alloc&) {
        // as if the server had not answered
    }
    on.sever("the server did not say which locks it had granted: the session was ended, and with it every lock on it");
    throw on.end();
}

/// Once; nullopt: the limit has passed, or one of them is not free.
/// \param may_wait  the caller does not only try
std::optional<grant> acquire_once(const std::shared_ptr<connection>& on, const statement::set_request& what, const std::stop_token& stop,
                                  bool may_wait) {
    auto answer = statement::acquire(*on, what);
    if (answer.ok() && answer.is_null(0)) {
        require_another_try(*on, scope::session, answer);
        answer = statement::acquire(*on, what);
    }
    if (on->is_severed()) throw on->end();  // whatever it says is void
    const bool overdue = on->was_overdue() && !stop.stop_requested();
    if (answer.ok()) {
        if (answer.is_null(0)) throw on->not_served();
        const auto held = answer.number(0);
        if (held == 0) return std::nullopt;
        if (held != what.keys.size()) {
            prove_none_held(*on, what);
            throw lock_error{errc::server_error, "dlock: the server has locked some of the keys and not the others"};
        }
        if (!stop.stop_requested()) return grant{on, on->remember(what.keys, what.mode)};
        prove_none_held(*on, what);  // it came too late to stop the server, not the caller
        throw lock_error{errc::cancelled, "dlock: the wait was cancelled"};
    }
    const auto error = error_or_end(*on, answer);
    if (error.reason() == errc::lost) {
        on->sever();  // so that it is, also where libpq has not seen the end yet
        throw error;
    }
    prove_none_held(*on, what);
    if (error.reason() == errc::timed_out) return std::nullopt;
    if (error.reason() == errc::cancelled && overdue) {
        if (may_wait) return std::nullopt;
        throw lock_error{errc::cancelled,
                         "dlock: the server did not answer a try_lock() within " + std::to_string(on->grace().count() / 2) +
                             " ms, so the statement was cancelled; the locks are not held"};
    }
    if (error.reason() == errc::cancelled && stop.stop_requested()) {
        throw lock_error{errc::cancelled, "dlock: the wait was cancelled", error.native()};
    }
    throw error;
}

std::optional<grant> acquire(soci::session& session, const key_set<key>& keys, mode m, const deadline* until, const std::stop_token& stop) {
    advisory_set::check(session, keys);
    const auto on = ready(session, scope::session);
    if (std::any_of(keys.begin(), keys.end(), [&](const key& k) { return on->find(k) != nullptr; })) {
        throw lock_error{errc::already_owned,
                         "dlock: another lock object holds one of these keys on the same session, which owns the lock"};
    }
    if (stop.stop_requested()) throw lock_error{errc::cancelled, "dlock: the wait was cancelled"};
    const connection::call call{*on, until == nullptr || !until->is_never(), stop};
    on->reserve(keys.size());
    const connection::stake at_stake{*on};
    on->require_session_locks();
    statement::set_request what{keys, m, {}};
    if (until == nullptr) return acquire_once(on, what, stop, false);
    what.waits_for_ever = until->is_never();
    constexpr milliseconds longest{std::numeric_limits<std::int32_t>::max()};  // of lock_timeout: 24 days
    for (bool waited = false;;) {
        const bool last = until->expired();
        if (last) {
            what.limit.reset();
            what.waits_for_ever = false;
        } else {
            what.limit = until->is_never() ? longest : std::clamp(until->remaining<milliseconds>(), milliseconds{1}, longest);
        }
        what.override_lock_timeout = waited || !until->is_never();  // which costs a little, and hardly any lock() needs it
        if (auto taken = acquire_once(on, what, stop, true)) return taken;
        waited = true;
        if (last || until->expired()) return std::nullopt;
    }
}

}  // namespace

void advisory_set::check(session_type&, const key_type& keys) {
    if (keys.empty()) throw lock_error{errc::bad_key, "dlock: a multi_lock needs a key at least: without one it would exclude nobody"};
    if (std::any_of(keys.begin(), keys.end(), [&](const key& k) { return k.space != keys.front().space; })) {
        throw lock_error{errc::bad_key, "dlock: the keys of a multi_lock must be all integers or all pairs of integers"};
    }
}

std::optional<grant> advisory_set::try_acquire(session_type& session, const key_type& keys, mode m) {
    return acquire(session, keys, m, nullptr, {});
}

std::optional<grant> advisory_set::acquire_until(session_type& session, const key_type& keys, mode m, deadline until,
                                                 const std::stop_token& stop) {
    return acquire(session, keys, m, &until, stop);
}

released advisory_set::release(session_type&, const key_type& keys, mode m, const grant& granted) noexcept {
    auto& on = *granted.on;
    if (!on.is_here()) return released::lost;
    const auto* const first = on.find(keys.front(), granted.serial);
    if (first == nullptr) return on.has_lost(granted.serial) ? released::lost : released::yes;
    const auto outcome = statement::release(on, keys, m, first->release_pending);
    if (outcome != released::pending) {
        on.forget(keys, granted.serial);
        return outcome;
    }
    for (const auto& key : keys) {
        if (auto* const lock = on.find(key, granted.serial)) on.set_release_pending(*lock);
    }
    return outcome;
}

void advisory_set::sever(session_type&, const grant& granted) noexcept { granted.on->sever(); }

bool advisory_set::still_held(session_type& session, const key_type& keys, mode, const grant& granted) noexcept {
    return granted.on->serves(session) && granted.on->find(keys.front(), granted.serial) != nullptr;
}

std::stop_token advisory_set::lost(session_type&, const key_type&, mode, const grant& granted) { return granted.on->lost(granted.serial); }

std::vector<holder> advisory_set::holders(session_type& session, const key_type& keys) {
    check(session, keys);
    const auto on = ready(session, scope::session);
    const auto answer = statement::holders(*on, keys);
    if (!answer.ok()) throw on->error(answer);
    return holders_of(answer);
}

}  // namespace dlock::postgresql
