// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What dlock knows of one server connection: which server it is, who it is there, and which locks it holds.
//
// The driver tells nobody when it closes a connection or makes a new one, so the state is kept beside it, found by the
// handle's address, and valid only as long as the connection behind the handle is the one it was made for: same id, and
// the same random bytes in the server's greeting. A state that no grant refers to can be forgotten at any time; what must
// not be forgotten, the caller's declarations, is kept by the handle itself and dies with it.
//
// One thread at a time, as the session; of() alone meets other threads. A state outlives its connection only in grants.
//
// In a process that was forked since, the connection is the parent's: nothing is held, and nothing is said on it. While a lock is
// at stake the child does not even have the socket (own_socket).
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <mysql.h>

#include <dlock/detail/held_locks.hpp>
#include <dlock/detail/process.hpp>
#include <dlock/error.hpp>
#include <dlock/mysql/server.hpp>
#include <dlock/soci/end_watch.hpp>
#include <dlock/soci/fwd.hpp>
#include <dlock/soci/own_socket.hpp>
#include <dlock/soci/patience.hpp>
#include <dlock/soci/shared_handle_members.hpp>
#include <dlock/soci/stop_event.hpp>

namespace dlock::mysql {

/// The driver's handle of the session.
/// \throws lock_error  lost: not connected; unsupported: not a MySQL session
[[nodiscard]] MYSQL* handle_of(soci::session& session);

class connection {
public:
    /// The state of the session's connection, made at its first use.
    /// \throws lock_error  as handle_of(); lost also when a parent of this process has used it
    [[nodiscard]] static std::shared_ptr<connection> of(soci::session& session);

    /// How many states are kept for connections, those that have ended included: bounded by twice the sessions in use.
    [[nodiscard]] static std::size_t count();

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

    /// Where a declaration that a refusal names is to be made: " in the function that …", where dlock opens the sessions.
    [[nodiscard]] const char* where_to_declare() const noexcept { return always_kept_ ? " in the function that opens the sessions" : ""; }

    /// \pre serves(the session)
    [[nodiscard]] MYSQL* handle() const noexcept { return handle_; }
    [[nodiscard]] const mysql::server& server() const noexcept { return server_; }

    /// The session still has this connection. Touches no socket.
    [[nodiscard]] bool serves(soci::session& session) const noexcept;

    /// Neither side has ended it, as far as can be known without asking the server. \pre serves(the session)
    [[nodiscard]] bool is_alive() const noexcept;

    /// Both. If not, everything is lost from now on, on the server's side too.
    [[nodiscard]] bool still_serves(soci::session& session) noexcept;

    /// Ends the connection for the server, which frees every lock on it. SOCI's handle stays valid and reports the end.
    /// \param why  what the caller is told, where the end is dlock's own decision
    /// \pre serves(the session)
    void sever(const char* why = "") noexcept;
    /// dlock has ended it, or has seen its end.
    [[nodiscard]] bool is_severed() const noexcept { return severed_; }
    /// Lost, and why. \pre is_severed()
    [[nodiscard]] lock_error end() const;
    /// Why a statement has failed: the handle's last error, or why dlock has ended the session.
    [[nodiscard]] lock_error error(errc reason) const;

    /// Whether the driver has put another connection behind the handle. \pre the session has this handle
    [[nodiscard]] bool was_replaced() const noexcept { return greeting{handle_} != greeting_; }

    // --- how long an answer is awaited

    void set_grace(std::chrono::milliseconds grace);
    [[nodiscard]] std::chrono::milliseconds grace() const noexcept { return grace_; }

    /// While this lives, the statements are those of one call: a call with a limit does not wait longer than a grace for any of
    /// their answers, and a stop request ends them all.
    class call {
    public:
        call(connection& c, bool limited, const soci_support::stop_event& stop) noexcept
            : connection_{c}, limited_{limited}, stop_{stop.is_possible() ? &stop : nullptr} {
            c.call_ = this;
        }
        ~call() { connection_.call_ = nullptr; }
        call(const call&) = delete;
        call& operator=(const call&) = delete;

    private:
        friend class connection;
        connection& connection_;
        bool limited_;
        const soci_support::stop_event* stop_;
    };

    /// For a statement that waits in the server's queue, for `limit` at most; nothing: for ever.
    [[nodiscard]] soci_support::patience waiting(std::optional<std::chrono::milliseconds> limit) const noexcept {
        const auto* const stop = call_ != nullptr ? call_->stop_ : nullptr;
        return limit ? soci_support::patience{*limit, grace_, stop} : soci_support::patience{grace_, stop};
    }
    /// For any other.
    [[nodiscard]] soci_support::patience answering() const noexcept {
        const bool soon = call_ != nullptr && call_->limited_;
        return soci_support::patience::for_answer(soon ? grace_ : soci_support::answer_graces * grace_, grace_,
                                                  call_ != nullptr ? call_->stop_ : nullptr);
    }

    /// The last wait was ended by dlock itself, with a KILL QUERY, because its limit had passed without an answer.
    [[nodiscard]] bool was_overdue() const noexcept { return overdue_; }
    void set_overdue(bool yes) noexcept { overdue_ = yes; }

    // --- who it is

    /// The id that CONNECTION_ID() must give, and behind a pooler the mark that the session has. There the id is another one than the
    /// handle's, and 0 until it was asked for; without a pooler 0 says that there is one (ask_for_id()).
    [[nodiscard]] sql::served_by who() const noexcept { return session_pooling_ ? pooled_ : sql::served_by{greeting_.id}; }
    [[nodiscard]] unsigned long id() const noexcept { return who().connection; }
    void set_pooled(sql::served_by who) noexcept { pooled_ = who; }
    /// What the session is marked with behind a pooler. The handle keeps it: the driver's next connection has the same.
    [[nodiscard]] std::uint64_t mark();

    /// The server has confirmed id() with an answer, and neither a pooler nor the driver can change it unseen.
    [[nodiscard]] bool is_proven() const noexcept {
        return proven_ && !session_pooling_ && handle_->options.reconnect == 0;
    }
    [[nodiscard]] bool has_been_proven() const noexcept { return proven_; }

    /// The preflight has found nothing against this server.
    [[nodiscard]] bool is_checked() const noexcept { return checked_ || local_locks_; }
    void set_checked() noexcept { checked_ = true; }
    void prove() noexcept { proven_ = true; }

    /// Whether statements may be prepared on it: see sql::prepared. Not where the guards of the text differ, or another connection might answer.
    [[nodiscard]] bool may_use_prepared() const noexcept {
        return server_.has_fast_prepared() && is_proven() && !local_locks_ && !may_have_snapshot();
    }
    enum class preparation : std::uint8_t { due, done, impossible };
    [[nodiscard]] preparation prepared() const noexcept { return prepared_; }
    void set_prepared(preparation now) noexcept { prepared_ = now; }
    /// How often a lock was asked for, once the connection was proven.
    [[nodiscard]] unsigned count_use() noexcept { return uses_ == std::numeric_limits<unsigned>::max() ? uses_ : ++uses_; }

    /// The second in which the server was started is over: its UUID_SHORT() can be told from that of the next start.
    [[nodiscard]] bool can_fence() const noexcept { return can_fence_; }
    void set_can_fence() noexcept { can_fence_ = true; }

    /// The server does not let this connection read the labels of sessions, and is not asked again.
    [[nodiscard]] bool hides_labels() const noexcept { return hides_labels_; }
    void set_hides_labels() noexcept { hides_labels_ = true; }

    // --- what the caller has declared; kept by the handle until it is closed

    [[nodiscard]] bool assumes_session_pooling() const noexcept { return session_pooling_; }
    void assume_session_pooling();
    [[nodiscard]] bool accepts_one_lock() const noexcept { return one_lock_; }
    void accept_one_lock();
    [[nodiscard]] bool accepts_local_locks() const noexcept { return local_locks_; }
    void accept_local_locks();
    [[nodiscard]] bool accepts_open_snapshot() const noexcept { return open_snapshot_; }
    void accept_open_snapshot();

    /// A transaction is open, as the server has said behind its last answer, and the caller has not accepted what that can mean.
    [[nodiscard]] bool may_have_snapshot() const noexcept {
        return (handle_->server_status & SERVER_STATUS_IN_TRANS) != 0 && !open_snapshot_;
    }

    /// What an acquiring statement is to compare now.
    [[nodiscard]] sql::terms terms() const noexcept {
        sql::terms of{.who = is_proven() ? sql::served_by{0} : who()};
        if (!local_locks_) of.read_only = server_.read_only();
        if (may_have_snapshot()) of.isolation = server_.isolation();
        return of;
    }

    // --- the locks that this session holds

    struct held_lock {
        std::string key;
        std::uint64_t serial = 0;
        bool release_pending = false;
    };

    struct hash {
        std::size_t operator()(std::string_view key) const noexcept { return std::hash<std::string_view>{}(key); }
    };

    [[nodiscard]] detail::held_locks<held_lock, hash>& held() noexcept { return held_; }
    /// The lock on a key, or null.
    [[nodiscard]] held_lock* find(std::string_view key) noexcept { return held_.find(key); }
    /// The same if it was this grant.
    [[nodiscard]] held_lock* find(std::string_view key, std::uint64_t serial) noexcept;
    /// Makes room, so that remember() cannot throw after the server has granted.
    void reserve(std::string_view key);
    /// The key that was reserved is held now.
    std::uint64_t remember() noexcept;
    void forget(std::string_view key, std::uint64_t serial) noexcept;
    /// The same for the keys of one grant, which is lost as a whole and given back as a whole.
    void reserve(std::span<const std::string> keys);
    std::uint64_t remember_all() noexcept;
    void forget(std::span<const std::string> keys, std::uint64_t serial) noexcept;
    [[nodiscard]] std::vector<std::string> keys_of(std::uint64_t serial);
    /// The session takes no statement now: its next use is to release the lock.
    void set_release_pending(held_lock& lock) noexcept;
    [[nodiscard]] held_lock* find_release_pending() noexcept;
    /// Whether a grant that is not found any more was lost; otherwise it was released.
    [[nodiscard]] bool has_lost(std::uint64_t serial) const noexcept { return serial < lost_below_; }
    void lose_all() noexcept;
    /// Tells when this grant is lost. Watches the connection from then on, as long as anything is held. \pre serves(the session)
    [[nodiscard]] std::stop_token lost(std::uint64_t serial);

    explicit connection(MYSQL* handle) noexcept;

private:
    /// What no two connections share.
    struct greeting {
        unsigned long id;
        std::array<char, 20> scramble;

        explicit greeting(const MYSQL* handle) noexcept;
        friend bool operator==(const greeting&, const greeting&) = default;
    };

    void keep_socket() noexcept { socket_.keep(always_kept_ || !held_.empty()); }

    detail::birthplace made_;
    MYSQL* handle_;
    soci_support::own_socket socket_;
    bool always_kept_ = false;
    greeting greeting_;
    mysql::server server_;
    std::atomic<bool> severed_ = false;  ///< also read by whoever gets a handle at the same address next
    std::string why_;  ///< it was severed
    std::chrono::milliseconds grace_;
    call* call_ = nullptr;
    bool overdue_ = false;
    bool session_pooling_;
    bool local_locks_;
    bool checked_ = false;
    bool one_lock_;
    bool open_snapshot_;
    bool proven_ = false;
    bool can_fence_ = false;
    std::atomic<bool> hides_labels_ = false;  ///< a pipeline is used by many threads
    sql::served_by pooled_{0};
    preparation prepared_ = preparation::due;
    unsigned uses_ = 0;
    std::uint64_t next_serial_ = 1;
    std::uint64_t lost_below_ = 1;
    detail::held_locks<held_lock, hash> held_;
    std::size_t pending_ = 0;  ///< how many of them wait for their release
    std::shared_ptr<detail::loss_signal> losses_;  ///< null until somebody asks
    std::optional<soci_support::end_watch> watch_;
    held_lock spare_;  ///< its string goes to and fro, so that locking the same name again allocates nothing
    std::vector<held_lock> spares_;  ///< for several keys at once
};

}  // namespace dlock::mysql
