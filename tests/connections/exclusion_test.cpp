// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Servers whose locks exclude nobody, which no list has in it: what trying them tells.
#include <dlock/verify_exclusion.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <soci/soci.h>

#include <dlock/memory.hpp>
#include <dlock/memory/lock_manager.hpp>
#include <dlock/mysql.hpp>
#include <dlock/mysql/leased_lock.hpp>
#include <dlock/mysql/lock_manager.hpp>
#include <dlock/mysql/open_session.hpp>
#include <dlock/postgresql.hpp>
#include <dlock/postgresql/leased_lock.hpp>
#include <dlock/postgresql/lock_manager.hpp>
#include <dlock/postgresql/open_session.hpp>

#include "tests/servers/mariadb_server.hpp"
#include "tests/servers/pgbouncer.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/postgresql.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;

// --- by a server that can be told to be bad

enum class badness { none, refuses, grants_twice, keeps, breaks_at_the_second };

struct bad_server : memory::lock_table {
    static inline badness is = badness::none;
    static inline int grants = 0;
    static inline std::vector<std::string> names;

    static std::optional<grant_type> try_acquire(memory::session& s, const memory::key& k, mode m) {
        names.push_back(std::get<std::string>(k.name));
        if (is == badness::refuses) return std::nullopt;
        if (is == badness::grants_twice) return ++grants, lock_table::try_acquire(s, memory::key{std::get<std::string>(k.name) + std::to_string(grants)}, m);
        if (is == badness::breaks_at_the_second && names.size() == 2) throw lock_error{errc::lost, "gone"};
        auto taken = lock_table::try_acquire(s, k, m);
        grants += taken ? 1 : 0;
        return taken;
    }
    static released release(memory::session& s, const memory::key& k, mode m, const grant_type& g) noexcept {
        --grants;
        if (is == badness::keeps) return released::yes;
        if (is == badness::grants_twice) return s.close(), released::yes;
        return lock_table::release(s, k, m, g);
    }
};
static_assert(backend<bad_server>);

class VerifyExclusion : public ::testing::Test {
protected:
    void SetUp() override {
        bad_server::is = badness::none;
        bad_server::grants = 0;
        bad_server::names.clear();
    }
    std::optional<lock_error> verify(badness how) {
        bad_server::is = how;
        try {
            verify_exclusion<bad_server>([this] { return std::make_shared<memory::session>(server_, "x"); });
        } catch (const lock_error& error) {
            return error;
        }
        return std::nullopt;
    }
    memory::server server_;
};

TEST_F(VerifyExclusion, BelievesAGoodServerAndLeavesNothingLocked) {
    EXPECT_FALSE(verify(badness::none));
    EXPECT_EQ(bad_server::grants, 0);
    EXPECT_EQ(server_.held(), 0U);
    ASSERT_EQ(bad_server::names.size(), 3U);
    const auto first = bad_server::names.front();
    EXPECT_FALSE(verify(badness::none));
    EXPECT_NE(bad_server::names.back(), first) << "a name of its own each time";
    EXPECT_LE(first.size(), 64U);
}

TEST_F(VerifyExclusion, SaysWhatABadServerDoes) {
    const std::vector<std::pair<badness, std::string>> all{
        {badness::refuses, "one that nobody had was refused"}, {badness::grants_twice, "two sessions got the same one"}, {badness::keeps, "refused to the next session"}};
    for (const auto& [how, says] : all) {
        const auto error = verify(how);
        ASSERT_TRUE(error) << says;
        EXPECT_EQ(error->reason(), errc::unsupported);
        EXPECT_NE(std::string{error->what()}.find(says), std::string::npos) << error->what();
        EXPECT_EQ(bad_server::grants, 0) << "every grant was given back";
        EXPECT_EQ(server_.held(), 0U);
        SetUp();
    }
}

TEST_F(VerifyExclusion, PassesOnWhatBreaksAndLeavesNothingLocked) {
    EXPECT_EQ(verify(badness::breaks_at_the_second)->reason(), errc::lost);
    EXPECT_EQ(server_.held(), 0U);
    const auto only = std::make_shared<memory::session>(server_, "x");
    EXPECT_EQ(reason_of([&] { verify_exclusion<bad_server>([&] { return only; }); }), errc::unsupported);
}

TEST(AFunctionThatOpensNoSession, IsABadArgument) {
    const auto none = [] { return std::shared_ptr<soci::session>{}; };
    EXPECT_THROW(verify_exclusion<postgresql::advisory>(none), std::invalid_argument);
    EXPECT_THROW(postgresql::lock_manager{none}, std::invalid_argument);
    EXPECT_THROW(mysql::lock_manager{none}, std::invalid_argument);
    EXPECT_THROW((postgresql::leased_lock{none, "k", std::chrono::seconds{1}}), std::invalid_argument);
    EXPECT_THROW((mysql::leased_lock{none, "k", std::chrono::seconds{1}}), std::invalid_argument);
}

// --- on real servers

TEST(VerifyExclusionOnServers, BelievesThem) {
    verify_exclusion<postgresql::advisory>([] { return postgresql::open_session(postgresql_server::shared().url()); });
    verify_exclusion<mysql::named>([] { return mysql::open_session(mariadb_server::shared().url()); });
    soci::session onlooker{postgresql_server::shared().url()};
    EXPECT_EQ(granted(onlooker), 0);
}

/// One server connection for all clients, which a factory calls session pooling: PGlite's way.
struct one_for_all {
    explicit one_for_all(const postgresql_server& server) : pooler{server, pool_mode::transaction, {.settings = {"default_pool_size=1"}}} {}
    [[nodiscard]] auto connector() const {
        return [url = pooler.url()] {
            auto session = std::make_shared<soci::session>(url);
            postgresql::assume_session_pooling(*session);
            return session;
        };
    }
    pgbouncer pooler;
};

TEST(VerifyExclusionOnServers, SeesThatClientsShareASession) {
    const postgresql_server server;
    const one_for_all bad{server};
    soci::session onlooker{server.url()};
    const auto error = error_of([&] { verify_exclusion<postgresql::advisory>(bad.connector()); });
    EXPECT_EQ(error.reason(), errc::unsupported);
    EXPECT_NE(std::string{error.what()}.find("other sessions use this server connection"), std::string::npos) << error.what();
    EXPECT_EQ(granted(onlooker), 0);
}

TEST(LockManagerProvesExclusion, BehindAPoolerThatGivesAllClientsOneSession) {
    const postgresql_server server;
    const one_for_all bad{server};
    soci::session onlooker{server.url()};
    const auto error = error_of([&] { postgresql::lock_manager locks{bad.connector()}; });
    EXPECT_EQ(error.reason(), errc::unsupported);
    EXPECT_NE(std::string{error.what()}.find("other sessions use this server connection"), std::string::npos) << error.what();
    EXPECT_EQ(granted(onlooker), 0);
}

/// A server whose advisory locks are silenced, as YugabyteDB's can be.
void silence(const postgresql_server& server) {
    soci::session root{server.url()};
    root << "SET allow_system_table_mods = on";
    for (const std::string name : {"pg_try_advisory_lock", "pg_advisory_unlock"}) {
        root << "CREATE OR REPLACE FUNCTION pg_catalog." + name + "(bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true'";
    }
}

TEST(LockManagerProvesExclusion, OnAServerWhoseLocksAreSilenced) {
    const postgresql_server server;
    silence(server);
    EXPECT_EQ(reason_of([&] { postgresql::lock_manager locks{server.url()}; }), errc::unsupported);
    EXPECT_EQ(reason_of([&] { postgresql::lock_manager locks{server.url(), {.connections = 1}}; }), errc::unsupported);
}

TEST(LeasedLockProvesExclusion, OnAServerWhoseLocksAreSilenced) {
    const postgresql_server server;
    silence(server);
    EXPECT_EQ(reason_of([&] { postgresql::leased_lock lock{server.url(), "k", 5s}; }), errc::unsupported);
}

template <class Server>
std::size_t connections_in(const Server& server) {
    const auto log = server.log();
    std::size_t found = 0;
    for (auto at = log.find("connection authorized"); at != log.npos; at = log.find("connection authorized", at + 1)) ++found;
    return found;
}

TEST(LockManagerProvesExclusion, OnceForAnAddress) {
    const postgresql_server server{{.settings = {"log_connections=on"}}};
    const auto before = connections_in(server);
    postgresql::lock_manager first{server.url()};
    EXPECT_EQ(connections_in(server) - before, 2U);
    EXPECT_EQ(first.connections(), 1U);
    postgresql::lock_manager second{server.url()};
    EXPECT_EQ(connections_in(server) - before, 3U);
    const auto leases = connections_in(server);
    postgresql::leased_lock lock{server.url(), "k", 5s}, again{server.url(), "k", 5s};
    EXPECT_EQ(connections_in(server) - leases, 3U);
}

TEST(LockManagerProvesExclusion, AnotherTimeWhereThereIsNoRoomForASecondConnection) {
    const postgresql_server server{{.settings = {"log_connections=on"}}};
    {
        soci::session root{server.url()};
        root << "CREATE ROLE alone LOGIN CONNECTION LIMIT 1";
    }
    const auto url = "postgresql://host=" + server.host() + " user=alone dbname=postgres";
    {
        postgresql::lock_manager locks{url, {.connections = 1}};
        postgresql::managed_lock mine{locks, "k"};
        const std::scoped_lock held{mine};
        EXPECT_TRUE(mine.owns_lock());
    }
    soci::session root{server.url()};
    await([&] { return ask<int>(root, "SELECT count(*)::int FROM pg_stat_activity WHERE usename = 'alone'") == 0; }, "it has left");
    {
        postgresql::leased_lock leased{url, "k", 5s};
        const std::scoped_lock held{leased};
        EXPECT_TRUE(leased.owns_lock());
    }
    await([&] { return ask<int>(root, "SELECT count(*)::int FROM pg_stat_activity WHERE usename = 'alone'") == 0; }, "it has left");
    root << "ALTER ROLE alone CONNECTION LIMIT 5";
    const auto before = connections_in(server);
    postgresql::lock_manager locks{url};
    EXPECT_EQ(connections_in(server) - before, 2U) << "what was not proven is tried again";
}

TEST(LockManagerProvesExclusion, OverAFactoryButNotOverMoreConnectionsThanItMayHave) {
    memory::server server;
    int made = 0;
    const auto connect = [&] { return ++made, std::make_shared<memory::session>(server, "x"); };
    memory::lock_manager one{connect, {.connections = 1}};
    EXPECT_EQ(made, 1);
    memory::lock_manager two{connect, {.connections = 2}};
    EXPECT_EQ(made, 3);
    EXPECT_EQ(server.held(), 0U);
}

}  // namespace
}  // namespace dlock::testing
