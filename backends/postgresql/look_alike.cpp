// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/postgresql/look_alike.hpp>

#include <array>

namespace dlock::postgresql {
namespace {

struct look_alike {
    std::string_view in_version;
    bool unless_yugabyte_has_the_locks;
    const char* why;
};

constexpr std::array look_alikes{
    // https://www.cockroachlabs.com/docs/stable/postgresql-compatibility#advisory-locks
    look_alike{"CockroachDB", false,
               "dlock: CockroachDB has the advisory lock functions, but they lock nothing: lock a row of a table instead"},
    // Its socket server gives all clients one and the same session. https://pglite.dev/docs/pglite-socket
    look_alike{"PGlite", false,
               "dlock: PGlite serves all its clients with one session, which would hold every lock for all of them: use a PostgreSQL server"},
    // Without that setting the functions fail, or with yb_silence_advisory_locks_not_supported_error lock nothing.
    // https://github.com/yugabyte/yugabyte-db/issues/3642
    look_alike{"-YB-", true,
               "dlock: this YugabyteDB has no advisory locks, or is told to pretend (yb_silence_advisory_locks_not_supported_error): use "
               "one with yb_enable_advisory_locks = on, or lock a row of a table instead"},
};

}  // namespace

const char* why_it_excludes_nobody(std::string_view version, std::string_view yugabyte_has_the_locks) noexcept {
    for (const auto& one : look_alikes) {
        if (version.find(one.in_version) == version.npos) continue;
        if (!one.unless_yugabyte_has_the_locks || yugabyte_has_the_locks != "on") return one.why;
    }
    return nullptr;
}

}  // namespace dlock::postgresql
