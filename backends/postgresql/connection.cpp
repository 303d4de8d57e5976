// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/postgresql/connection.hpp>

#include <algorithm>
#include <array>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include <libpq-events.h>
#include <poll.h>
#include <soci/postgresql/soci-postgresql.h>
#include <sys/socket.h>

#include <dlock/error.hpp>
#include <dlock/postgresql/answer.hpp>
#include <dlock/postgresql/error.hpp>
#include <dlock/postgresql/last_words.hpp>
#include <dlock/postgresql/look_alike.hpp>
#include <dlock/postgresql/result.hpp>
#include <dlock/postgresql/set_statement.hpp>
#include <dlock/postgresql/statement.hpp>
#include <dlock/soci/inherited.hpp>
#include <dlock/soci/native.hpp>
#include <dlock/verify_exclusion.hpp>

namespace dlock::postgresql {

/// libpq calls this for every connection that dlock has used. The instance data is a shared_ptr on the heap, which is also
/// what libpq passes through: it is called for every result, also the caller's, and must not look for it then.
struct events {
    using slot = std::shared_ptr<connection>;

    static slot* find(const PGconn* handle) noexcept { return static_cast<slot*>(PQinstanceData(handle, &proc)); }

    static slot& attach(PGconn* handle) {
        auto owned = std::make_unique<slot>(std::make_shared<connection>(handle));
        if (PQregisterEventProc(handle, &proc, "dlock", owned.get()) == 0) {
            throw lock_error{errc::server_error, "dlock: libpq cannot watch this connection"};
        }
        auto& attached = *owned.release();  // libpq has it now, and says when to delete it
        (void)PQsetInstanceData(handle, &proc, &attached);  // cannot fail: it has just been registered
        return attached;
    }

    static int proc(PGEventId id, void* info, void* passed_through) noexcept {
        auto* const at = static_cast<slot*>(passed_through);
        switch (id) {
            case PGEVT_RESULTCREATE:
                if (const auto* const event = static_cast<PGEventResultCreate*>(info); event->conn != nullptr) (*at)->saw(event->result);
                break;
            case PGEVT_CONNRESET:
                // the same PGconn with another session behind it: what was known of the old one is void
                (*at)->closed();
                try {
                    *at = std::make_shared<connection>(static_cast<PGEventConnReset*>(info)->conn, (*at)->grace());
                } catch (const std::bad_alloc&) {
                    return 0;  // libpq then fails the reset
                }
                break;
            case PGEVT_CONNDESTROY:
                (*at)->closed();
                delete at;
                break;
            default: break;
        }
        return 1;
    }
};

namespace {

PGconn* handle_of(soci::session& session) {
    auto* const handle = soci_support::native<soci::postgresql_session_backend>(session, "postgresql").conn_;
    if (handle == nullptr || PQstatus(handle) != CONNECTION_OK) throw lock_error{errc::lost, "dlock: the session has lost its connection"};
    return handle;
}

/// Asks the kernel whether the peer has closed its side, or has said that it will: a proxy may close much later than it passes the
/// server's last words on, and the server itself gives the locks to others a moment before it closes. Nothing is read that
/// libpq is to read: a notification is no end, bytes of TLS say nothing, and the last words are left to be the answer of whatever is sent
/// next. libpq would print them as a notice of its own, were they read now. While an answer is awaited, only the end counts.
/// https://www.postgresql.org/docs/current/libpq-notice-processing.html
bool has_ended(PGconn* handle) noexcept {
    if (PQstatus(handle) != CONNECTION_OK) return true;
    const bool is_readable_text = PQtransactionStatus(handle) != PQTRANS_ACTIVE && PQsslInUse(handle) == 0 && PQgssEncInUse(handle) == 0;
    pollfd socket{PQsocket(handle), static_cast<short>(is_readable_text ? POLLIN | POLLRDHUP : POLLRDHUP), 0};
    if (::poll(&socket, 1, 0) <= 0) return false;
    if ((socket.revents & ~POLLIN) != 0) return true;
    std::array<char, 2048> arrived;
    const auto size = ::recv(socket.fd, arrived.data(), arrived.size(), MSG_PEEK | MSG_DONTWAIT);
    return size > 0 && has_last_words({arrived.data(), static_cast<std::size_t>(size)});
}

}  // namespace

std::shared_ptr<connection> connection::of(soci::session& session) {
    auto* const handle = handle_of(session);
    auto* at = events::find(handle);
    if (at == nullptr) return events::attach(handle);
    if (!(*at)->is_here()) soci_support::refuse_in_child();
    if ((*at)->severed_) throw (*at)->end();
    return *at;
}

bool connection::scrub(soci::session& session) noexcept {
    auto* const handle = static_cast<soci::postgresql_session_backend*>(session.get_backend())->conn_;
    if (handle == nullptr || has_ended(handle)) return false;
    const auto* at = events::find(handle);
    if (at == nullptr) {
        if (PQtransactionStatus(handle) == PQTRANS_IDLE) return true;
        try {
            at = &events::attach(handle);
        } catch (const std::exception&) {
            return false;
        }
    }
    auto& on = **at;
    if (PQtransactionStatus(handle) == PQTRANS_ACTIVE) (void)await_answer(on, on.answering(), "the rest of a statement");
    if (PQtransactionStatus(handle) != PQTRANS_IDLE) (void)execute(on, "ROLLBACK", "a rollback");
    const auto unlock_all = [&] { return execute(on, "SELECT pg_catalog.pg_advisory_unlock_all()", "a release").ok(); };
    // Twice: somebody's cancel may have come for what was done before.
    const bool unlocked = on.held_.empty() || unlock_all() || unlock_all();
    const bool clean = unlocked && PQtransactionStatus(handle) == PQTRANS_IDLE;
    clean ? on.lose_all() : on.sever("the session could not be cleaned for its pool, so it was ended");
    return clean;
}

bool connection::serves(soci::session& session) noexcept {
    auto* const native = session.get_backend();
    if (!is_here() || handle_ == nullptr || native == nullptr) return false;
    if (static_cast<soci::postgresql_session_backend*>(native)->conn_ != handle_) return false;
    if (!has_ended(handle_)) return true;
    sever();  // so that every statement from now on says so, whether the server did or not
    return false;
}

void connection::sever(const char* why) noexcept {
    if (!is_here()) return;
    // The watch's duplicate, where there is one: it keeps the connection open when libpq has closed its own descriptor.
    if (handle_ != nullptr) ::shutdown(watch_ ? watch_->socket() : PQsocket(handle_), SHUT_RDWR);
    try {
        if (!severed_) why_ = why;
    } catch (const std::bad_alloc&) {
        // then the end goes without its reason
    }
    severed_ = severed_ || *why != '\0';
    lose_all();
}

lock_error connection::end() const {
    return {errc::lost, "dlock: " + (why_.empty() ? std::string{"the session has lost its connection"} : why_)};
}

lock_error connection::error(const result& failed) const { return severed_ ? end() : error_from(failed, handle_); }

void connection::closed() noexcept {
    handle_ = nullptr;
    if (!is_here()) return;
    lose_all();
    watch_.reset();
}

void connection::lose_all() noexcept {
    held_.clear();
    keep_socket();
    pending_ = 0;
    lost_below_ = next_serial_;
    if (losses_) losses_->raise();
}

std::stop_token connection::lost(std::uint64_t serial) {
    if (!losses_) losses_ = std::make_shared<detail::loss_signal>();
    if (!watch_) watch_.emplace(PQsocket(handle_), losses_);
    return losses_->of(serial);
}

void connection::saw(PGresult* result) noexcept {
    if (own_ || !is_here()) return;
    if (PQstatus(handle_) == CONNECTION_BAD) return sever();  // libpq may have hung up by itself, which no watch sees
    const char* const tag = PQcmdStatus(result);
    if (tag == nullptr) return;
    const std::string_view command{tag};
    if (command == "ROLLBACK" || command == "COMMIT" || command == "PREPARE TRANSACTION") {
        ++rollbacks_;  // "ROLLBACK" may have been to a savepoint only: transaction_holds() finds out
    } else if (command == "DISCARD ALL") {
        lose_all();
        forget_prepared();
    } else if (command == "DEALLOCATE ALL") {
        forget_prepared();
    }
}

void connection::preflight() {
    if (server_pid_ != 0) return;
    const bool inside = PQtransactionStatus(handle_) == PQTRANS_INTRANS;
    const auto answer = inside ? statement::between_savepoints(*this, sql::preflight, "a question") : execute(*this, sql::preflight, "a question");
    if (!answer.ok() || answer.rows() != 1) throw error(answer);
    in_recovery_ = answer.is_true(1);
    locks_nothing_ = why_it_excludes_nobody(answer.is_null(2) ? "" : answer.text(0, 2), answer.is_null(3) ? "" : answer.text(0, 3));
    may_unlock_ = answer.is_true(4);
    server_pid_ = answer.integer(0);
}

void connection::require_transaction_locks() {
    preflight();
    if (locks_nothing_ != nullptr) throw lock_error{errc::unsupported, locks_nothing_};
    if (in_recovery_) {
        server_pid_ = 0;  // ask again next time: a standby that is promoted keeps its connections
        throw standby();
    }
}

void connection::check_session_locks(bool or_transaction) {
    require_transaction_locks();
    if (!may_unlock_) {
        server_pid_ = 0;  // ask again next time
        throw lock_error{errc::unsupported,
                         "dlock: this role could not give a lock back: grant it EXECUTE on pg_advisory_unlock and pg_advisory_unlock_shared"};
    }
    if (session_pooling_) {
        if (shared_ || !set_mark()) throw not_served();
    } else if (!is_direct()) {
        server_pid_ = 0;  // ask again next time
        throw behind_pooler(or_transaction);
    }
    served_by_ = std::to_string(server_pid_);
    if (session_pooling_) served_by_ = std::string{sql::if_marked_before} + mark_ + "' THEN " + served_by_ + " END)";
    serves_sessions_ = true;
}

void connection::assume_session_pooling() {
    session_pooling_ = true;
    serves_sessions_ = false;
    forget_prepared();  // there is no mark in the texts
    preflight();
    if (shared_ || !set_mark()) throw not_served();
}

bool connection::set_mark() {
    if (mark_.empty()) mark_ = std::to_string(detail::random_number());
    const bool inside = PQtransactionStatus(handle_) == PQTRANS_INTRANS;
    const auto answer = inside ? statement::between_savepoints(*this, statement::with(sql::mark, "$1", "'" + mark_ + "'"), "a setting")
                               : execute(*this, sql::mark, mark_.c_str(), static_cast<int>(mark_.size()), "a setting");
    if (!answer.ok() || answer.rows() != 1) throw error(answer);
    return answer.text(0, 0) == mark_ && answer.integer(1) == server_pid_;
}

bool connection::restore_mark() noexcept {
    if (!session_pooling_) return false;
    try {
        if (!set_mark()) return false;
        std::vector<held_lock> of_session;
        held_.for_each([&](const held_lock& lock) {
            if (lock.scope == scope::session) of_session.push_back(lock);
        });
        return std::all_of(of_session.begin(), of_session.end(),
                           [&](const held_lock& lock) { return statement::holds(*this, lock.key, lock.mode) == true; });
    } catch (const std::exception&) {
        return false;
    }
}

void connection::lose_session() noexcept {
    if (holds_something()) sever("a pooler has put another server connection behind this session, or others into it: it was ended, and every lock on it is lost");
}

lock_error connection::not_served() {
    lose_session();
    shared_ = session_pooling_;
    serves_sessions_ = false;
    return session_pooling_ ? shared_session() : behind_pooler(false);
}

lock_error connection::standby() {
    return {errc::unsupported, "dlock: this server is a standby; its advisory locks exclude nobody on the primary: connect to the primary"};
}

lock_error connection::behind_pooler(bool or_transaction) const {
    std::string text{"dlock: a pooler between this session and the server may share server connections, and two clients would hold the same lock: "
                     "connect to the server directly, or, if the pooler gives each session a server connection of its own (pool_mode = session), call "
                     "postgresql::assume_session_pooling()"};
    if (always_kept_) text += " in the function that opens the sessions";
    else if (or_transaction) text += ", or, if it gives one to each transaction, use a transaction_lock";
    return {errc::unsupported, text};
}

lock_error connection::shared_session() {
    return {errc::unsupported,
            "dlock: other sessions use this server connection, too, or have left it as it was, so assume_session_pooling() is not true of this "
            "pooler: set pool_mode = session and a reset between clients (server_reset_query = DISCARD ALL), or connect to the server directly"};
}

connection::held_lock* connection::find(const postgresql::key& key) noexcept {
    auto* const lock = held_.find(key);
    if (lock == nullptr || lock->scope == scope::session) return lock;
    switch (transaction_holds(*lock)) {
        case certainty::yes: return held_.find(key);  // looked for again: the question may have ended the session
        case certainty::no: remove(*lock); break;
        case certainty::unknown: break;
    }
    return nullptr;
}

connection::held_lock* connection::find(const postgresql::key& key, std::uint64_t serial) noexcept {
    auto* const lock = find(key);
    return lock != nullptr && lock->serial == serial ? lock : nullptr;
}

std::uint64_t connection::remember(const postgresql::key& key, mode m, scope where) noexcept {
    held_lock granted{key, m, where, false, next_serial_, rollbacks_};
    held_.add(granted);
    return next_serial_++;
}

void connection::forget(const postgresql::key& key, std::uint64_t serial) noexcept {
    if (auto* const lock = held_.find(key); lock != nullptr && lock->serial == serial) remove(*lock);
}

std::uint64_t connection::remember(std::span<const postgresql::key> keys, mode m) noexcept {
    for (const auto& key : keys) {
        held_lock granted{key, m, scope::session, false, next_serial_, rollbacks_};
        held_.add(granted);
    }
    return next_serial_++;
}

void connection::forget(std::span<const postgresql::key> keys, std::uint64_t serial) noexcept {
    for (const auto& key : keys) forget(key, serial);
}

std::vector<postgresql::key> connection::keys_of(std::uint64_t serial) {
    std::vector<postgresql::key> keys;
    held_.for_each([&](const held_lock& lock) {
        if (lock.serial == serial) keys.push_back(lock.key);
    });
    return keys;
}

void connection::remove(held_lock& lock) noexcept {
    if (lock.release_pending) --pending_;
    if (losses_) losses_->forget(lock.serial);
    held_.remove(lock);
    keep_socket();
}

void connection::set_release_pending(held_lock& lock) noexcept {
    if (!lock.release_pending) ++pending_;
    lock.release_pending = true;
}

/// An error releases what the transaction has locked, there and then, but for what it had locked before its last savepoint. The
/// server answers no question until the transaction is rolled back, wholly or to the savepoint.
connection::certainty connection::transaction_holds(held_lock& lock) noexcept {
    const auto status = PQtransactionStatus(handle_);
    if (status == PQTRANS_IDLE) return certainty::no;
    if (status == PQTRANS_INERROR) return certainty::unknown;
    if (lock.rollbacks == rollbacks_) return certainty::yes;
    if (status != PQTRANS_INTRANS) return certainty::unknown;
    const auto holds = statement::holds(*this, lock.key, lock.mode);
    if (!holds) return certainty::unknown;
    if (!*holds) return certainty::no;
    lock.rollbacks = rollbacks_;
    return certainty::yes;
}

void connection::send_pending() noexcept {
    while (pending_ != 0) {
        held_lock due;
        held_.for_each([&](const held_lock& lock) {
            if (lock.release_pending) due = lock;
        });
        try {
            const auto keys = keys_of(due.serial);
            const auto outcome = keys.size() == 1 ? statement::release(*this, due.key, due.mode)
                                                  : statement::release(*this, keys, due.mode, true);
            if (outcome == released::pending) return;
            forget(keys, due.serial);  // looked for again: a release that fails severs, and nothing is held then
        } catch (const std::bad_alloc&) {
            return sever("there was no memory to release a lock, so the session was ended, and with it every lock on it");
        }
    }
}

}  // namespace dlock::postgresql

template class dlock::soci_support::shared_handle<dlock::postgresql::connection>;
