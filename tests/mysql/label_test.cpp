// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What a session calls itself, and where holders() shows it: MariaDB tells it when its performance_schema is on.
#include <dlock/mysql.hpp>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include <dlock/mysql/multi_lock.hpp>
#include <dlock/mysql/pipeline.hpp>

#include "tests/mysql/client.hpp"
#include "tests/mysql/fixture.hpp"
#include "tests/mysql/middleman.hpp"

namespace dlock::testing {
namespace {

using mysql::lock;
using mysql::set_label;

template <class Lock>
std::string shown(const Lock& by) {
    const auto who = by.holders();
    return who.size() == 1 ? who.front().description : std::to_string(who.size()) + " holders";
}

class Label : public ::testing::Test {
protected:
    static mariadb_server& server() {
        static mariadb_server one{{.settings = {"performance_schema=ON"}}};
        return one;
    }

    mariadb_server& server_ = server();
    client onlooker_{server_};
    soci::session a_{server_.url()}, b_{server_.url()};
    lock mine_{a_, "k"}, theirs_{b_, "k"};
};

TEST_F(Label, StandsInFrontOfTheUser) {
    mine_.lock();
    EXPECT_EQ(shown(theirs_), "root@localhost");
    set_label(b_, "not this one");
    for (const std::string& label : {std::string{"nightly job of O'Reilly \\ 3"}, std::string{"caf\xc3\xa9 \xe4\xb8\xad"}, std::string(200, 'x')}) {
        set_label(a_, label);
        EXPECT_EQ(shown(theirs_), label + " root@localhost");
        EXPECT_EQ(shown(mine_), label + " root@localhost");
    }
    set_label(a_, "");
    EXPECT_EQ(shown(theirs_), "root@localhost");
}

TEST_F(Label, IsThatOfTheSetAndOfThePipelineToo) {
    mysql::multi_lock both{a_, {"j", "k"}}, other{b_, {"j", "k"}};
    set_label(a_, "of two");
    both.lock();
    EXPECT_EQ(shown(other), "of two root@localhost");
    both.unlock();
    lock x{a_, "j"}, y{b_, "k"};
    x.lock();
    y.lock();
    set_label(b_, "of one");
    const auto found = other.holders();
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].description, "of two root@localhost");
    EXPECT_EQ(found[1].description, "of one root@localhost");
    const auto session = mysql::pipelined_named::connect(server_.conninfo());
    set_label(*session, "pipes");
    mysql::pipeline pipeline{session};
    ASSERT_TRUE(pipeline.try_acquire("p", mode::exclusive));
    EXPECT_EQ(pipeline.holders("p").at(0).description, "pipes root@localhost");
    EXPECT_EQ(pipeline.holders("j").at(0).description, "of two root@localhost");
    EXPECT_TRUE(pipeline.holders("nobody's").empty());
    EXPECT_TRUE(pipeline.try_acquire("q", mode::exclusive)) << "which goes on";
}

TEST_F(Label, IsSetInAnyStateAndBeginsNoTransaction) {
    a_ << "SET autocommit=0";
    b_ << "SET autocommit=0";
    set_label(a_, "first");
    EXPECT_EQ(shown(theirs_), "0 holders");
    mine_.lock();  // refused where a transaction is open
    EXPECT_EQ(shown(theirs_), "first root@localhost");
    EXPECT_FALSE(theirs_.try_lock());
    a_ << "CREATE TABLE IF NOT EXISTS test.t (x INTEGER) ENGINE=InnoDB";
    a_ << "INSERT INTO test.t VALUES (1)";
    set_label(a_, "second");
    a_ << "ROLLBACK";
    EXPECT_EQ(shown(theirs_), "second root@localhost");
}

TEST_F(Label, GoesWithTheConnection) {
    mine_.lock();
    set_label(a_, "goes");
    a_.reconnect();
    mine_.lock();
    EXPECT_EQ(shown(theirs_), "root@localhost");
    set_label(a_, "goes too");
    EXPECT_EQ(mysql_reset_connection(raw(a_)), 0);
    lock again{a_, "j"}, asked{b_, "j"};
    again.lock();
    EXPECT_EQ(shown(asked), "root@localhost");
}

TEST_F(Label, IsReadUnderSettingsOfTheSessionAndWhateverTheProgramHasPutThere) {
    mine_.lock();
    set_label(a_, "caf\xc3\xa9");
    for (const char* setting : {"SET character_set_connection=utf16,character_set_results=utf16", "SET character_set_connection=swe7",
                                "SET sql_select_limit=0", "SET sql_mode='ORACLE,EMPTY_STRING_IS_NULL,NO_BACKSLASH_ESCAPES'"}) {
        EXPECT_EQ(ask(b_, setting), "");
        EXPECT_EQ(shown(theirs_), "caf\xc3\xa9 root@localhost") << setting;
    }
    EXPECT_EQ(ask(a_, "SET character_set_connection=utf16"), "");
    set_label(a_, "gr\xc3\xbc\xc3\x9f");
    EXPECT_EQ(shown(theirs_), "gr\xc3\xbc\xc3\x9f root@localhost");
    EXPECT_EQ(ask(a_, "SET @dlock_label=_latin1'of the program'"), "");
    EXPECT_EQ(shown(theirs_), "of the program root@localhost");
    set_label(a_, "\xe4\xb8\xad");
    EXPECT_EQ(shown(theirs_), "\xe4\xb8\xad root@localhost");
    EXPECT_EQ(ask(a_, "SET @dlock_label=REPEAT(_latin1'x',100000)"), "");
    EXPECT_EQ(shown(theirs_), std::string(200, 'x') + " root@localhost");
    EXPECT_EQ(ask(b_, "SET max_join_size=1"), "");
    EXPECT_EQ(shown(theirs_), "root@localhost") << "a question that the settings do not let through";
    EXPECT_EQ(ask(b_, "SET max_join_size=DEFAULT"), "");
    EXPECT_EQ(shown(theirs_), std::string(200, 'x') + " root@localhost") << "but they can change";
}

TEST_F(Label, IsNotShownToWhoMayNotReadItAndCostsThemOneQuestionOnce) {
    mine_.lock();
    set_label(a_, "hidden");
    onlooker_.ask("CREATE USER nobody@localhost");
    onlooker_.ask("GRANT PROCESS ON *.* TO nobody@localhost");
    soci::session other{"mysql://unix_socket=" + server_.socket().string() + " user=nobody"};
    lock of_nobody{other, "k"};
    for (const auto& [held, statements] : {std::pair{true, 2U}, std::pair{true, 1U}, std::pair{false, 1U}}) {
        if (!held) mine_.unlock();
        const auto before = as_number(onlooker_.status("Questions"));
        EXPECT_EQ(shown(of_nobody), held ? "root@localhost" : "0 holders");
        EXPECT_EQ(as_number(onlooker_.status("Questions")) - before, statements + 1);
    }
    const auto session = mysql::pipelined_named::connect("unix_socket=" + server_.socket().string() + " user=nobody");
    mysql::pipeline pipeline{session};
    ASSERT_TRUE(pipeline.try_acquire("p", mode::exclusive));
    for (const auto statements : {2U, 1U}) {
        const auto before = as_number(onlooker_.status("Questions"));
        EXPECT_EQ(pipeline.holders("p").at(0).description, "nobody@localhost");
        EXPECT_EQ(as_number(onlooker_.status("Questions")) - before, statements + 1);
    }
    EXPECT_TRUE(pipeline.release("p", mode::exclusive) != 0);
}

class LabelThatNobodyKeeps : public NamedLock {};
INSTANTIATE_ON_BOTH_SERVERS(LabelThatNobodyKeeps);

TEST_P(LabelThatNobodyKeeps, IsNoError) {
    NEEDS(GetParam().traits.keeps_no_labels);
    session a{url()}, b{url()};
    lock mine{a, "k"}, theirs{b, "k"};
    mine.lock();
    const auto before = shown(theirs);
    set_label(a, "nightly");
    EXPECT_EQ(shown(theirs), before);
    EXPECT_TRUE(before.starts_with("root@")) << before;
    EXPECT_TRUE(mine.owns_lock());
    mine.unlock();
    EXPECT_TRUE(theirs.try_lock());
    EXPECT_EQ(shown(theirs), before);
}

TEST_P(LabelThatNobodyKeeps, IsNotGivenToTheConnectionThatAPoolerHasPutThere) {
    middleman pooler{server_};
    pooler.greet_with_own_ids();
    session a{pooler.url()};
    EXPECT_EQ(ask(a, "SET @dlock_label='of somebody else'"), "");
    set_label(a, "mine");
    EXPECT_EQ(ask(a, "SELECT @dlock_label"), "of somebody else");
    mysql::assume_session_pooling(a);
    set_label(a, "mine");
    EXPECT_EQ(ask(a, "SELECT @dlock_label"), "mine");
}

TEST_P(LabelThatNobodyKeeps, HasLimits) {
    session a{url()};
    set_label(a, std::string(200, 'x'));
    EXPECT_THROW(set_label(a, std::string(201, 'x')), std::invalid_argument);
    EXPECT_THROW(set_label(a, std::string_view{"a\0b", 3}), std::invalid_argument);
    EXPECT_THROW(set_label(a, "caf\xe9"), std::invalid_argument);
    EXPECT_EQ(ask(a, "SELECT @dlock_label"), std::string(200, 'x'));
    soci::session closed;
    EXPECT_EQ(reason_of([&] { set_label(closed, "x"); }), errc::lost);
    onlooker_.kill(id_of(a));
    EXPECT_EQ(reason_of([&] { set_label(a, "x"); }), errc::lost);
}

}  // namespace
}  // namespace dlock::testing
