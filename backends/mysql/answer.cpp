// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/mysql/answer.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include <dlock/mysql/error.hpp>
#include <dlock/mysql/killer.hpp>
#include <dlock/mysql/set_sql.hpp>

namespace dlock::mysql {
namespace {

using namespace std::chrono_literals;
using soci_support::stop_event;

/// Returns when the answer can be read, if only that the connection has ended.
void end_statement(connection& on, int socket, std::string_view sql) noexcept {
    constexpr auto again = 5ms;
    constexpr auto patience = 1s;
    const auto give_up = std::chrono::steady_clock::now() + patience;
    const killer other{on.handle()};
    while (other.is_connected() && std::chrono::steady_clock::now() < give_up) {
        other.kill_query(on.id(), sql);
        if (stop_event::wait_for(socket, again)) return;
    }
    on.sever();
}

/// Returns when the answer's rows can be read. False: there are none, but an error.
bool exchange(connection& on, std::string_view sql, const stop_event& stop) noexcept {
    MYSQL* const handle = on.handle();
    if (mysql_send_query(handle, sql.data(), sql.size()) != 0) return false;
    // A read timeout of the session would end a wait; poll has none.
    if (const int socket = mysql_get_socket(handle); !stop.wait_for(socket)) end_statement(on, socket, sql);
    return mysql_read_query_result(handle) == 0;
}

errc failure(connection& on) noexcept {
    // An answer without rows and without an error is none to a SELECT: who answers there?
    const errc reason = mysql_errno(on.handle()) == 0 ? errc::lost : reason_of(on.handle());
    if (reason == errc::lost && !on.was_replaced()) on.sever();
    return reason;
}

/// The driver reconnects while it sends (reconnect=1). The connection that it has left is closed here too.
void lose_if_replaced(connection& on) noexcept {
    if (on.was_replaced()) on.lose_all();
}

answer row_of(connection& on, std::string_view sql, const stop_event& stop) noexcept {
    if (!exchange(on, sql, stop)) return {failure(on), {}};
    result row{mysql_use_result(on.handle())};  // read where the driver received it, not copied
    if (!row.has_row()) return {failure(on), {}};
    answer said{{}, row.number(0)};
    if (row.columns() > 1) said.id = static_cast<unsigned long>(row.number(1).value_or(0));
    row.next();  // a statement can still fail behind its row
    if (mysql_errno(on.handle()) != 0) return {failure(on), {}};
    return said;
}

result rows_of(connection& on, std::string_view sql) noexcept {
    if (!exchange(on, sql, {})) return result{failure(on)};
    if (auto* const rows = mysql_store_result(on.handle())) return result{rows};
    return result{failure(on)};
}

}  // namespace

answer ask(connection& on, std::string_view sql, const stop_event& stop) noexcept {
    const auto said = row_of(on, sql, stop);
    lose_if_replaced(on);
    return said;
}

result query(connection& on, std::string_view sql) noexcept {
    auto said = rows_of(on, sql);
    lose_if_replaced(on);
    return said;
}

holder holder_of(const result& row) {
    std::string who{row.text(1)};
    if (!who.empty()) who.append("@").append(row.text(2));
    return {std::string{row.text(0)}, std::move(who)};
}

bool cannot_read_processes(const result& failed) noexcept {
    return !failed.ok() && (failed.reason() == errc::server_error || failed.reason() == errc::exhausted);
}

std::vector<holder> describe(connection& on, std::string_view ids) {
    std::vector<holder> found;
    for (std::string_view rest = ids; !rest.empty();) {
        const auto id = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(rest.size(), id.size() + 1));
        const auto is_it = [&](const holder& known) { return known.session == id; };
        if (std::none_of(found.begin(), found.end(), is_it)) found.push_back({std::string{id}, {}});
    }
    if (found.empty()) return found;
    auto who = query(on, sql::connections(ids).view());
    if (cannot_read_processes(who)) who = query(on, sql::processes);
    if (!who.ok()) throw error_from(on.handle(), who.reason());
    for (; who.has_row(); who.next()) {
        for (auto& one : found) {
            if (one.session == who.text(0)) one = holder_of(who);
        }
    }
    return found;
}

}  // namespace dlock::mysql
