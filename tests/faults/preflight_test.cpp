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

/// A database whose version() and settings are those of another server.
class look_alike {
public:
    look_alike(const std::string& version, const std::string& yugabyte_has_the_locks = "") : name_{"look_alike"} {
        soci::session admin{server_.url()};
        admin << "CREATE DATABASE " + name_;
        soci::session in{server_.url(name_)};
        in << "ALTER FUNCTION pg_catalog.version() RENAME TO real_version";
        in << "CREATE FUNCTION pg_catalog.version() RETURNS text LANGUAGE sql AS $$ SELECT '" + version + "'::text $$";
        if (yugabyte_has_the_locks.empty()) return;
        in << "ALTER FUNCTION pg_catalog.current_setting(text, boolean) RENAME TO real_current_setting";
        in << "CREATE FUNCTION pg_catalog.current_setting(text, boolean) RETURNS text LANGUAGE sql AS $$ SELECT "
              "CASE WHEN $1 = 'yb_enable_advisory_locks' THEN '" + yugabyte_has_the_locks + "' ELSE real_current_setting($1, $2) END $$";
    }
    ~look_alike() {
        soci::session admin{server_.url()};
        admin << "DROP DATABASE " + name_ + " WITH (FORCE)";
    }
    look_alike(const look_alike&) = delete;
    look_alike& operator=(const look_alike&) = delete;

    [[nodiscard]] std::string url() const { return server_.url(name_); }

private:
    postgresql_server& server_ = postgresql_server::shared();
    std::string name_;
};

void expect_refused(const std::string& url, const std::string& because) {
    soci::session a{url};
    postgresql::lock x{a, "x"};
    postgresql::transaction_lock t{a, "x"};
    const auto refused = [&](auto call) {
        const auto error = error_of(call);
        EXPECT_EQ(error.reason(), errc::unsupported) << error.what();
        EXPECT_NE(std::string{error.what()}.find(because), std::string::npos) << error.what();
    };
    refused([&] { x.lock(); });
    refused([&] { (void)x.try_lock(); });
    a.begin();
    refused([&] { t.lock(); });
    a.rollback();
}

/// Their functions answer as PostgreSQL's do, and lock nothing, or for everybody at once.
TEST(Preflight, CockroachDBIsRefused) {
    const look_alike one{"CockroachDB CCL v24.1.0 (x86_64-pc-linux-gnu)"};
    expect_refused(one.url(), "lock a row");
}

TEST(Preflight, PGliteIsRefused) {
    const look_alike one{"PostgreSQL 17.5 on x86_64-pc-linux-gnu, compiled by emcc (PGlite 0.3.0), 32-bit"};
    expect_refused(one.url(), "one session");
}

TEST(Preflight, YugabyteDBIsRefusedUnlessItHasAdvisoryLocks) {
    const std::string version = "PostgreSQL 15.12-YB-2025.1.0.0-b0 on x86_64-pc-linux-gnu";
    {
        const look_alike old{"PostgreSQL 11.2-YB-2024.1.1.0-b0 on x86_64-pc-linux-gnu"};
        expect_refused(old.url(), "yb_enable_advisory_locks = on");
    }
    {
        const look_alike silenced{version, "off"};
        expect_refused(silenced.url(), "yb_enable_advisory_locks = on");
    }
    const look_alike has_them{version, "on"};
    soci::session a{has_them.url()};
    postgresql::lock x{a, "x"};
    EXPECT_TRUE(x.try_lock());
}

/// What a server says that has no advisory locks.
TEST(Preflight, AServerWithoutTheFunctionsIsUnsupported) {
    auto& server = postgresql_server::shared();
    soci::session admin{server.url()};
    admin << "CREATE DATABASE lacking";
    {
        soci::session in{server.url("lacking")};
        in << "ALTER FUNCTION pg_catalog.pg_try_advisory_lock(bigint) RENAME TO hidden";
        postgresql::lock x{in, "x"};
        const auto undefined = error_of([&] { (void)x.try_lock(); });
        EXPECT_EQ(undefined.reason(), errc::unsupported);
        EXPECT_EQ(undefined.native(), "42883");
        EXPECT_NE(std::string{undefined.what()}.find("does not have PostgreSQL's advisory locks"), std::string::npos) << undefined.what();
        in << "CREATE FUNCTION pg_catalog.pg_try_advisory_lock(bigint) RETURNS boolean LANGUAGE plpgsql AS "
              "$$ BEGIN RAISE feature_not_supported USING MESSAGE = 'advisory locks are not yet implemented'; END $$";
        const auto unimplemented = error_of([&] { (void)x.try_lock(); });
        EXPECT_EQ(unimplemented.reason(), errc::unsupported);
        EXPECT_EQ(unimplemented.native(), "0A000");
        EXPECT_NE(std::string{unimplemented.what()}.find("does not have PostgreSQL's advisory locks"), std::string::npos) << unimplemented.what();
        in.begin();
        EXPECT_EQ(reason_of([&] { (void)x.try_lock(); }), errc::unsupported);
        in << "CREATE TABLE still_usable ()";
        in.commit();
    }
    admin << "DROP DATABASE lacking WITH (FORCE)";
}

}  // namespace
}  // namespace dlock::testing
