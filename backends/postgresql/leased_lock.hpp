// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A lock that the server takes back from a holder that has stopped breathing: see basic_leased_lock.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <dlock/detail/chrono.hpp>
#include <dlock/keys/hashed_key.hpp>
#include <dlock/leased_lock.hpp>
#include <dlock/postgresql/backend.hpp>
#include <dlock/soci/fwd.hpp>

namespace dlock::postgresql {

/// What basic_leased_lock needs: see leasing_backend. The server ends the session by idle_session_timeout.
/// https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-IDLE-SESSION-TIMEOUT
struct leasing {
    /// \throws lock_error  as postgresql::open_session()
    [[nodiscard]] static std::shared_ptr<soci::session> connect(const std::string& connection);
    /// \throws lock_error  lost; unsupported: older than PostgreSQL 14
    static void begin_lease(soci::session& session, std::chrono::milliseconds lease);
    [[nodiscard]] static bool heartbeat(soci::session& session, std::chrono::milliseconds longest) noexcept;
    [[nodiscard]] static std::function<void()> breaker(soci::session& session);
};

struct leasing_advisory : advisory, leasing {};
struct leasing_fenced_advisory : fenced_advisory, leasing {};
template <detail::fixed_string Schema>
struct leasing_fenced_advisory_in : fenced_advisory_in<Schema>, leasing {};

using leased_lock = basic_leased_lock<leasing_advisory, hashed_key>;
using leased_fenced_lock = basic_leased_lock<leasing_fenced_advisory, hashed_key>;
template <detail::fixed_string Schema>
using leased_fenced_lock_in = basic_leased_lock<leasing_fenced_advisory_in<Schema>, hashed_key>;

}  // namespace dlock::postgresql
