// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/postgresql/liveness.hpp>

#include <algorithm>

#include <soci/soci.h>

#include <dlock/deadline.hpp>
#include <dlock/error.hpp>
#include <dlock/postgresql/answer.hpp>
#include <dlock/postgresql/connection.hpp>
#include <dlock/postgresql/error.hpp>
#include <dlock/postgresql/leased_lock.hpp>
#include <dlock/postgresql/open_session.hpp>
#include <dlock/postgresql/quiet.hpp>
#include <dlock/postgresql/result.hpp>
#include <dlock/soci/breaker.hpp>
#include <dlock/soci/keepalive.hpp>
#include <dlock/soci/stop_event.hpp>

namespace dlock::postgresql {
namespace {

using std::chrono::milliseconds;

/// Of those settings that this server knows.
result set(connection& on, const std::string& settings) {
    const std::string sql = "SELECT pg_catalog.set_config(name, value, false) FROM (VALUES " + settings +
                            ") AS wanted (name, value) WHERE pg_catalog.current_setting(name, true) IS NOT NULL";
    auto answer = execute(on, sql.c_str(), "a setting");
    if (!answer.ok()) throw on.error(answer);
    return answer;
}

std::string setting(const char* name, long long value) {
    return std::string{"('"} + name + "', '" + std::to_string(value) + "')";
}

}  // namespace

void bound_silence(soci::session& session, std::chrono::seconds bound) {
    const soci_support::keepalive probes{bound};
    const auto on = connection::of(session);
    if (PQtransactionStatus(on->handle()) != PQTRANS_IDLE) {
        throw lock_error{errc::unsupported, "dlock: bound_silence() needs a session outside a transaction"};
    }
    (void)set(*on, setting("tcp_keepalives_idle", probes.idle.count()) + ", " +
                       setting("tcp_keepalives_interval", probes.interval.count()) + ", " +
                       setting("tcp_keepalives_count", probes.count) + ", " +
                       setting("tcp_user_timeout", probes.user_timeout.count()) + ", " +
                       setting("client_connection_check_interval", 1000));
    probes.apply_to(PQsocket(on->handle()));
}

void set_grace(soci::session& session, milliseconds grace) {
    soci_support::check_grace(grace);
    connection::of(session)->set_grace(grace);
}

std::shared_ptr<soci::session> leasing::connect(const std::string& connection) { return postgresql::open_session(connection); }

void leasing::begin_lease(soci::session& session, milliseconds lease) {
    const auto on = connection::of(session);
    on->keep_always();
    keep_quiet(on->handle());  // the session is dlock's own: its notices are for nobody's stderr
    on->set_grace(std::min(lease, soci_support::default_grace));
    bound_silence(session);
    if (set(*on, setting("idle_session_timeout", lease.count())).rows() == 0) {
        throw lock_error{errc::unsupported, "dlock: a leased lock needs idle_session_timeout, that is PostgreSQL 14 or newer"};
    }
}

bool leasing::heartbeat(soci::session& session, milliseconds longest) noexcept {
    std::shared_ptr<connection> on;
    try {
        on = connection::of(session);
    } catch (const std::exception&) {
        return false;
    }
    auto* const handle = on->handle();
    const auto until = deadline::after(longest);
    if (longest > milliseconds::zero() && PQsendQuery(handle, "SELECT 1") != 0) {
        while (PQisBusy(handle) != 0 && !until.expired()) {
            if (soci_support::stop_event::wait_for(PQsocket(handle), until.remaining<milliseconds>()) && PQconsumeInput(handle) == 0) break;
        }
        if (PQisBusy(handle) == 0) {
            bool answered = false;
            while (const result next{PQgetResult(handle)}) answered = next.ok();
            if (answered) return true;
        }
    }
    on->sever("the server did not answer a heartbeat: the session was ended, and with it the lock on it");
    return false;
}

std::function<void()> leasing::breaker(soci::session& session) {
    return soci_support::breaker(PQsocket(connection::of(session)->handle()));
}

}  // namespace dlock::postgresql
