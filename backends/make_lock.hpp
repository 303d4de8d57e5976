// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The lock for whatever database the session is connected to: the one place that knows every backend.
//
//     soci::session db{url};
//     dlock::any_lock lock = dlock::make_lock(db, "user/001");
//
// The lock is that backend's default: the name hashed on PostgreSQL, verbatim on MySQL and MariaDB, and for SQLite a
// lock directory beside the database file. Programs that know their database write its lock type instead.
#pragma once

#include <string>
#include <string_view>

#include <dlock/any_lock.hpp>
#include <dlock/registry.hpp>
#include <dlock/soci/fwd.hpp>

namespace dlock {

namespace detail {

/// The name that SOCI gives the kind of server.
/// \throws lock_error  lost: the session is not connected
[[nodiscard]] std::string backend_name(soci::session& session);

struct postgresql_entry {
    static constexpr std::string_view backend = "postgresql";
    [[nodiscard]] static any_lock make(soci::session& session, std::string_view name);
};

struct mysql_entry {
    static constexpr std::string_view backend = "mysql";
    [[nodiscard]] static any_lock make(soci::session& session, std::string_view name);
};

struct sqlite_entry {
    static constexpr std::string_view backend = "sqlite3";
    [[nodiscard]] static any_lock make(soci::session& session, std::string_view name);
};

}  // namespace detail

inline constexpr registry<detail::postgresql_entry, detail::mysql_entry, detail::sqlite_entry> default_registry;

/// Not locked yet. No round trip; for SQLite it creates the lock directory beside the database file unless it is there.
/// Threads: one at a time uses `session` and the locks made from it, on SQLite too, where they share one sqlite::session.
/// \pre `session` outlives the lock.
/// \throws lock_error  unsupported: `servers` has no entry for this kind of server, or the SQLite database has no file of which the
///                     identity can be known, or one with several names, or a '"' is in its path, or too much; lost: the
///                     session is not connected, or SQLite's file was renamed, replaced or deleted; server_error: the lock
///                     directory cannot be created; bad_key, as the lock itself
template <class Registry = decltype(default_registry)>
[[nodiscard]] any_lock make_lock(soci::session& session, std::string_view name, const Registry& servers = default_registry) {
    return servers.make(detail::backend_name(session), session, name);
}

}  // namespace dlock
