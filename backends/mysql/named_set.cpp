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
#include <dlock/mysql/preflight.hpp>
#include <dlock/mysql/ready.hpp>
#include <dlock/mysql/set_sql.hpp>
#include <dlock/mysql/set_statement.hpp>

namespace dlock::mysql {
namespace {

using soci_support::stop_event;
using std::chrono::milliseconds;

/// Once; nullopt: not in this time.
/// \param is_total  the wait has a limit
std::optional<grant> acquire_once(const std::shared_ptr<connection>& on, std::span<const std::string> keys, milliseconds wait, bool is_total, bool is_try,
                                  const stop_event& stop) {
    const auto unit = on->server().waits_whole_seconds() ? sql::unit::second : sql::unit::millisecond;
    const bool in_transaction = on->may_have_snapshot();
    const auto text = sql::acquire_all(on->terms(), sql::names{keys, on->server().has_national_literals()}, wait, is_total, unit);
    const auto until = on->waiting(is_total ? std::optional{wait} : std::nullopt);
    const auto answer = ask(*on, text.view(), until, "a request for several locks");
    const bool overdue = on->was_overdue() && !stop.requested();
    if (answer.failed) {
        const auto error = error_or_end(*on, *answer.failed);
        switch (error.reason()) {
            case errc::lost:
            case errc::unsupported:  // not sent
                throw error;
            default: break;
        }
        if (!statement::prove_none_held(*on, keys, on->who())) throw on->error(errc::lost);
        if (error.reason() != errc::cancelled) throw error;
        if (overdue) return is_try ? throw unanswered_try(*on) : std::optional<grant>{};
        if (stop.requested()) throw cancelled(true);
        throw error;
    }
    if (on->is_severed()) throw on->end();
    if (in_transaction && answer.id == 0) refuse_snapshot();
    const auto said = static_cast<sql::said>(answer.value.value_or(static_cast<std::uint64_t>(sql::said::ended)));
    if (answer.id != on->id() || on->was_replaced()) {
        if (said != sql::said::not_served && !statement::prove_none_held(*on, keys, {answer.id})) throw on->error(errc::lost);
        refuse(*on);
    }
    if (said == sql::said::not_served) refuse(*on);
    on->prove();
    if (said == sql::said::read_only) refuse_read_only(*on);
    if (said == sql::said::granted && !stop.requested()) return grant{on, on->remember_all()};
    if ((said != sql::said::busy || keys.size() > 1) && !statement::prove_none_held(*on, keys, on->who())) throw on->error(errc::lost);
    if (said == sql::said::busy) return std::nullopt;
    if (said == sql::said::granted_read_only) refuse_read_only(*on);
    if (overdue) return is_try ? throw unanswered_try(*on) : std::optional<grant>{};
    throw cancelled(stop.requested());  // as MariaDB answers KILL QUERY; or granted, too late to stop the server
}

/// \param limit  nothing: only try
std::optional<grant> acquire(soci::session& session, const key_set<std::string>& set, mode m, std::optional<deadline> limit,
                             const std::stop_token& token) {
    const auto until = limit.value_or(deadline::after(milliseconds::zero()));
    if (m == mode::shared) throw lock_error{errc::unsupported, "dlock: named locks are exclusive"};
    if (set.empty()) named_set::check(session, set);
    const std::span<const std::string> keys{set};
    const stop_event stop{token};
    const auto on = ready(session, keys, !until.is_never(), stop);
    on->reserve(keys);
    const connection::stake at_stake{*on};
    const connection::call call{*on, !until.is_never(), stop};
    pauses between;
    for (;;) {
        if (stop.requested()) throw cancelled(true);
        const bool last = until.expired();
        const auto wait = last ? milliseconds::zero() : slice(on->server(), until);
        if (auto taken = acquire_once(on, keys, wait, !until.is_never(), !limit, stop)) return taken;
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
    return acquire(session, keys, m, std::nullopt, {});
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
    if (!on.is_here()) return released::lost;
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
    const auto holding = query(*on, sql::holders_of_any({keys, on->server().has_national_literals()}).view());
    if (!holding.ok()) throw on->error(holding.reason());
    auto found = describe(*on, holding.has_row() ? holding.text(0) : std::string_view{});
    add_labels(*on, found);
    return found;
}

}  // namespace dlock::mysql
