// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/mysql/answer.hpp>

#include <algorithm>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include <mysql.h>
#include <mysqld_error.h>
#include <poll.h>

#include <ma_pvio.h>  // needs mysql.h

#include <dlock/mysql/error.hpp>
#include <dlock/mysql/killer.hpp>
#include <dlock/mysql/set_sql.hpp>
#include <dlock/soci/errand.hpp>

namespace dlock::mysql {
namespace {

using soci_support::patience;

/// The second connection, and what it does, in a thread of its own: connecting may take seconds.
class killing {
public:
    /// Unless one is on its way.
    void request(connection& on, std::string_view sql) noexcept {
        if (errand_.runs()) return;
        try {
            if (!other_ || !other_->is_connected) other_ = std::make_shared<other>(on.handle(), std::string{sql});
            errand_.start([with = other_, id = on.id()] {
                if (!with->is_connected) {
                    if (auto why = with->hand.connect(); !why.empty()) return why;
                    with->is_connected = true;
                }
                return with->hand.kill_query(id, with->statement);
            });
        } catch (const std::exception&) {
            // no memory for it now: the next one may find some
        }
    }
    [[nodiscard]] const soci_support::errand& errand() const noexcept { return errand_; }

private:
    /// One errand at a time uses it.
    struct other {
        other(MYSQL* first, std::string sql) : hand{first}, statement{std::move(sql)} {}
        killer hand;
        std::string statement;
        bool is_connected = false;
    };
    std::shared_ptr<other> other_;
    soci_support::errand errand_;
};

/// The driver reconnects while it sends (reconnect=1). The connection that it has left is closed here too.
void lose_if_replaced(connection& on) noexcept {
    if (on.was_replaced()) on.lose_all();
}

void give_up(connection& on, const patience& until, const char* awaited, const soci_support::errand& kill) noexcept {
    lose_if_replaced(on);  // or sever() would end the connection that the driver has left
    try {
        std::string why = "the server did not answer " + std::string{awaited} + " " + until.text();
        if (const auto failure = kill.failure(); !failure.empty()) why += " (the KILL QUERY for it failed: " + failure + ")";
        on.sever((why + ": the session was ended, and with it every lock on it").c_str());
    } catch (const std::exception&) {
        on.sever("the server did not answer: the session was ended, and with it every lock on it");
    }
}

/// Returns when the answer's rows can be read. False: there are none, but an error.
bool exchange(connection& on, std::string_view sql, patience until, const char* awaited, std::string_view shown = {}) noexcept {
    MYSQL* const handle = on.handle();
    if (mysql_send_query(handle, sql.data(), sql.size()) != 0) return false;
    const int socket = mysql_get_socket(handle);
    killing kill;
    // A read timeout of the session would end a wait; poll(2) has none.
    for (auto now = until.is_answered_at_once(socket) ? patience::verdict::ready : patience::verdict::interrupt; now != patience::verdict::ready;) {
        now = until.wait(socket, POLLIN);
        if (now == patience::verdict::interrupt) kill.request(on, shown.empty() ? sql : shown);
        if (now != patience::verdict::over) continue;
        give_up(on, until, awaited, kill.errand());
        return false;
    }
    on.set_overdue(until.is_overdue());
    const bool answered = mysql_read_query_result(handle) == 0;
    // A KILL QUERY that is still on its way would hit whatever the connection does next: then there is no next.
    if (until.attempts() != 0 && !kill.errand().wait(until.left())) {
        lose_if_replaced(on);
        on.sever("a KILL QUERY did not get through in time, and may come for another statement: the session was ended, and with it every lock on it");
    }
    return answered;
}

errc failure(connection& on) noexcept {
    // An answer without rows and without an error is none to a SELECT: who answers there?
    const errc reason = mysql_errno(on.handle()) == 0 ? errc::lost : reason_of(on.handle());
    if (reason == errc::lost && !on.was_replaced()) on.sever();
    return reason;
}

answer row_of(connection& on, std::string_view sql, const patience& until, const char* awaited, std::string_view shown) noexcept {
    const read_limit limit{on.handle(), on.grace()};
    if (!exchange(on, sql, until, awaited, shown)) return {failure(on), {}};
    result row{mysql_use_result(on.handle())};  // read where the driver received it, not copied
    if (!row.has_row()) return {failure(on), {}};
    answer said{{}, row.number(0)};
    if (row.columns() > 1) said.id = static_cast<unsigned long>(row.number(1).value_or(0));
    row.next();  // a statement can still fail behind its row
    if (mysql_errno(on.handle()) != 0) return {failure(on), {}};
    return said;
}

result rows_of(connection& on, std::string_view sql) noexcept {
    const read_limit limit{on.handle(), on.grace()};
    if (!exchange(on, sql, on.answering(), "a question")) return result{failure(on)};
    if (auto* const rows = mysql_store_result(on.handle())) return result{rows};
    return result{failure(on)};
}

}  // namespace

read_limit::read_limit(MYSQL* handle, std::chrono::milliseconds limit) noexcept : handle_{handle}, of_{handle->net.pvio} {
    if (of_ == nullptr) return;
    auto& current = handle->net.pvio->timeout[PVIO_READ_TIMEOUT];
    before_ = current;
    if (current <= 0 || current > limit.count()) current = static_cast<int>(limit.count());
}

read_limit::~read_limit() {
    if (of_ != nullptr && handle_->net.pvio == of_) handle_->net.pvio->timeout[PVIO_READ_TIMEOUT] = before_;
}

answer ask(connection& on, std::string_view sql, patience until, const char* awaited, std::string_view shown) noexcept {
    const auto said = row_of(on, sql, until, awaited, shown);
    lose_if_replaced(on);
    return said;
}

result query(connection& on, std::string_view sql) noexcept {
    auto said = rows_of(on, sql);
    lose_if_replaced(on);
    return said;
}

std::optional<errc> execute(connection& on, std::string_view sql) noexcept {
    const read_limit limit{on.handle(), on.grace()};
    const bool executed = exchange(on, sql, on.answering(), "a statement");
    lose_if_replaced(on);
    if (executed) return std::nullopt;
    return failure(on);
}

holder holder_of(const result& row) {
    constexpr unsigned of_labels = 4;  // sql::processes has eight or nine
    if (row.columns() == of_labels) return {std::string{row.text(0)}, std::string{row.text(3)}};
    std::string who{row.text(1)};
    if (!who.empty()) who.append("@").append(row.text(2));
    return {std::string{row.text(0)}, std::move(who)};
}

void add_label(std::vector<holder>& to, const holder& labelled) {
    if (labelled.description.empty()) return;
    for (auto& one : to) {
        if (one.session == labelled.session) one.description = labelled.description + (one.description.empty() ? "" : " ") + one.description;
    }
}

void note_hidden_labels(connection& on, unsigned native) noexcept {
    switch (native) {
        case ER_BAD_DB_ERROR:
        case ER_NO_SUCH_TABLE:
        case ER_DBACCESS_DENIED_ERROR:
        case ER_TABLEACCESS_DENIED_ERROR:
        case ER_COLUMNACCESS_DENIED_ERROR: on.set_hides_labels(); break;
        default: break;  // settings of the session, which can change, or a KILL QUERY
    }
}

void add_labels(connection& on, std::vector<holder>& to) {
    if (to.empty() || on.hides_labels()) return;
    std::string ids;
    for (const auto& one : to) ids.append(ids.empty() ? "" : ",").append(one.session);
    sql::long_text text{400 + ids.size()};
    auto said = query(on, sql::labels(text, ids).view());
    for (; said.ok() && said.has_row(); said.next()) add_label(to, holder_of(said));
    if (said.ok()) return;
    if (said.reason() == errc::lost) throw on.error(errc::lost);
    note_hidden_labels(on, mysql_errno(on.handle()));
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
    if (!who.ok()) throw on.error(who.reason());
    for (; who.has_row(); who.next()) {
        for (auto& one : found) {
            if (one.session == who.text(0)) one = holder_of(who);
        }
    }
    return found;
}

}  // namespace dlock::mysql
