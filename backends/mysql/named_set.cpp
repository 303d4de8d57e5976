// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/mysql/named_set.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string_view>
#include <utility>

#include <dlock/error.hpp>
#include <dlock/mysql/answer.hpp>
#include <dlock/mysql/connection.hpp>
#include <dlock/mysql/error.hpp>
#include <dlock/mysql/pauses.hpp>
#include <dlock/mysql/ready.hpp>
#include <dlock/mysql/set_sql.hpp>
#include <dlock/mysql/set_statement.hpp>

namespace dlock::mysql {
namespace {

using soci_support::stop_event;
using std::chrono::milliseconds;

lock_error cancelled(const stop_event& stop) {
    return lock_error{errc::cancelled, stop.requested() ? "dlock: the wait was cancelled"
                                                        : "dlock: KILL QUERY or a time limit of the session ended the wait"};
}

/// Once; nullopt: not in this time.
std::optional<grant> acquire_once(const std::shared_ptr<connection>& on, sql::names keys, milliseconds wait, bool is_total, const stop_event& stop) {
    const auto unit = on->server().waits_whole_seconds() ? sql::unit::second : sql::unit::millisecond;
    const bool in_transaction = on->may_have_snapshot();
    const auto isolation = in_transaction ? on->server().isolation() : std::string_view{};
    const auto text = sql::acquire_all(on->is_proven() ? 0 : on->id(), keys, wait, is_total, unit, isolation);
    const auto answer = ask(*on, text.view(), stop);
    if (answer.failed) {
        const auto error = error_or_end(*on, *answer.failed);
        switch (error.reason()) {
            case errc::lost:
            case errc::unsupported:  // not sent
                throw error;
            default: break;
        }
        (void)statement::prove_none_held(*on, keys, on->id());
        if (error.reason() == errc::cancelled && stop.requested()) throw cancelled(stop);
        throw error;
    }
    if (in_transaction && answer.id == 0) refuse_snapshot();
    const auto said = static_cast<sql::said>(answer.value.value_or(static_cast<unsigned>(sql::said::ended)));
    if (answer.id != on->id()) {
        if (said != sql::said::refused) (void)statement::prove_none_held(*on, keys, answer.id);
        refuse(*on);
    }
    on->prove();
    if (said == sql::said::granted && !stop.requested()) return grant{on, on->remember_all()};
    if (said != sql::said::busy || keys.size() > 1) (void)statement::prove_none_held(*on, keys, on->id());
    if (said == sql::said::busy) return std::nullopt;
    throw cancelled(stop);  // as MariaDB answers KILL QUERY; or granted, too late to stop the server
}

std::optional<grant> acquire(soci::session& session, const key_set<std::string>& set, mode m, deadline until, const std::stop_token& token) {
    if (m == mode::shared) throw lock_error{errc::unsupported, "dlock: named locks are exclusive"};
    if (set.empty()) named_set::check(session, set);
    const sql::names keys{set};
    const auto on = ready(session, keys);
    on->reserve(keys);
    const stop_event stop{token};
    pauses between;
    for (;;) {
        if (stop.requested()) throw cancelled(stop);
        const bool last = until.expired();
        const auto wait = last ? milliseconds::zero() : slice(on->server(), until);
        if (auto taken = acquire_once(on, keys, wait, !until.is_never(), stop)) return taken;
        if (last || until.expired()) return std::nullopt;
        between.sleep(until);
    }
}

}  // namespace

void named_set::check(session_type& session, const key_type& keys) {
    if (keys.empty()) throw lock_error{errc::bad_key, "dlock: a multi_lock needs a key at least: without one it would exclude nobody"};
    for (const auto& key : keys) named::check(session, key);
}

std::optional<grant> named_set::try_acquire(session_type& session, const key_type& keys, mode m) {
    return acquire(session, keys, m, deadline::after(milliseconds::zero()), {});
}

std::optional<grant> named_set::acquire_until(session_type& session, const key_type& keys, mode m, deadline until,
                                              const std::stop_token& stop) {
    return acquire(session, keys, m, until, stop);
}

bool named_set::still_held(session_type& session, const key_type& keys, mode, const grant& granted) noexcept {
    auto& on = *granted.on;
    return on.find(keys.front(), granted.serial) != nullptr && on.still_serves(session);
}

std::stop_token named_set::lost(session_type&, const key_type&, mode, const grant& granted) { return granted.on->lost(granted.serial); }

released named_set::release(session_type& session, const key_type& keys, mode, const grant& granted) noexcept {
    auto& on = *granted.on;
    if (on.find(keys.front(), granted.serial) == nullptr) return on.has_lost(granted.serial) ? released::lost : released::yes;
    if (!on.serves(session)) {
        on.lose_all();
        return released::lost;
    }
    const auto outcome = statement::release(on, keys);
    if (outcome != released::pending) {
        on.forget(keys, granted.serial);
        return outcome;
    }
    for (const auto& key : keys) {
        if (auto* const lock = on.find(key, granted.serial)) on.set_release_pending(*lock);
    }
    return outcome;
}

void named_set::sever(session_type& session, const grant& granted) noexcept {
    if (granted.on->serves(session)) granted.on->sever();
}

std::vector<holder> named_set::holders(session_type& session, const key_type& keys) {
    check(session, keys);
    const auto on = connection::of(session);
    const auto holding = query(*on, sql::holders_of_any(keys).view());
    if (!holding.ok()) throw error_from(on->handle(), holding.reason());
    return describe(*on, holding.has_row() ? holding.text(0) : std::string_view{});
}

}  // namespace dlock::mysql
