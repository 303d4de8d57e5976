// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Servers that would grant a lock which excludes nobody are refused before they are asked. Poolers: tests/postgresql.
#include <string>

#include <gtest/gtest.h>
#include <soci/soci.h>

#include <dlock/mysql.hpp>
#include <dlock/postgresql.hpp>

#include "tests/servers/mariadb_server.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

constexpr const char* galera = "/usr/lib/galera/libgalera_smm.so";  // of Debian's package galera-4

TEST(Preflight, AGaleraNodeIsRefused) {
    mariadb_server node{{.settings = {"wsrep_on=ON", std::string{"wsrep_provider="} + galera, "wsrep_cluster_address=gcomm://",
                                      "wsrep_node_address=127.0.0.1", "wsrep_provider_options=gmcast.listen_addr=tcp://127.0.0.1:0",
                                      "binlog_format=ROW", "innodb_autoinc_lock_mode=2"}}};
    soci::session a{node.url()};
    mysql::lock x{a, "x"};
    EXPECT_EQ(reason_of([&] { x.lock(); }), errc::unsupported);
    EXPECT_EQ(reason_of([&] { (void)x.try_lock(); }), errc::unsupported);
    EXPECT_TRUE(x.holders().empty());
    mysql::accept_local_locks(a);
    EXPECT_TRUE(x.try_lock());
}

TEST(Preflight, AReadOnlyMariaDBIsRefused) {
    mariadb_server replica{{.settings = {"read_only=ON"}}};
    soci::session a{replica.url()}, b{replica.url()};
    mysql::lock x{a, "x"};
    EXPECT_EQ(reason_of([&] { x.lock(); }), errc::unsupported);
    b << "SET GLOBAL read_only = OFF";  // it was promoted
    EXPECT_TRUE(x.try_lock());
    mysql::lock same{b, "x"};
    EXPECT_FALSE(same.try_lock());
}

/// Its functions answer as PostgreSQL's do, and lock nothing. https://www.cockroachlabs.com/docs/stable/functions-and-operators
TEST(Preflight, CockroachDBIsRefused) {
    soci::session a{postgresql_server::shared().url()};
    a << "CREATE SCHEMA lookalike";
    a << "CREATE FUNCTION lookalike.version() RETURNS text LANGUAGE sql AS $$ SELECT 'CockroachDB CCL v24.1.0 (x86_64)' $$";
    a << "SET search_path = lookalike, pg_catalog";
    postgresql::lock x{a, "x"};
    EXPECT_EQ(reason_of([&] { x.lock(); }), errc::unsupported);
    postgresql::transaction_lock t{a, "x"};
    a.begin();
    EXPECT_EQ(reason_of([&] { t.lock(); }), errc::unsupported);
    a.rollback();
    a << "DROP SCHEMA lookalike CASCADE";
}

}  // namespace
}  // namespace dlock::testing
