// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What one version of a server has and another has not, so far as tests depend on it: the one table of it. A test that
// needs what its server lacks skips, with the sentence that belongs to the trait.
#pragma once

#include <string>

namespace dlock::testing::server_traits {

/// A feature, and why a server does without: empty when it has it.
struct feature {
    const char* lacking;
    explicit operator bool() const noexcept { return *lacking == '\0'; }
};
inline constexpr feature present{""};

struct postgresql {
    int since;  ///< the row holds for this major version and later ones, up to the next row
    const char* no_schema;  ///< the SQLSTATE of a sequence whose schema does not exist
    const char* cafe;       ///< what it makes of the name "café" of an application
    feature unlogged_sequences;
    feature looks_for_its_client;        ///< client_connection_check_interval
    feature leases;                      ///< idle_session_timeout, by which leased_lock works
    feature names_its_backups_since_15;  ///< pg_backup_start(), not pg_start_backup()
};

/// The row of the PostgreSQL that this test runs on. Throws std::runtime_error if it is older than all.
[[nodiscard]] const postgresql& of_postgresql();

struct mysql {
    bool is_mariadb;
    int since;                    ///< as above: 1011 is 10.11
    const char* name;              ///< as cases of tests are called
    const char* root;              ///< whom it calls the user of the tests when it lists sessions
    const char* status;            ///< the schema with the tables session_status and global_status
    const char* killed_wait;       ///< what GET_LOCK() answers after KILL QUERY
    const char* empty_name;        ///< what GET_LOCK('', 0) answers
    /// What a locking read, of any kind in SERIALIZABLE and FOR UPDATE in REPEATABLE READ, makes of a row that another
    /// transaction has changed since the first read: its new value, "2", or an error (innodb_snapshot_isolation, which
    /// MariaDB has on since 11.6). https://mariadb.com/docs/server/server-usage/storage-engines/innodb/innodb-system-variables
    const char* changed_row;
    feature one_lock_per_session;  ///< GET_LOCK() frees the session's other one, folds names, waits in whole seconds
    feature keeps_no_labels;       ///< has no place for mysql::set_label()
};

/// The row of the MariaDB, or the genuine MySQL, that this test runs on.
[[nodiscard]] const mysql& of_mariadb();
[[nodiscard]] const mysql& of_mysql();

/// What stands between a program and its server. docs/proxies.md has a row for each of these.
struct proxy {
    const char* name;  ///< as cases of tests are called
    const char* called;
    bool wants_a_promise;  ///< assume_session_pooling(), without which session locks are refused
    feature keeps_sessions;
    bool speaks_postgresql;
};

inline constexpr feature shares_sessions{"in transaction mode sessions are shared"};

inline constexpr proxy pgbouncer_session{"PgBouncerSession", "PgBouncer, `pool_mode = session`", true, present, true};
inline constexpr proxy pgbouncer_transaction{"PgBouncerTransaction", "PgBouncer, `pool_mode = transaction`", true, shares_sessions, true};
inline constexpr proxy odyssey_session{"OdysseySession", "Odyssey, `pool \"session\"`", true, present, true};
inline constexpr proxy odyssey_transaction{"OdysseyTransaction", "Odyssey, `pool \"transaction\"`", true, shares_sessions, true};
inline constexpr proxy pgpool{"Pgpool", "Pgpool-II, one server", false, present, true};
inline constexpr proxy haproxy_postgresql{"HAProxyPostgreSQL", "HAProxy, `mode tcp`, PostgreSQL", false, present, true};
inline constexpr proxy haproxy_mariadb{"HAProxyMariaDB", "HAProxy, `mode tcp`, MariaDB", false, present, false};
inline constexpr proxy haproxy_mysql{"HAProxyMySQL", "HAProxy, `mode tcp`, MySQL", false, present, false};
inline constexpr proxy router_passing{"RouterPassing", "MySQL Router, TLS passed through", false, present, false};
inline constexpr proxy router_terminating{"RouterTerminating", "MySQL Router that ends TLS", true, present, false};

/// Until a session has a variable, and dlock's mark is one.
inline constexpr proxy router_sharing{"RouterSharing", "MySQL Router, `connection_sharing = 1`", true, present, false};

inline constexpr const proxy* proxies[] = {&pgbouncer_session,  &pgbouncer_transaction, &odyssey_session, &odyssey_transaction, &pgpool,
                                           &haproxy_postgresql, &haproxy_mariadb,       &haproxy_mysql,   &router_passing,      &router_terminating,
                                           &router_sharing};

}  // namespace dlock::testing::server_traits

/// In a test: skips it unless the server has the feature.
#define NEEDS(...) \
    if (const auto& needed = __VA_ARGS__; !needed) GTEST_SKIP() << needed.lacking
