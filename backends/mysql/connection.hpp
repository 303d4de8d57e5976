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
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <mysql.h>

#include <dlock/detail/held_locks.hpp>
#include <dlock/mysql/server.hpp>
#include <dlock/soci/end_watch.hpp>
#include <dlock/soci/fwd.hpp>
#include <dlock/soci/shared_handle_members.hpp>

namespace dlock::mysql {

/// The driver's handle of the session.
/// \throws lock_error  lost: not connected; unsupported: not a MySQL session
[[nodiscard]] MYSQL* handle_of(soci::session& session);

class connection {
public:
    /// The state of the session's connection, made at its first use.
    /// \throws lock_error  as handle_of()
    [[nodiscard]] static std::shared_ptr<connection> of(soci::session& session);

    /// How many states are kept for connections, those that have ended included: bounded by twice the sessions in use.
    [[nodiscard]] static std::size_t count();

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
    /// \pre serves(the session)
    void sever() noexcept;

    /// Whether the driver has put another connection behind the handle. \pre the session has this handle
    [[nodiscard]] bool was_replaced() const noexcept { return greeting{handle_} != greeting_; }

    // --- who it is

    /// The id that CONNECTION_ID() must give. Behind a pooler it is another one than the handle's, and 0 until it was asked for.
    [[nodiscard]] unsigned long id() const noexcept { return session_pooling_ ? pooled_id_ : greeting_.id; }
    void set_pooled_id(unsigned long id) noexcept { pooled_id_ = id; }

    /// The server has confirmed id() with an answer, and neither a pooler nor the driver can change it unseen.
    [[nodiscard]] bool is_proven() const noexcept {
        return proven_ && !session_pooling_ && handle_->options.reconnect == 0;
    }
    [[nodiscard]] bool has_been_proven() const noexcept { return proven_; }

    /// The preflight has found nothing against this server.
    [[nodiscard]] bool is_checked() const noexcept { return checked_ || local_locks_; }
    void set_checked() noexcept { checked_ = true; }
    void prove() noexcept { proven_ = true; }

    /// The second in which the server was started is over: its UUID_SHORT() can be told from that of the next start.
    [[nodiscard]] bool can_fence() const noexcept { return can_fence_; }
    void set_can_fence() noexcept { can_fence_ = true; }

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

    MYSQL* handle_;
    greeting greeting_;
    mysql::server server_;
    std::atomic<bool> severed_ = false;  ///< also read by whoever gets a handle at the same address next
    bool session_pooling_;
    bool local_locks_;
    bool checked_ = false;
    bool one_lock_;
    bool open_snapshot_;
    bool proven_ = false;
    bool can_fence_ = false;
    unsigned long pooled_id_ = 0;
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
