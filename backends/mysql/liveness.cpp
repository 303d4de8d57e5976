// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/mysql/liveness.hpp>

#include <algorithm>
#include <string>

#include <soci/mysql/soci-mysql.h>
#include <soci/soci.h>

#include <dlock/error.hpp>
#include <dlock/mysql/answer.hpp>
#include <dlock/mysql/connection.hpp>
#include <dlock/mysql/leased_lock.hpp>
#include <dlock/mysql/open_session.hpp>
#include <dlock/soci/breaker.hpp>
#include <dlock/soci/keepalive.hpp>
#include <dlock/soci/stop_event.hpp>

namespace dlock::mysql {
namespace {

using std::chrono::milliseconds;

}  // namespace

void bound_silence(soci::session& session, std::chrono::seconds bound) {
    const soci_support::keepalive probes{bound};
    probes.apply_to(mysql_get_socket(handle_of(session)));
}

void set_grace(soci::session& session, milliseconds grace) {
    soci_support::check_grace(grace);
    connection::of(session)->set_grace(grace);
}

std::shared_ptr<soci::session> leasing::connect(const std::string& connection) { return mysql::open_session(connection); }

void leasing::begin_lease(soci::session& session, milliseconds lease) {
    bound_silence(session);
    connection::of(session)->keep_always();
    auto* const handle = handle_of(session);
    constexpr my_bool never = 0;  // the next connection would have no limit
    mysql_optionsv(handle, MYSQL_OPT_RECONNECT, &never);
    const std::string sql = "SET SESSION wait_timeout = " + std::to_string(std::chrono::ceil<std::chrono::seconds>(lease).count());
    const auto on = connection::of(session);
    on->set_grace(std::min(lease, soci_support::default_grace));
    if (const auto failed = execute(*on, sql)) throw on->error(*failed);
}

bool leasing::heartbeat(soci::session& session, milliseconds longest) noexcept {
    std::shared_ptr<connection> on;
    try {
        on = connection::of(session);
    } catch (const std::exception&) {
        return false;
    }
    constexpr std::string_view ping = "DO 0";
    if (longest > milliseconds::zero() && on->is_alive() && mysql_send_query(on->handle(), ping.data(), ping.size()) == 0 &&
        soci_support::stop_event::wait_for(mysql_get_socket(on->handle()), longest) && mysql_read_query_result(on->handle()) == 0) {
        return true;
    }
    on->sever("the server did not answer a heartbeat: the session was ended, and with it the lock on it");
    return false;
}

std::function<void()> leasing::breaker(soci::session& session) {
    return soci_support::breaker(mysql_get_socket(handle_of(session)));
}

}  // namespace dlock::mysql
