// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Both servers under the same tests: MySQL 5.6 keeps one lock per session, which is enough for most of them.
#pragma once

#include <memory>
#include <string>

#include <dlock/mysql.hpp>

#include "tests/mysql/client.hpp"

namespace dlock::testing {

/// A session that may hold a lock on either server.
class session : public soci::session {
public:
    explicit session(const std::string& url) : soci::session{url} { mysql::accept_one_lock_per_session(*this); }
};

/// From now on the session asks for nothing but locks.
inline void first_use(soci::session& session) {
    mysql::lock lock{session, "first use"};
    EXPECT_TRUE(lock.try_lock());
}

class NamedLock : public ::testing::TestWithParam<kind> {
protected:
    void TearDown() override { EXPECT_EQ(onlooker_.holder_of("k"), "NULL") << "the test left the lock"; }

    [[nodiscard]] std::string url(const std::string& more = "") const { return server_.url() + more; }
    /// Who holds "k", as the sessions know it themselves.
    bool holds(soci::session& who) { return onlooker_.holder_of("k") == std::to_string(id_of(who)); }
    bool is_free() { return onlooker_.holder_of("k") == "NULL"; }

    mysql_family& server_ = GetParam().server();
    client onlooker_{server_};
};

#define INSTANTIATE_ON_BOTH_SERVERS(Suite) \
    INSTANTIATE_TEST_SUITE_P(, Suite, ::testing::Values(mariadb, genuine_mysql), [](const auto& of) { return of.param.traits.name; })

}  // namespace dlock::testing
