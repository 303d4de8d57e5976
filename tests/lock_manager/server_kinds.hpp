// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The servers that a lock_manager is tested on, and what an onlooker can ask them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <soci/mysql/soci-mysql.h>
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>

#include <dlock/mysql.hpp>
#include <dlock/mysql/lock_manager.hpp>
#include <dlock/postgresql.hpp>
#include <dlock/postgresql/lock_manager.hpp>

#include "tests/servers/mariadb_server.hpp"
#include "tests/servers/postgresql_server.hpp"

namespace dlock::testing {

struct on_postgresql {
    static constexpr const char* name = "PostgreSQL";
    static constexpr const char* logs_statements = "log_statement=all";
    static constexpr const char* asks = "execute dlock_p2_try";
    using server = postgresql_server;
    using backend = postgresql::pipelined_advisory;
    using manager = postgresql::lock_manager;
    using managed_lock = postgresql::managed_lock;
    using plain_lock = postgresql::lock;

    static constexpr const char* own_session = "SELECT pg_backend_pid()::text";
    static constexpr const char* waiters = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    static constexpr const char* held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted";
    static std::string kill(const std::string& session) { return "SELECT pg_terminate_backend(" + session + ")::text"; }
    static std::string cancel(const std::string& session) { return "SELECT pg_cancel_backend(" + session + ")::text"; }
    /// The sessions of lock_managers, which all have this in common.
    static constexpr const char* sessions =
        "SELECT pid::text FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";
};

struct on_mariadb {
    static constexpr const char* name = "MariaDB";
    static constexpr const char* logs_statements = "general_log=1";
    static constexpr const char* asks = "GET_LOCK(N'k',0)";
    using server = mariadb_server;
    using backend = mysql::pipelined_named;
    using manager = mysql::lock_manager;
    using managed_lock = mysql::managed_lock;
    using plain_lock = mysql::lock;

    static constexpr const char* own_session = "SELECT CAST(CONNECTION_ID() AS CHAR)";
    static constexpr const char* waiters = "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User lock'";
    /// Of the names that the tests use; nobody lists the locks of a MariaDB without its plugins.
    static constexpr const char* held =
        "SELECT (IS_USED_LOCK('k') IS NOT NULL) + (IS_USED_LOCK('a') IS NOT NULL) + (IS_USED_LOCK('b') IS NOT NULL)";
    static std::string kill(const std::string& session) { return "KILL " + session; }
    static std::string cancel(const std::string& session) { return "KILL QUERY " + session; }
    static constexpr const char* sessions =
        "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND user <> 'system user'";
};

/// A session of the test's own.
template <class Kind>
class onlooker {
public:
    explicit onlooker(const std::string& url) : db_{url} {}

    int waiters() { return number(Kind::waiters); }
    int held() { return number(Kind::held); }
    std::vector<std::string> sessions() {
        std::vector<std::string> all(100);
        db_ << Kind::sessions, soci::into(all);
        return all;
    }
    /// As sessions() has it.
    std::string session_of(soci::session& db) {
        std::string id;
        db << Kind::own_session, soci::into(id);
        return id;
    }
    void kill(const std::string& session) { (void)execute(Kind::kill(session)); }
    void cancel(const std::string& session) { (void)execute(Kind::cancel(session)); }
    soci::session& session() { return db_; }

private:
    int number(const char* sql) {
        long long n = 0;
        db_ << sql, soci::into(n);
        return static_cast<int>(n);
    }
    std::string execute(const std::string& sql) {
        if constexpr (std::is_same_v<Kind, on_postgresql>) {
            std::string said;
            db_ << sql, soci::into(said);
            return said;
        } else {
            db_ << sql;
            return {};
        }
    }

    soci::session db_;
};

}  // namespace dlock::testing
