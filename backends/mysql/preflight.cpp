// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/mysql/preflight.hpp>

#include <dlock/error.hpp>
#include <dlock/mysql/answer.hpp>
#include <dlock/mysql/sql.hpp>

namespace dlock::mysql {

void ask_for_id(connection& on) {
    if (on.id() != 0) return;
    const auto answer = ask(on, sql::connection_id);
    if (answer.failed) throw on.error(*answer.failed);
    on.set_pooled_id(static_cast<unsigned long>(answer.value.value_or(0)));
    on.prove();
}

void preflight(connection& on) {
    if (on.is_checked()) return;
    auto variables = query(on, sql::preflight);
    if (!variables.ok()) throw on.error(variables.reason());
    for (; variables.has_row(); variables.next()) {
        if (variables.text(1) != "ON") continue;
        throw lock_error{
            errc::unsupported,
            variables.text(0) == "wsrep_on"
                ? "dlock: a named lock of a Galera cluster is one of its node, and excludes nobody on the others: if everybody who "
                  "wants it connects to this node, call mysql::accept_local_locks()"
                : "dlock: this server is read-only, a replica perhaps, whose locks exclude nobody on the primary: connect to the "
                  "primary, or, if everybody who wants the lock connects to this server, call mysql::accept_local_locks()"};
    }
    on.set_checked();
}

}  // namespace dlock::mysql
