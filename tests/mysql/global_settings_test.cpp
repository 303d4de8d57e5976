// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Settings of the server, which every new session begins with: those that dlock opens for itself too.
#include <dlock/mysql.hpp>

#include <chrono>
#include <future>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

#include <gtest/gtest.h>

#include <dlock/mysql/leased_lock.hpp>
#include <dlock/mysql/lock_manager.hpp>

#include "tests/mysql/client.hpp"
#include "tests/mysql/fixture.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using mysql::lock;

class GlobalSettings : public ::testing::TestWithParam<kind> {
protected:
    GlobalSettings() {
        client root{*server_};
        for (const char* setting :
             {"sql_select_limit=0", "max_join_size=1", "sql_big_selects=0", "character_set_server=utf16", "collation_connection=utf16_bin", "autocommit=0",
              "sql_mode='ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES,HIGH_NOT_PRECEDENCE,PAD_CHAR_TO_FULL_LENGTH'", "net_buffer_length=1024",
              "div_precision_increment=0", "completion_type=1", "wait_timeout=20", "lock_wait_timeout=1", "time_zone='-12:59'"}) {
            EXPECT_EQ(root.ask(std::string{"SET GLOBAL "} + setting), "") << setting;
        }
        if (is_mariadb()) {
            EXPECT_EQ(root.ask("SET GLOBAL sql_mode='ORACLE,EMPTY_STRING_IS_NULL'"), "");
            EXPECT_EQ(root.ask("SET GLOBAL tmp_disk_table_size=1024"), "");
        }
    }

    [[nodiscard]] bool is_mariadb() const { return GetParam().traits.is_mariadb; }
    [[nodiscard]] std::string holder_of(const std::string& name) {
        client again{*server_};
        return again.ask("SELECT CAST(IS_USED_LOCK(_utf8mb4'" + name + "') AS BINARY) LIMIT 1");
    }

    std::shared_ptr<mysql_family> server_ = GetParam().start({.settings = {"skip-character-set-client-handshake"}});
};
INSTANTIATE_ON_BOTH_SERVERS(GlobalSettings);

TEST_P(GlobalSettings, AWaitIsCancelledAndTheSessionStays) {
    session a{server_->url()}, b{server_->url()};
    lock mine{a, "k"}, theirs{b, "k"}, other{b, "j"};
    mine.lock();
    std::stop_source stop;
    auto waits = std::async(std::launch::async, [&] { return reason_of([&] { (void)mysql::named::acquire_until(b, "k", mode::exclusive, deadline::never(), stop.get_token()); }); });
    client onlooker{*server_};
    EXPECT_EQ(onlooker.ask("SET NAMES utf8mb4"), "");
    EXPECT_EQ(onlooker.ask("SET sql_select_limit=1000,sql_big_selects=1,wait_timeout=600"), "");
    if (is_mariadb()) {
        EXPECT_EQ(onlooker.ask("SET tmp_disk_table_size=1000000000"), "");
    }
    onlooker.await_waiter(id_of(b));
    stop.request_stop();
    EXPECT_EQ(waits.get(), errc::cancelled) << "and not lost: the second connection got through";
    EXPECT_TRUE(mine.owns_lock());
    const auto found = mine.holders();
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].session, std::to_string(id_of(a)));
    EXPECT_TRUE(found[0].description.starts_with("root@")) << found[0].description;
    EXPECT_TRUE(other.try_lock());
    other.unlock();
    mine.unlock();
    mysql::fenced_lock fenced{a, "k"};
    fenced.lock();
    EXPECT_FALSE(theirs.try_lock());
}

TEST_P(GlobalSettings, AManagerAndALeaseExcludeEachOther) {
    session b{server_->url()};
    if (is_mariadb()) {
        mysql::lock_manager manager{server_->url()};
        mysql::managed_lock mine{manager, "k"};
        lock theirs{b, "k"};
        mine.lock();
        EXPECT_FALSE(theirs.try_lock());
        const auto found = mine.holders();
        ASSERT_EQ(found.size(), 1U);
        EXPECT_EQ(found[0].session, holder_of("k"));
        EXPECT_EQ(found[0].description, "root@localhost");
        mine.unlock();  // sent, and not awaited
        EXPECT_TRUE(theirs.try_lock_for(10s));
        EXPECT_FALSE(mine.try_lock_for(10ms));
        theirs.unlock();
        EXPECT_TRUE(mine.try_lock_for(10s));
        mine.unlock();
    } else {
        EXPECT_EQ(reason_of([&] { mysql::lock_manager{server_->url()}; }), errc::unsupported) << "one lock per session";
    }
    lock theirs{b, "k"};
    if (!is_mariadb()) return;
    mysql::leased_lock leased{server_->url(), "k", 2s};
    leased.lock();
    EXPECT_FALSE(theirs.try_lock());
    EXPECT_EQ(leased.holders().at(0).session, holder_of("k"));
    std::this_thread::sleep_for(3s);  // longer than the lease, which the heart renews
    EXPECT_TRUE(leased.owns_lock());
    EXPECT_FALSE(theirs.try_lock());
    leased.unlock();
    EXPECT_TRUE(theirs.try_lock());
}

}  // namespace
}  // namespace dlock::testing
