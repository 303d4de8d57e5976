// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The named locks of MySQL and MariaDB (GET_LOCK) as a backend.
// https://dev.mysql.com/doc/refman/8.0/en/locking-functions.html
// https://mariadb.com/kb/en/get_lock/
//
// Independent of transactions: neither COMMIT nor ROLLBACK ends a lock, and it is released in any state of one. It is taken in any but
// one that is REPEATABLE READ, where the new holder could read what was there before the lock: see accept_open_snapshot().
//
// dlock works on the connection inside the caller's soci::session and beside SOCI. It never asks a server connection for
// a lock before it is proven to be the one behind this session: a pooler that shares server connections gets nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <dlock/backend.hpp>
#include <dlock/deadline.hpp>
#include <dlock/fencing_token.hpp>
#include <dlock/mysql/liveness.hpp>
#include <dlock/soci/fwd.hpp>
#include <dlock/soci/shared_handle.hpp>

namespace dlock::mysql {

class connection;

/// The connection that the server granted on. The lock is lost as soon as the session has another.
struct grant {
    soci_support::shared_handle<connection> on;
    std::uint64_t serial = 0;  ///< which of the connection's grants
    fencing_token token{};     ///< of a fenced lock
};

struct named {
    using session_type = soci::session;
    using key_type = std::string;
    using grant_type = grant;
    static constexpr bool has_shared = false;

    /// \throws lock_error  bad_key, with the limit: MariaDB takes 1…192 bytes of UTF-8 without NUL; MySQL, which folds
    ///                     case, 1…64 characters of ASCII without upper-case letters and NUL. Also lost and unsupported:
    ///                     the session is not connected, or not to such a server.
    static void check(session_type& session, const key_type& key);

    [[nodiscard]] static std::optional<grant_type> try_acquire(session_type& session, const key_type& key, mode m);
    [[nodiscard]] static std::optional<grant_type> acquire_until(session_type& session, const key_type& key, mode m,
                                                                 deadline until, const std::stop_token& stop);
    [[nodiscard]] static bool still_held(session_type& session, const key_type& key, mode m,
                                         const grant_type& granted) noexcept;
    [[nodiscard]] static std::stop_token lost(session_type& session, const key_type& key, mode m, const grant_type& granted);
    [[nodiscard]] static released release(session_type& session, const key_type& key, mode m,
                                          const grant_type& granted) noexcept;
    static void sever(session_type& session, const grant_type& granted) noexcept;
    [[nodiscard]] static std::vector<holder> holders(session_type& session, const key_type& key);
};

/// With a fencing token: the server's UUID_SHORT(), in the same statement and after the grant. It needs no table and no right.
///
/// The numbers are 8 bits of the server's server_id, 32 of the second it was started in, 24 of a counter. They increase across
/// keys, holders, sessions, transactions and restarts of one server, also after a crash, as long as its clock is not set back
/// before the last start and server_id does not get smaller. They can decrease with a failover to another server, as the lock
/// itself does not survive one. In the first second of a server's life the first lock on a connection waits until that
/// is over: a server that starts twice in one second would give the same numbers again.
struct fenced_named : named {
    [[nodiscard]] static std::optional<grant_type> try_acquire(session_type& session, const key_type& key, mode m);
    [[nodiscard]] static std::optional<grant_type> acquire_until(session_type& session, const key_type& key, mode m,
                                                                 deadline until, const std::stop_token& stop);
    [[nodiscard]] static fencing_token token(const grant_type& granted) noexcept { return granted.token; }
};

static_assert(backend<named> && loss_signalling_backend<named> && fencing_backend<fenced_named>);

/// Declares that the pooler in front of this session gives it one server connection for as long as it lives. Without it a
/// lock throws errc::unsupported behind any pooler, because one that shares server connections lets two clients hold the
/// same lock. Holds until the session reconnects.
///
/// The promise is checked, now and by each statement: the server's session gets a mark, the variable @dlock_mark. One that has somebody else's
/// mark is shared, or was not reset after its last client; a changed connection or mark is a loss.
/// \throws lock_error  unsupported: the promise is not true; lost, server_error. Round trips: two, the first time.
void assume_session_pooling(soci::session& session);

/// Declares that everybody who wants these locks connects to this very server. Without it a lock throws errc::unsupported on
/// a node of a Galera cluster and on a read-only server, because the named locks of one server exclude nobody on another.
/// Holds until the session reconnects.
/// \throws lock_error  lost, unsupported. No round trip.
void accept_local_locks(soci::session& session);

/// What holders() shows of this session in front of its user, for as long as the session lives: the user variable @dlock_label. Nothing
/// takes it away. Before the first lock, in a transaction, under a lock: at any time.
///
/// It shows where the server's performance_schema is on (MySQL's default, not MariaDB's) and has user_variables_by_thread (MySQL 5.7,
/// MariaDB 10.5), to whoever may SELECT from that table and from threads; elsewhere holders() says user@host. A reconnect, and a
/// pool that resets the connection, take it away. Behind a pooler that shares server connections it does nothing.
/// https://mariadb.com/kb/en/performance-schema-user_variables_by_thread-table/
/// \throws lock_error  lost; unsupported: the rows of another statement are unread; server_error
/// \throws std::invalid_argument  a label of more than 200 bytes, that is not UTF-8, or with a NUL
/// Round trips: one, and one more behind a pooler, the first time.
void set_label(soci::session& session, std::string_view label);

/// Declares that what is done under this session's locks reads with FOR UPDATE or LOCK IN SHARE MODE, or does not mind rows that
/// are older than the lock. Without it a lock throws errc::unsupported while a transaction is open that is REPEATABLE READ, the
/// default: a read before the lock has fixed what the reads behind it see, and whether there was one the server does not tell.
/// Holds until the session reconnects.
/// \throws lock_error  lost, unsupported. No round trip.
void accept_open_snapshot(soci::session& session);

/// Accepts a server that keeps one named lock per session (MySQL before 5.7.5, MariaDB before 10.0.2), where a second
/// GET_LOCK would silently free the first. Without it a lock throws errc::unsupported there. With it the session holds one
/// lock at a time and throws errc::unsupported for a second; statements of your own must then not call GET_LOCK on this
/// session. No effect on other servers. Holds until the session reconnects.
/// \throws lock_error  lost, unsupported. No round trip.
void accept_one_lock_per_session(soci::session& session);

}  // namespace dlock::mysql
