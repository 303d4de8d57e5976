// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A lock that the server takes back from a holder that has stopped breathing: see basic_leased_lock.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <dlock/detail/chrono.hpp>
#include <dlock/keys/verbatim_key.hpp>
#include <dlock/leased_lock.hpp>
#include <dlock/mysql/backend.hpp>
#include <dlock/soci/fwd.hpp>

namespace dlock::mysql {

/// What basic_leased_lock needs: see leasing_backend. The server ends the session by wait_timeout, in whole seconds.
/// https://mariadb.com/kb/en/server-system-variables/#wait_timeout
struct leasing {
    /// \throws lock_error  as mysql::open_session()
    [[nodiscard]] static std::shared_ptr<soci::session> connect(const std::string& connection);
    /// \throws lock_error  lost
    static void begin_lease(soci::session& session, std::chrono::milliseconds lease);
    [[nodiscard]] static bool heartbeat(soci::session& session, std::chrono::milliseconds longest) noexcept;
    [[nodiscard]] static std::function<void()> breaker(soci::session& session);
};

struct leasing_named : named, leasing {};
struct leasing_fenced_named : fenced_named, leasing {};

using leased_lock = basic_leased_lock<leasing_named, verbatim_key<64>>;
using leased_fenced_lock = basic_leased_lock<leasing_fenced_named, verbatim_key<64>>;

}  // namespace dlock::mysql
