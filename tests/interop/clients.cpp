// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What a plain ./setup installs.
#include <dlock/keys/interop/hashtext.hpp>
#include <dlock/keys/interop/sha256.hpp>
#include <dlock/mysql.hpp>
#include <dlock/postgresql.hpp>

#include "tests/interop/client.hpp"
#include "tests/servers/find_program.hpp"

namespace dlock::testing {
namespace {

std::vector<std::string> psql(const std::string& hash, const std::string& level = "session") {
    return {"/bin/bash", "tests/interop/psql/hashtext.sh", find_program("psql", "postgresql-client-15"), hash, level};
}

/// ./setup installs what node/package-lock.json lists.
const std::vector<std::string> node_advisory_lock{"/usr/bin/env", "NODE_PATH=/usr/local/lib/dlock-interop/node_modules", "node",
                                                  "tests/interop/node/advisory_lock.js"};

any_lock one_of_the_session(soci::session& session, const std::string& name) {
    mysql::accept_one_lock_per_session(session);
    return any_lock::of<mysql::lock>(session, name);
}

template <class KeyPolicy>
constexpr auto advisory_lock_of = lock_of<basic_lock<postgresql::advisory, KeyPolicy>>;

}  // namespace

const std::vector<client>& clients() {
    static const std::vector<client> all{
        {"Psycopg2", "Python: psycopg2, sqlalchemy-dlock's key", "python3-psycopg2",
         python("with_psycopg2.py"), on_postgresql, lock_of<postgresql::lock>},
        {"Psycopg3", "Python: psycopg 3, sqlalchemy-dlock's key", "python3-psycopg",
         python("with_psycopg.py"), on_postgresql, lock_of<postgresql::lock>},
        {"Asyncpg", "Python: asyncpg, sqlalchemy-dlock's key", "python3-asyncpg",
         python("with_asyncpg.py"), on_postgresql, lock_of<postgresql::lock>},
        {"NodeAdvisoryLock", "Node.js: advisory-lock over node-pg", "npm's advisory-lock",
         node_advisory_lock, on_postgresql, advisory_lock_of<interop::advisory_lock>, false},
        {"Hashtext", "SQL: `pg_advisory_lock(hashtext(name))`", "postgresql-client-15",
         psql("hashtext(name)"), on_postgresql, advisory_lock_of<interop::hashtext>},
        {"HashtextInATransaction", "SQL: `pg_advisory_xact_lock(hashtext(name))`", "postgresql-client-15",
         psql("hashtext(name)", "transaction"), on_postgresql, advisory_lock_of<interop::hashtext>},
        {"Hashtextextended", "SQL: `pg_advisory_lock(hashtextextended(name, 0))`", "postgresql-client-15",
         psql("hashtextextended(name, 0)"), on_postgresql, advisory_lock_of<interop::hashtextextended>},
        {"MysqlclientOnMariaDb", "Python: mysqlclient, sqlalchemy-dlock's name", "python3-mysqldb",
         python("with_mysqlclient.py", {"utf8mb4"}), on_mariadb, lock_of<mysql::lock>, false},
        {"MysqlclientOnMySql56", "Python: mysqlclient, sqlalchemy-dlock's name", "python3-mysqldb",
         python("with_mysqlclient.py", {"utf8mb4"}), on_mysql, one_of_the_session, false, {"job", "user/001", R"(it's 100% \ "quoted")"}},
    };
    return all;
}

}  // namespace dlock::testing
