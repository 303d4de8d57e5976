// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What dlock knows of one server connection: which backend serves it, what is prepared on it, and which locks it holds.
//
// The state is attached to the PGconn with libpq's event system, so it is found without a look-up, is told when the
// connection is closed or reset, and sees the command tags that end transactions and drop locks, whoever sent them.
// https://www.postgresql.org/docs/current/libpq-events.html
//
// One thread at a time, as the session. The state outlives its connection only in grants, which then read as lost.
//
// In a process that was forked since, the connection is the parent's: nothing is held, and nothing is said on it. While a lock is
// at stake the child does not even have the socket (own_socket).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include <libpq-fe.h>

#include <dlock/backend.hpp>
#include <dlock/detail/held_locks.hpp>
#include <dlock/detail/process.hpp>
#include <dlock/error.hpp>
#include <dlock/postgresql/backend.hpp>
#include <dlock/postgresql/result.hpp>
#include <dlock/postgresql/sql.hpp>
#include <dlock/soci/end_watch.hpp>
#include <dlock/soci/fwd.hpp>
#include <dlock/soci/own_socket.hpp>
#include <dlock/soci/patience.hpp>
#include <dlock/soci/shared_handle_members.hpp>
#include <dlock/soci/stop_event.hpp>

namespace dlock::postgresql {

class connection {
public:
    /// The state of the session's connection, made at its first use.
    /// \throws lock_error  lost: not connected, or by a parent of this process; unsupported: not a PostgreSQL session
    [[nodiscard]] static std::shared_ptr<connection> of(soci::session& session);

    /// Ends an open transaction and releases every lock that dlock holds on the session, which then read as lost. No round
    /// trip when there is nothing to do. False: the session had to be severed, or has no connection.
    [[nodiscard]] static bool scrub(soci::session& session) noexcept;

    /// False in a process that was forked since the connection was first used.
    [[nodiscard]] bool is_here() const noexcept { return made_.is_here(); }

    /// While it lives a lock is asked for: the socket is kept from forked children.
    class stake {
    public:
        explicit stake(connection& c) noexcept : connection_{c} { connection_.socket_.keep(true); }
        ~stake() { connection_.keep_socket(); }
        stake(const stake&) = delete;
        stake& operator=(const stake&) = delete;

    private:
        connection& connection_;
    };
    /// The session is dlock's own: its socket is kept from children at all times.
    void keep_always() noexcept {
        always_kept_ = true;
        keep_socket();
    }

    /// Null once the connection was closed or reset.
    [[nodiscard]] PGconn* handle() const noexcept { return handle_; }

    /// The session still has this connection, and it has not ended as far as can be known without asking the server.
    [[nodiscard]] bool serves(soci::session& session) noexcept;

    /// Ends the connection for the server, which frees every lock on it. SOCI's handle stays valid and reports the end.
    /// \param why  what every call from now on is told, where the end is dlock's own decision
    void sever(const char* why = "") noexcept;
    /// It was ended by dlock's own decision; an end that dlock has only seen is told by the next statement.
    [[nodiscard]] bool is_severed() const noexcept { return severed_; }
    /// Lost, and why. \pre is_severed()
    [[nodiscard]] lock_error end() const;
    /// Why a statement has failed.
    [[nodiscard]] lock_error error(const result& failed) const;

    // --- how long an answer is awaited

    void set_grace(std::chrono::milliseconds grace) noexcept { grace_ = grace; }
    [[nodiscard]] std::chrono::milliseconds grace() const noexcept { return grace_; }

    /// While this lives, the statements are those of one call: a call with a limit does not wait longer than a grace for any of
    /// their answers, and a stop request ends them all.
    class call {
    public:
        call(connection& c, bool limited, const std::stop_token& stop) : connection_{c}, limited_{limited} {
            if (stop.stop_possible()) stop_.emplace(stop);
            c.call_ = this;
        }
        ~call() { connection_.call_ = nullptr; }
        call(const call&) = delete;
        call& operator=(const call&) = delete;

    private:
        friend class connection;
        connection& connection_;
        bool limited_;
        std::optional<soci_support::stop_event> stop_;
    };

    /// For a statement that waits in the server's queue, for ever or for `limit` at most.
    [[nodiscard]] soci_support::patience waiting() const noexcept { return {grace_, stop()}; }
    [[nodiscard]] soci_support::patience waiting(std::chrono::milliseconds limit) const noexcept { return {limit, grace_, stop()}; }
    /// For any other.
    [[nodiscard]] soci_support::patience answering() const noexcept {
        const bool soon = call_ != nullptr && call_->limited_;
        return soci_support::patience::for_answer(soon ? grace_ : soci_support::answer_graces * grace_, grace_, stop());
    }

    /// The last wait was ended by dlock itself, with a cancel request, because its limit had passed without an answer.
    [[nodiscard]] bool was_overdue() const noexcept { return overdue_; }
    void set_overdue(bool yes) noexcept { overdue_ = yes; }

    // --- the backend behind it

    /// Finds out, at the first call, whether session-level locks exclude anybody here. What can change later is in each statement.
    /// \param or_transaction  a transaction_lock would do as well: it is named as a way out
    /// \throws lock_error  unsupported: a pooler, a replica, a server whose locks exclude nobody
    void require_session_locks(bool or_transaction = false) {
        if (!serves_sessions_) check_session_locks(or_transaction);
    }
    /// The same for locks of a transaction, for which any backend will do.
    void require_transaction_locks();
    /// The pid that must answer a session-level statement, as SQL: $3 of sql.hpp. Behind a promised pooler the SQL is NULL on a session
    /// without our mark. Before require_session_locks() every session passes, as a transaction-level lock wants it: its transaction is on one.
    [[nodiscard]] const char* served_by() const noexcept { return served_by_.empty() ? "pg_catalog.pg_backend_pid()" : served_by_.c_str(); }
    /// What the names of prepared statements end in: behind a pooler the mark, or who shares the session would have one of the same name
    /// with another mark in its text. Elsewhere empty.
    [[nodiscard]] const std::string& mark() const noexcept { return mark_; }
    /// Our own backend, and no pooler in between as far as was seen.
    [[nodiscard]] bool is_direct() const noexcept { return !session_pooling_ && server_pid_ == PQbackendPID(handle_); }

    void assume_session_pooling();
    /// A statement was not served. True: the session had only lost its mark, to RESET ALL or a rollback, and what is held is held: it has
    /// its mark again. False: another session has answered, or others use this one. Two round trips, and one for each lock that is held.
    [[nodiscard]] bool restore_mark() noexcept;
    /// Unsupported: why a statement was not served, where restore_mark() did not help. What was held is lost, and the session severed.
    [[nodiscard]] lock_error not_served();
    void lose_session() noexcept;  ///< the same without the error
    [[nodiscard]] static lock_error standby();

    // --- the locks that this session holds

    struct held_lock {
        postgresql::key key;
        dlock::mode mode = dlock::mode::exclusive;
        postgresql::scope scope = postgresql::scope::session;
        bool release_pending = false;
        std::uint64_t serial = 0;     ///< of the grant
        std::uint64_t rollbacks = 0;  ///< how many ends of transactions had been seen at the grant
    };

    /// The lock on a key, or null. Forgets a transaction-level lock whose transaction has ended; while it cannot be known whether
    /// the transaction still has it, it is not found.
    [[nodiscard]] held_lock* find(const postgresql::key& key) noexcept;
    /// The same if it was this grant.
    [[nodiscard]] held_lock* find(const postgresql::key& key, std::uint64_t serial) noexcept;
    std::uint64_t remember(const postgresql::key& key, mode m, scope where) noexcept;
    void forget(const postgresql::key& key, std::uint64_t serial) noexcept;
    /// The same for the keys of one grant, which is lost as a whole and given back as a whole.
    std::uint64_t remember(std::span<const postgresql::key> keys, mode m) noexcept;
    void forget(std::span<const postgresql::key> keys, std::uint64_t serial) noexcept;
    /// Whether a grant that is not found any more was lost; otherwise it was released.
    [[nodiscard]] bool has_lost(std::uint64_t serial) const noexcept { return serial < lost_below_; }
    /// Tells when this grant is lost. Watches the connection from the first call on.
    [[nodiscard]] std::stop_token lost(std::uint64_t serial);
    /// Makes room, so that remember() cannot throw after the server has granted.
    void reserve_one() { reserve(1); }
    [[nodiscard]] bool holds_something() const noexcept { return !held_.empty(); }
    void reserve(std::size_t more) { held_.reserve(more); }

    /// The server takes no statement now: release_pending() is to release it.
    void set_release_pending(held_lock& lock) noexcept;
    /// Sends the releases that an aborted transaction held up, if the server takes statements again.
    void release_pending() noexcept {
        if (pending_ != 0) send_pending();
    }

    // --- what runs on it

    bool is_prepared(std::size_t statement) const noexcept { return (prepared_ >> statement & 1U) != 0; }
    void set_prepared(std::size_t statement) noexcept { prepared_ |= std::uint64_t{1} << statement; }
    void forget_prepared() noexcept { prepared_ = 0; }

    /// While this lives, the ends of (sub)transactions that are seen are dlock's own.
    class own_statements {
    public:
        explicit own_statements(connection& c) noexcept : connection_{c} { connection_.own_ = true; }
        ~own_statements() { connection_.own_ = false; }
        own_statements(const own_statements&) = delete;
        own_statements& operator=(const own_statements&) = delete;

    private:
        connection& connection_;
    };

    explicit connection(PGconn* handle, std::chrono::milliseconds grace = soci_support::default_grace) noexcept
        : handle_{handle}, socket_{PQsocket(handle)}, grace_{grace} {}

private:
    friend struct events;

    void keep_socket() noexcept { socket_.keep(always_kept_ || !held_.empty()); }
    [[nodiscard]] const soci_support::stop_event* stop() const noexcept {
        return call_ != nullptr && call_->stop_ ? &*call_->stop_ : nullptr;
    }
    void saw(PGresult* result) noexcept;
    void closed() noexcept;
    void lose_all() noexcept;
    enum class certainty : std::uint8_t { yes, no, unknown };
    certainty transaction_holds(held_lock& lock) noexcept;
    void remove(held_lock& lock) noexcept;
    void send_pending() noexcept;
    std::vector<postgresql::key> keys_of(std::uint64_t serial);
    void preflight();
    void check_session_locks(bool or_transaction);
    bool set_mark();
    [[nodiscard]] lock_error behind_pooler(bool or_transaction) const;
    [[nodiscard]] static lock_error shared_session();

    struct hash {
        std::size_t operator()(const postgresql::key& key) const noexcept {
            auto bits = static_cast<std::uint64_t>(key.bits);  // identifiers may be few and far between
            bits = (bits ^ bits >> 32) * 0x9e3779b97f4a7c15;
            return static_cast<std::size_t>(bits ^ bits >> 32);
        }
    };

    detail::birthplace made_;
    PGconn* handle_;
    soci_support::own_socket socket_;
    bool always_kept_ = false;
    int server_pid_ = 0;  ///< 0 before the preflight
    bool serves_sessions_ = false;  ///< that backend was found to be fit for session-level locks
    bool in_recovery_ = false;
    const char* locks_nothing_ = nullptr;  ///< why, on a server whose locks exclude nobody
    bool session_pooling_ = false;
    bool shared_ = false;    ///< and they do not: it was seen
    std::string mark_;       ///< of the server's session, where poolers were promised to keep it; empty before it was put there
    std::string served_by_;  ///< empty before
    bool own_ = false;
    bool severed_ = false;  ///< with a reason
    bool overdue_ = false;
    bool may_unlock_ = true;
    std::chrono::milliseconds grace_;
    call* call_ = nullptr;
    std::string why_;  ///< it was severed
    std::uint64_t prepared_ = 0;
    std::uint64_t next_serial_ = 1;
    std::uint64_t lost_below_ = 1;
    std::uint64_t rollbacks_ = 0;
    detail::held_locks<held_lock, hash> held_;
    std::size_t pending_ = 0;  ///< how many of them wait for their release
    std::shared_ptr<detail::loss_signal> losses_;  ///< null until somebody asks
    std::optional<soci_support::end_watch> watch_;
};

}  // namespace dlock::postgresql
