// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/make_lock.hpp>

#include <memory>

#include <soci/soci.h>

#include <dlock/error.hpp>
#include <dlock/mysql.hpp>
#include <dlock/postgresql.hpp>
#include <dlock/sqlite.hpp>

namespace dlock::detail {
namespace {

/// A lock and the lock directory it is in, which it shares with every other lock made from the same soci::session.
struct lock_beside : private std::shared_ptr<sqlite::session>, public sqlite::lock {
    lock_beside(soci::session& database, std::string_view name)
        : std::shared_ptr<sqlite::session>{sqlite::session_beside(database)},
          sqlite::lock{**static_cast<std::shared_ptr<sqlite::session>*>(this), name} {}
};

}  // namespace

std::string backend_name(soci::session& session) {
    auto* const native = session.get_backend();
    if (native == nullptr) throw lock_error{errc::lost, "dlock: the session is not connected"};
    return native->get_backend_name();
}

any_lock postgresql_entry::make(soci::session& session, std::string_view name) { return any_lock::of<postgresql::lock>(session, name); }

any_lock mysql_entry::make(soci::session& session, std::string_view name) { return any_lock::of<mysql::lock>(session, name); }

any_lock sqlite_entry::make(soci::session& session, std::string_view name) { return any_lock::of<lock_beside>(session, name); }

}  // namespace dlock::detail
