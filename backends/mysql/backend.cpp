// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/mysql/backend.hpp>

#include <algorithm>
#include <chrono>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <mysqld_error.h>

#include <dlock/detail/utf8.hpp>
#include <dlock/error.hpp>
#include <dlock/mysql/answer.hpp>
#include <dlock/mysql/connection.hpp>
#include <dlock/mysql/error.hpp>
#include <dlock/mysql/pauses.hpp>
#include <dlock/mysql/preflight.hpp>
#include <dlock/mysql/ready.hpp>
#include <dlock/mysql/server.hpp>
#include <dlock/mysql/set_statement.hpp>
#include <dlock/mysql/sql.hpp>
#include <dlock/soci/pooled_session.hpp>

namespace dlock::mysql {
namespace {

using soci_support::stop_event;
using std::chrono::milliseconds;

released release_key(connection& on, std::string_view key) noexcept;

/// Sends the releases that a statement in progress held up.
void release_pending(connection& on) noexcept {
    while (auto* const lock = on.find_release_pending()) {
        const auto serial = lock->serial;
        try {
            const auto keys = on.keys_of(serial);
            const auto outcome = keys.size() == 1 ? release_key(on, keys.front()) : statement::release(on, keys);
            if (outcome == released::pending) return;
            on.forget(keys, serial);
        } catch (const std::bad_alloc&) {
            return on.sever("there was no memory to release a lock, so the session was ended, and with it every lock on it");
        }
    }
}

std::shared_ptr<connection> ready_once(soci::session& session, std::span<const std::string> keys, bool limited, const stop_event& stop) {
    auto on = connection::of(session);
    std::optional<connection::call> call{std::in_place, *on, limited, stop};
    for (const auto& key : keys) on->server().check(key);
    release_pending(*on);
    if (!on->held().empty() && !on->is_alive()) {
        on->sever();
        call.reset();
        on = connection::of(session);
        call.emplace(*on, limited, stop);
    }
    if (std::any_of(keys.begin(), keys.end(), [&](const std::string& key) { return on->find(key) != nullptr; })) {
        throw lock_error{errc::already_owned,
                         "dlock: another lock object holds this key on the same session, which owns the lock"};
    }
    if (on->server().one_lock_per_session()) {
        if (!on->accepts_one_lock()) {
            throw lock_error{
                errc::unsupported,
                "dlock: this server keeps one named lock per session, and a second one would silently free the first: "
                "use MySQL 5.7.5 or MariaDB 10.0.2, or, if your sessions hold one lock at a time and call no GET_LOCK "
                "themselves, call mysql::accept_one_lock_per_session()"};
        }
        if (!on->held().empty() || keys.size() > 1) {
            throw lock_error{errc::unsupported,
                             "dlock: this session holds a lock, or is to hold several, and this server would silently free it for a second "
                             "one: use another session"};
        }
    }
    preflight(*on);
    ask_for_id(*on);
    return on;
}

}  // namespace

/// The driver may put another connection behind the handle with the first statement that finds the old one dead (reconnect=1). The
/// state of the old one is of no use then: whatever was granted through it would look lost, and stay at the server.
std::shared_ptr<connection> ready(soci::session& session, std::span<const std::string> keys, bool limited, const stop_event& stop) {
    auto on = ready_once(session, keys, limited, stop);
    if (on->was_replaced()) refuse(*on);
    return on;
}

namespace {

/// Proves, after an answer that was neither yes nor no, that this server connection does not hold the key: by asking the
/// server, else by ending the session. False: the session has ended, and connection::error() says why.
[[nodiscard]] bool prove_not_held(connection& on, std::string_view key, sql::served_by who) noexcept {
    constexpr int attempts = 3;  // a KILL QUERY that comes late can end these statements too
    for (int i = 0; i < attempts; ++i) {
        const auto answer = ask(on, sql::release_ghost(who, on.server().literal(key)).view(), "the question whether it had granted a lock");
        if (answer.failed == errc::lost) return false;
        if (!answer.failed && answer.value) return true;
    }
    on.sever("the server did not say whether it had granted a lock: the session was ended, and with it every lock on it");
    return false;
}

/// A prepared statement that somebody has deallocated, or that went with COM_RESET_CONNECTION. Nothing was executed.
bool was_forgotten(connection& on, const answer& said) noexcept {
    if (!said.failed || mysql_errno(on.handle()) != ER_UNKNOWN_STMT_HANDLER) return false;
    on.set_prepared(connection::preparation::due);
    return true;
}

released release_key(connection& on, std::string_view key) noexcept {
    const bool executes = on.prepared() == connection::preparation::done && on.may_use_prepared();
    const auto name = on.server().literal(key);
    auto answer = ask(on, (executes ? sql::execute_release(on.id(), key) : on.is_proven() ? sql::release(name) : sql::release_if(on.who(), name)).view(), "a release");
    if (executes && was_forgotten(on, answer)) answer = ask(on, sql::release(name).view(), "a release");
    if (!answer.failed && answer.value == 1U) return released::yes;
    if (!answer.failed) {
        end_unless_ours(on);
        return released::lost;
    }
    switch (*answer.failed) {
        case errc::lost: return released::lost;
        case errc::unsupported: return released::pending;  // the rows of another statement come first
        default: return prove_not_held(on, key, on.who()) ? released::yes : released::lost;
    }
}

}  // namespace

lock_error error_or_end(connection& on, errc reason) {
    try {
        return on.error(reason);
    } catch (const std::bad_alloc&) {
        on.sever("there was no memory to tell an error, so the session was ended, and with it every lock on it");
        throw;
    }
}

lock_error cancelled(bool by_stop) {
    return {errc::cancelled, by_stop ? "dlock: the wait was cancelled" : "dlock: KILL QUERY or a time limit of the session ended the wait"};
}

lock_error unanswered_try(const connection& on) {
    return {errc::cancelled, "dlock: the server did not answer a try_lock() within " + std::to_string(on.grace().count() / 2) +
                                 " ms, so the statement was killed; nothing is held"};
}

void refuse_snapshot() {
    throw lock_error{errc::unsupported,
                     "dlock: a REPEATABLE READ transaction is open, and its holder would read rows as they were before the lock was granted: lock "
                     "before the transaction begins, or use READ COMMITTED, or, if what you do under the lock reads with FOR UPDATE, call "
                     "mysql::accept_open_snapshot()"};
}

void refuse(connection& on) {
    if (on.was_replaced()) {
        on.lose_all();
        throw lock_error{errc::lost,
                         "dlock: the driver has reconnected the session (reconnect=1): every lock it held is lost"};
    }
    if (on.has_been_proven()) {
        on.sever("a pooler has put another server connection behind this session: every lock it held is lost");
        throw lock_error{
            errc::lost,
            "dlock: a pooler has put another server connection behind this session: every lock it held is lost"};
    }
    throw lock_error{errc::unsupported,
                     std::string{"dlock: a pooler or a proxy between this session and the server may share server connections, and two clients would hold "
                                 "the same lock: connect to the server directly, or, if each session has a server connection of its own, call "
                                 "mysql::assume_session_pooling()"} +
                         on.where_to_declare()};
}

namespace {

enum class fencing : bool { no, yes };

sql::text acquiring_statement(const connection& on, std::string_view key, milliseconds wait, fencing with) noexcept {
    const auto name = on.server().literal(key);
    return with == fencing::yes ? sql::acquire_fenced(on.terms(), name, wait) : sql::acquire(on.terms(), name, wait);
}

/// Whether the session has its prepared statements. They cost two round trips, which who locks once or twice does not pay.
bool has_prepared(connection& on) noexcept {
    using preparation = connection::preparation;
    constexpr unsigned worth_it = 2;
    if (!on.may_use_prepared() || on.prepared() == preparation::impossible) return false;
    if (on.prepared() == preparation::done) return true;
    if (on.count_use() < worth_it) return false;
    auto failed = execute(on, sql::prepare_try(on.id()).view());
    if (!failed) failed = execute(on, sql::prepare_release(on.id()).view());
    if (!failed) on.set_prepared(preparation::done);
    else if (*failed == errc::server_error || *failed == errc::exhausted) on.set_prepared(preparation::impossible);  // say, max_prepared_stmt_count
    return !failed;
}

/// Waits until the server is a second old. One round trip, once per connection, unless it is younger.
void await_fence(connection& on, const stop_event& stop) {
    while (!on.can_fence()) {
        const auto answer = ask(on, sql::can_fence);
        if (answer.failed) throw on.error(*answer.failed);
        if (answer.value == 1U) return on.set_can_fence();
        if (stop.requested()) throw lock_error{errc::cancelled, "dlock: the wait was cancelled"};
        std::this_thread::sleep_for(milliseconds{20});
    }
}

/// What a caller may wait for.
struct terms {
    bool is_try;
    bool is_endless;
};

/// Once; nullopt: not in this time.
std::optional<grant> acquire_once(const std::shared_ptr<connection>& on, std::string_view key, milliseconds wait,
                                  fencing with, const stop_event& stop, const terms& of) {
    const bool in_transaction = on->may_have_snapshot();
    const auto until = on->waiting(of.is_endless ? std::nullopt : std::optional{wait});
    const bool executes = wait == milliseconds::zero() && with == fencing::no && has_prepared(*on);
    const auto awaited = "a request for a lock";
    auto answer = executes ? ask(*on, sql::execute_try(on->id(), key).view(), until, awaited, sql::prepared::try_acquire)
                           : ask(*on, acquiring_statement(*on, key, wait, with).view(), until, awaited);
    if (executes && !answer.failed) answer.id = on->id();  // nobody else knows the statement
    if (executes && was_forgotten(*on, answer)) answer = ask(*on, acquiring_statement(*on, key, wait, with).view(), until, awaited);
    const bool overdue = on->was_overdue() && !stop.requested();
    if (answer.failed) {
        const auto error = error_or_end(*on, *answer.failed);
        switch (error.reason()) {
            case errc::lost:
            case errc::unsupported:  // not sent
            case errc::bad_key:      // not locked
                throw error;
            default: break;
        }
        if (!prove_not_held(*on, key, on->who())) throw on->error(errc::lost);
        if (error.reason() != errc::cancelled) throw error;
        if (overdue) return of.is_try ? throw unanswered_try(*on) : std::optional<grant>{};
        if (stop.requested()) throw cancelled(true);
        throw error;
    }
    if (on->is_severed()) throw on->end();
    if (in_transaction && answer.id == 0) refuse_snapshot();
    const auto said = static_cast<sql::said>(answer.value.value_or(static_cast<std::uint64_t>(sql::said::ended)));
    const bool granted = with == fencing::yes ? said > sql::said::ended : said == sql::said::granted;
    if (answer.id != on->id() || on->was_replaced()) {
        if ((granted || said == sql::said::granted_read_only) && !prove_not_held(*on, key, {answer.id})) throw on->error(errc::lost);
        refuse(*on);
    }
    if (said == sql::said::not_served) refuse(*on);
    on->prove();
    if (said == sql::said::busy) return std::nullopt;
    if (said == sql::said::read_only) refuse_read_only(*on);
    if (granted && !stop.requested()) {
        return grant{on, on->remember(), fencing_token{with == fencing::yes ? *answer.value : 0}};
    }
    // NULL, as MariaDB answers KILL QUERY; or granted, too late to stop the server
    if (!prove_not_held(*on, key, on->who())) throw on->error(errc::lost);
    if (said == sql::said::granted_read_only) refuse_read_only(*on);
    if (overdue) return of.is_try ? throw unanswered_try(*on) : std::optional<grant>{};
    throw cancelled(stop.requested());
}

/// \param limit  nothing: only try
std::optional<grant> acquire(soci::session& session, const std::string& key, mode m, fencing with, std::optional<deadline> limit,
                             const std::stop_token& token) {
    const auto until = limit.value_or(deadline::after(milliseconds::zero()));
    if (m == mode::shared) throw lock_error{errc::unsupported, "dlock: named locks are exclusive"};
    const stop_event stop{token};
    const auto on = ready(session, {&key, 1}, !until.is_never(), stop);
    on->reserve(key);
    const connection::stake at_stake{*on};
    const connection::call call{*on, !until.is_never(), stop};
    if (with == fencing::yes) await_fence(*on, stop);
    pauses between;
    for (;;) {
        if (stop.requested()) throw lock_error{errc::cancelled, "dlock: the wait was cancelled"};
        const bool last = until.expired();
        const auto wait = last ? milliseconds::zero() : slice(on->server(), until);
        if (wait != milliseconds::zero() && with == fencing::no && has_prepared(*on)) {  // a free lock, the common case, is had for less
            if (auto taken = acquire_once(on, key, milliseconds::zero(), with, stop, {false, until.is_never()})) return taken;
        }
        if (auto taken = acquire_once(on, key, wait, with, stop, {!limit, until.is_never()})) return taken;
        if (last || until.expired()) return std::nullopt;
        between.sleep(until);
    }
}

/// Leaves neither a transaction nor a lock on the session.
bool scrub(soci::session& session) noexcept {
    try {
        const auto on = connection::of(session);
        if (!on->is_alive()) {
            on->sever();  // a watch keeps it open for the server when the driver has left it
            return false;
        }
        if ((on->handle()->server_status & SERVER_STATUS_IN_TRANS) != 0 && execute(*on, "ROLLBACK")) {
            on->sever("the session could not be cleaned for its pool, so it was ended");
            return false;
        }
        on->held().for_each([&](const connection::held_lock& lock) {  // a release that fails severs, and nothing is held then
            if (release_key(*on, lock.key) == released::pending) on->sever("the session could not be cleaned for its pool, so it was ended");
        });
        on->lose_all();  // for lock objects that are still there, which are told
        return on->serves(session);
    } catch (const std::exception&) {
        return false;
    }
}

[[maybe_unused]] const bool scrubbed_before_give_back = soci_support::scrub_with("mysql", scrub);

}  // namespace

void named::check(session_type& session, const key_type& key) { server::of(handle_of(session)).check(key); }

std::optional<grant> named::try_acquire(session_type& session, const key_type& key, mode m) {
    return acquire(session, key, m, fencing::no, std::nullopt, {});
}

std::optional<grant> named::acquire_until(session_type& session, const key_type& key, mode m, deadline until,
                                          const std::stop_token& stop) {
    return acquire(session, key, m, fencing::no, until, stop);
}

std::optional<grant> fenced_named::try_acquire(session_type& session, const key_type& key, mode m) {
    return acquire(session, key, m, fencing::yes, std::nullopt, {});
}

std::optional<grant> fenced_named::acquire_until(session_type& session, const key_type& key, mode m, deadline until,
                                                 const std::stop_token& stop) {
    return acquire(session, key, m, fencing::yes, until, stop);
}

bool named::still_held(session_type& session, const key_type& key, mode, const grant& granted) noexcept {
    auto& on = *granted.on;
    return on.find(key, granted.serial) != nullptr && on.still_serves(session);
}

std::stop_token named::lost(session_type&, const key_type&, mode, const grant& granted) { return granted.on->lost(granted.serial); }

released named::release(session_type& session, const key_type& key, mode, const grant& granted) noexcept {
    auto& on = *granted.on;
    if (!on.is_here()) return released::lost;
    auto* const lock = on.find(key, granted.serial);
    if (lock == nullptr) return on.has_lost(granted.serial) ? released::lost : released::yes;
    if (!on.serves(session)) {
        on.lose_all();
        return released::lost;
    }
    const auto outcome = release_key(on, key);
    if (outcome == released::pending) {
        on.set_release_pending(*lock);
    } else {
        on.forget(key, granted.serial);
    }
    return outcome;
}

void named::sever(session_type& session, const grant& granted) noexcept {
    if (granted.on->serves(session)) granted.on->sever();
}

std::vector<holder> named::holders(session_type& session, const key_type& key) {
    const auto on = connection::of(session);
    on->server().check(key);
    auto answer = query(*on, sql::holders(on->server().literal(key)).view());
    std::vector<holder> found;
    if (cannot_read_processes(answer)) {
        const auto holding = query(*on, sql::holder_id(on->server().literal(key)).view());
        if (!holding.ok()) throw on->error(holding.reason());
        found = describe(*on, holding.has_row() ? holding.text(0) : std::string_view{});
    } else if (!answer.ok()) {
        throw on->error(answer.reason());
    } else {
        for (; answer.has_row(); answer.next()) found.push_back(holder_of(answer));
    }
    add_labels(*on, found);
    return found;
}

void assume_session_pooling(soci::session& session) {
    const auto on = connection::of(session);
    on->assume_session_pooling();
    ask_for_id(*on);
}

void set_label(soci::session& session, std::string_view label) {
    if (label.find('\0') != label.npos) throw std::invalid_argument{"dlock: a label has a NUL"};
    if (label.size() > longest_label) throw std::invalid_argument{"dlock: a label has more than 200 bytes"};
    if (detail::utf8_prefix(label).bytes != label.size()) throw std::invalid_argument{"dlock: a label is not UTF-8"};
    const auto on = connection::of(session);
    ask_for_id(*on);
    const auto failed = execute(*on, sql::set_label(on->id(), label).view());
    if (on->was_replaced()) refuse(*on);
    if (failed) throw on->error(*failed);
}

void accept_local_locks(soci::session& session) { connection::of(session)->accept_local_locks(); }

void accept_open_snapshot(soci::session& session) { connection::of(session)->accept_open_snapshot(); }

void accept_one_lock_per_session(soci::session& session) { connection::of(session)->accept_one_lock(); }

}  // namespace dlock::mysql
