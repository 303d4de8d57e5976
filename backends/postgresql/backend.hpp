// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// PostgreSQL's advisory locks as backends: session-level (advisory) and transaction-level (transaction_advisory).
// https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
//
// dlock works on the connection inside the caller's soci::session and beside SOCI: its statements are prepared once per
// connection under names of their own ("dlock_…"), and its state lives and dies with the connection, so that a
// reconnect, a reset or a DISCARD ALL is seen as what it is: the loss of every lock.
//
// Inside a caller's transaction every statement runs between savepoints: a wait that fails leaves the transaction usable
// and its settings as they were.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string_view>
#include <vector>

#include <dlock/backend.hpp>
#include <dlock/deadline.hpp>
#include <dlock/detail/fixed_string.hpp>
#include <dlock/fencing_token.hpp>
#include <dlock/postgresql/key.hpp>
#include <dlock/postgresql/liveness.hpp>
#include <dlock/soci/fwd.hpp>
#include <dlock/soci/shared_handle.hpp>

namespace dlock::postgresql {

class connection;

/// The connection that the server granted on. The lock is lost as soon as the session has another.
struct grant {
    soci_support::shared_handle<connection> on;
    std::uint64_t serial = 0;  ///< which of the connection's grants
    fencing_token token{};     ///< of a fenced lock
};

/// What both levels have in common.
struct advisory_base {
    using session_type = soci::session;
    using key_type = postgresql::key;
    using grant_type = grant;
    static constexpr bool has_shared = true;

    static void check(session_type&, const key_type&) noexcept {}  // every key is as good as any other
    [[nodiscard]] static std::vector<holder> holders(session_type& session, const key_type& key);
    [[nodiscard]] static bool still_held(session_type& session, const key_type& key, mode m, const grant_type& granted) noexcept;
    [[nodiscard]] static std::stop_token lost(session_type& session, const key_type& key, mode m, const grant_type& granted);
};

/// Session-level: held until unlock() or the end of the session, across transactions.
struct advisory : advisory_base {
    [[nodiscard]] static std::optional<grant_type> try_acquire(session_type& session, const key_type& key, mode m);
    [[nodiscard]] static std::optional<grant_type> acquire_until(session_type& session, const key_type& key, mode m, deadline until,
                                                                 const std::stop_token& stop);
    [[nodiscard]] static released release(session_type& session, const key_type& key, mode m, const grant_type& granted) noexcept;
    static void sever(session_type& session, const grant_type& granted) noexcept;
};

namespace fencing {

/// \param fence  the sequence to draw from, qualified and quoted
/// \param until  null: only try
[[nodiscard]] std::optional<grant> acquire(soci::session& session, const key& key, mode m, const char* fence, const deadline* until,
                                           const std::stop_token& stop);

/// "Schema".dlock_fence
template <detail::fixed_string Schema>
constexpr auto name_in() {
    constexpr auto size_of = [](char c) { return c == '"' ? 2U : 1U; };
    constexpr std::size_t size = [&] {
        std::size_t all = 0;
        for (const char c : Schema.view()) all += size_of(c);
        return all;
    }();
    detail::fixed_string<size> schema;
    std::size_t at = 0;
    for (const char c : Schema.view()) {
        for (unsigned i = 0; i < size_of(c); ++i) schema.text[at++] = c;
    }
    return detail::fixed_string{"\""} + schema + detail::fixed_string{"\".dlock_fence"};
}

}  // namespace fencing

/// Session-level, with a fencing token: a number of the sequence dlock_fence of a schema, which create_fence() creates.
///
/// The schema is part of the type: a session that connects anew must not draw from another sequence.
///
/// The numbers increase across keys, holders, sessions and crashes of the server. They can repeat after a failover to an
/// asynchronous standby, after a restore, and on a server that runs with fsync = off when the machine crashes. Inside an
/// open transaction a crash would take the number back, so there the lock throws errc::unsupported.
template <detail::fixed_string Schema>
struct fenced_advisory_in : advisory {
    static_assert(!Schema.view().empty() && !Schema.contains('\0'), "dlock: the name of a schema is empty or has a NUL");
    static_assert(Schema.view().size() < 64, "dlock: PostgreSQL cuts the name of a schema after 63 bytes");

    [[nodiscard]] static std::optional<grant_type> try_acquire(session_type& session, const key_type& key, mode m) {
        return fencing::acquire(session, key, m, fence_.c_str(), nullptr, {});
    }
    [[nodiscard]] static std::optional<grant_type> acquire_until(session_type& session, const key_type& key, mode m, deadline until,
                                                                 const std::stop_token& stop) {
        return fencing::acquire(session, key, m, fence_.c_str(), &until, stop);
    }
    [[nodiscard]] static fencing_token token(const grant_type& granted) noexcept { return granted.token; }

private:
    static constexpr auto fence_ = fencing::name_in<Schema>();
};

struct fenced_advisory : fenced_advisory_in<"public"> {};

/// Transaction-level: held until the transaction ends.
struct transaction_advisory : advisory_base {
    [[nodiscard]] static std::optional<grant_type> try_acquire(session_type& session, const key_type& key, mode m);
    [[nodiscard]] static std::optional<grant_type> acquire_until(session_type& session, const key_type& key, mode m, deadline until,
                                                                 const std::stop_token& stop);
};

static_assert(backend<advisory> && fencing_backend<fenced_advisory> && transaction_backend<transaction_advisory>);
static_assert(loss_signalling_backend<advisory> && loss_signalling_backend<transaction_advisory>);

/// Creates the sequence that fenced locks draw from, unless it is there. Needs CREATE on the schema then; users of fenced
/// locks need USAGE on the sequence and on the schema.
/// \throws lock_error  unsupported: there is one whose numbers do not rise for everybody (CACHE, CYCLE), or it cannot be created;
///                     lost, server_error
/// \throws std::invalid_argument  an empty name, or one with a NUL
/// Round trips: one when it is there, else three.
void create_fence(soci::session& session, std::string_view schema = "public");

/// What holders() shows of this session in front of its user: application_name, for as long as the session lives.
///
/// The server keeps the first 63 bytes and replaces what is not printable ASCII. RESET ALL, DISCARD ALL, a reconnect, and a pool
/// that does one of them, go back to the application_name of the connection string, which is the place for a label that stays.
/// https://www.postgresql.org/docs/current/runtime-config-logging.html#GUC-APPLICATION-NAME
/// \throws lock_error  unsupported inside a transaction, whose rollback would take it back; lost, server_error
/// \throws std::invalid_argument  a label with a NUL
/// Round trips: one.
void set_label(soci::session& session, std::string_view label);

/// Declares that the pooler in front of this session gives it one server connection for as long as it lives (PgBouncer:
/// pool_mode = session). Without it a session-level lock throws errc::unsupported behind any pooler, because one that
/// shares server connections lets two clients hold the same lock.
///
/// The promise is checked, now and by each statement: the server's session gets a mark, the setting dlock.mark. One that has somebody else's
/// mark is shared, or was not reset after its last client; a changed backend or mark is a loss.
/// https://www.pgbouncer.org/config.html#pool_mode
/// \throws lock_error  unsupported: the promise is not true; lost, server_error. Round trips: two, the first time.
void assume_session_pooling(soci::session& session);

}  // namespace dlock::postgresql
