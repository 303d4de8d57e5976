// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/set_label.hpp>

#include <string>

#include <dlock/error.hpp>
#include <dlock/make_lock.hpp>
#include <dlock/mysql/backend.hpp>
#include <dlock/postgresql/backend.hpp>
#include <dlock/sqlite/session.hpp>

namespace dlock {

void set_label(soci::session& session, std::string_view label) {
    const auto backend = detail::backend_name(session);
    if (backend == detail::postgresql_entry::backend) return postgresql::set_label(session, label);
    if (backend == detail::mysql_entry::backend) return mysql::set_label(session, label);
    if (backend == detail::sqlite_entry::backend) return sqlite::set_label(session, label);
    throw lock_error{errc::unsupported, "dlock: no label is known for a session of '" + backend + "'"};
}

}  // namespace dlock
