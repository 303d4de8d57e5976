// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/mysql/preflight.hpp>

#include <cstdint>
#include <string>
#include <string_view>

#include <mysqld_error.h>

#include <dlock/error.hpp>
#include <dlock/mysql/answer.hpp>
#include <dlock/mysql/ready.hpp>
#include <dlock/mysql/sql.hpp>

namespace dlock::mysql {
namespace {

/// A variable is a number or, since MariaDB 12, a word: read_only has more of them than OFF and ON.
bool is_on(std::string_view value) noexcept { return value != "0" && value != "OFF" && !value.empty(); }

}  // namespace

void ask_for_id(connection& on) {
    if (!on.assumes_session_pooling()) {
        if (on.id() == 0) refuse(on);  // no server greets with it: a proxy does, which has no server connection yet, or one for many
        return;
    }
    if (on.id() != 0) return;
    const auto mark = on.mark();
    if (const auto failed = execute(on, sql::set_mark(mark).view())) throw on.error(*failed);
    const auto answer = ask(on, sql::connection_id_and_mark);
    if (answer.failed) throw on.error(*answer.failed);
    const auto id = static_cast<unsigned long>(answer.value.value_or(0));
    if (answer.id != mark || id == 0) {  // without an id nothing would be compared
        throw lock_error{errc::unsupported,
                         "dlock: other sessions use this server connection, too, or have left it as it was, so assume_session_pooling() is not true of "
                         "this pooler: have it give each session a server connection of its own, reset between clients, or connect to the server directly"};
    }
    on.set_pooled({id, mark});
    on.prove();
}

void end_unless_ours(connection& on) noexcept {
    if (on.is_severed() || on.was_replaced()) return;
    const auto answer = ask(on, sql::connection_id_and_mark);
    const auto [id, mark] = on.who();
    if (!answer.failed && answer.value == id && (mark == 0 || answer.id == mark)) return;
    if (on.is_severed() || on.was_replaced()) return;
    on.sever("a pooler has put another server connection behind this session, or others into it: it was ended, and every lock on it is lost");
}

void refuse_read_only(const connection& on) {
    throw lock_error{errc::unsupported,
                     std::string{"dlock: this server is read-only, a replica perhaps, whose locks exclude nobody on the primary: connect to the "
                                 "primary, or, if everybody who wants the lock connects to this server, call mysql::accept_local_locks()"} +
                         on.where_to_declare()};
}

void preflight(connection& on) {
    if (on.is_checked()) return;
    auto variables = query(on, sql::preflight);
    if (!variables.ok() && mysql_errno(on.handle()) == ER_UNKNOWN_SYSTEM_VARIABLE) variables = query(on, sql::preflight_without_galera);
    if (!variables.ok()) throw on.error(variables.reason());
    if (!variables.has_row()) throw lock_error{errc::server_error, "dlock: the server does not say whether it is read-only"};
    if (variables.columns() > 1 && is_on(variables.text(1))) {
        throw lock_error{errc::unsupported,
                         std::string{"dlock: a named lock of a Galera cluster is one of its node, and excludes nobody on the others: if everybody who "
                                     "wants it connects to this node, call mysql::accept_local_locks()"} +
                             on.where_to_declare()};
    }
    if (is_on(variables.text(0))) refuse_read_only(on);
    on.set_checked();
}

}  // namespace dlock::mysql
