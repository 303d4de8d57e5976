// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Sessions that end or are not what they seem: killed, reconnected behind our back, shut down, behind a pooler; and answers
// that do not say what has happened.
#include <dlock/mysql.hpp>
#include <dlock/mysql/multi_lock.hpp>

#include <chrono>
#include <future>
#include <mutex>
#include <string>

#include <gtest/gtest.h>

#include "tests/mysql/client.hpp"
#include "tests/mysql/fixture.hpp"
#include "tests/mysql/middleman.hpp"
#include "tests/mysql/without_memory.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using mysql::lock;

class Loss : public NamedLock {
protected:
    static constexpr auto patience = 20s;

    /// The reason, if it comes without a wait: the lock was not even asked for.
    template <class Call>
    errc reason_at_once(Call call) {
        const auto begin = std::chrono::steady_clock::now();
        const auto reason = reason_of(call);
        EXPECT_LT(std::chrono::steady_clock::now() - begin, patience / 2);
        return reason;
    }
};
INSTANTIATE_ON_BOTH_SERVERS(Loss);

class MariaDBLoss : public NamedLock {};
INSTANTIATE_TEST_SUITE_P(, MariaDBLoss, ::testing::Values(mariadb), [](const auto&) { return "10"; });

// --- the connection ends

TEST_P(Loss, OfAnIdleSessionIsKnownWithoutAskingTheServer) {
    session a{url()};
    lock mine{a, "k"};
    mine.lock();
    EXPECT_TRUE(mine.owns_lock());
    onlooker_.kill(id_of(a));
    await([&] { return !mine.owns_lock(); }, "the socket tells");
    EXPECT_EQ(unlock(mine), errc::lost);
    EXPECT_EQ(unlock(mine), errc::not_owner);
    EXPECT_EQ(reason_of([&] { mine.lock(); }), errc::lost);
    a.reconnect();
    mysql::accept_one_lock_per_session(a);
    mine.lock();
    EXPECT_TRUE(holds(a));
    mine.unlock();
}

TEST_P(Loss, IsTheErrorOfWhatDidNotNoticeBefore) {
    session a{url()};
    lock mine{a, "k"};
    onlooker_.kill(id_of(a));
    const auto error = error_of([&] { mine.lock(); });
    EXPECT_EQ(error.reason(), errc::lost);
    EXPECT_EQ(error.native(), "2006");
    EXPECT_EQ(reason_of([&] { (void)mine.holders(); }), errc::lost);
}

TEST_P(Loss, OfAWaitingSessionEndsTheWait) {
    session a{url()}, b{url()};
    lock mine{a, "k"}, theirs{b, "k"};
    mine.lock();
    auto waits = std::async(std::launch::async, [&] { return reason_of([&] { theirs.lock(); }); });
    onlooker_.await_waiter(id_of(b));
    onlooker_.kill(id_of(b));
    EXPECT_EQ(waits.get(), errc::lost);
    EXPECT_TRUE(holds(a));
    mine.unlock();
}

TEST_P(Loss, OfAHolderLetsTheWaiterIn) {
    session a{url()}, b{url()};
    lock mine{a, "k"}, theirs{b, "k"};
    mine.lock();
    auto waits = std::async(std::launch::async, [&] { theirs.lock(); });
    onlooker_.await_waiter(id_of(b));
    onlooker_.kill(id_of(a));
    waits.get();
    EXPECT_TRUE(holds(b));
    theirs.unlock();
}

TEST_P(Loss, SeveringEndsTheSessionForTheServer) {
    session a{url()};
    const auto grant = mysql::named::try_acquire(a, "k", mode::exclusive);
    ASSERT_TRUE(grant);
    const auto id = id_of(a);
    mysql::named::sever(a, *grant);
    onlooker_.await_end(id);
    EXPECT_TRUE(is_free());
    EXPECT_FALSE(mysql::named::still_held(a, "k", mode::exclusive, *grant));
    EXPECT_EQ(mysql::named::release(a, "k", mode::exclusive, *grant), released::lost);
    EXPECT_THROW(a << "SELECT 1", soci::soci_error) << "SOCI's session is there, and says so";
    a.reconnect();
    a << "SELECT 1";
    mysql::named::sever(a, *grant);
    a << "SELECT 1";
}

// --- another connection takes its place

TEST_P(Loss, AReconnectIsALoss) {
    session a{url()};
    lock mine{a, "k"};
    mine.lock();
    a.reconnect();
    mysql::accept_one_lock_per_session(a);
    EXPECT_FALSE(mine.owns_lock());
    EXPECT_EQ(unlock(mine), errc::lost);
    await([&] { return mine.try_lock(); }, "the server has noticed");
    EXPECT_TRUE(holds(a));
    mine.unlock();
}

TEST_P(Loss, AReconnectBehindOurBackIsALoss) {
    session a{url(" reconnect=1")};
    lock mine{a, "k"};
    for (int i = 0; i < 2; ++i) {
        mine.lock();
        onlooker_.kill(id_of(a));
        a << "SELECT 1";  // succeeds, on a new connection
        EXPECT_FALSE(mine.owns_lock());
        session b{url()};
        lock theirs{b, "k"};
        theirs.lock();
        EXPECT_EQ(unlock(mine), errc::lost);
        EXPECT_TRUE(theirs.owns_lock());
        EXPECT_TRUE(holds(b)) << "not released by him who had lost it";
        theirs.unlock();
        EXPECT_TRUE(mine.try_lock()) << "the new session is as good as the old one";
        EXPECT_TRUE(holds(a));
        mine.unlock();
    }
}

TEST_P(Loss, AReconnectInTheMiddleOfALockLocksNothing) {
    session a{url(" reconnect=1")};
    lock mine{a, "k"};
    mine.lock();
    mine.unlock();
    onlooker_.kill(id_of(a));
    const auto error = error_of([&] { mine.lock(); });
    EXPECT_EQ(error.reason(), errc::lost);
    EXPECT_NE(std::string{error.what()}.find("reconnect=1"), std::string::npos) << error.what();
    EXPECT_TRUE(is_free());
    mine.lock();
    EXPECT_TRUE(holds(a)) << "said once";
    mine.unlock();
    onlooker_.kill(id_of(a));
    session b{url()};
    lock theirs{b, "k"};
    theirs.lock();
    EXPECT_EQ(reason_at_once([&] { (void)mine.try_lock_for(patience); }), errc::lost);
    theirs.unlock();
    mine.lock();
    onlooker_.kill(id_of(a));
    EXPECT_EQ(reason_of([&] { mine.lock(); }), errc::lost) << "also when it was held";
    EXPECT_TRUE(is_free());
    mine.lock();
    mine.unlock();
}

TEST_P(Loss, AReconnectInTheMiddleOfAnUnlockReleasesNothing) {
    session a{url(" reconnect=1")};
    lock mine{a, "k"};
    mine.lock();
    onlooker_.kill(id_of(a));
    EXPECT_EQ(unlock(mine), errc::lost);
    mine.lock();
    EXPECT_EQ(unlock(mine), std::error_code{});
}

template <class Server>
void expect_the_same_id_to_be_another_connection() {
    Server server;
    for (int i = 0; i < 10; ++i) client{server};  // the restarted one must not be past the id already
    session a{server.url() + " reconnect=1"};
    lock mine{a, "k"};
    mine.lock();
    const auto id = id_of(a);
    server.kill();
    server.start();
    while (client{server}.id() + 1 < id) {
    }
    EXPECT_EQ(ask(a, "SELECT CONNECTION_ID()"), std::to_string(id)) << "or the test shows nothing";
    EXPECT_FALSE(mine.owns_lock());
    EXPECT_EQ(unlock(mine), errc::lost);
    EXPECT_TRUE(mine.try_lock());
}

TEST_P(Loss, AServerThatCameBackMayGiveTheSameIdToAnotherConnection) {
    if (GetParam().traits.is_mariadb) {
        expect_the_same_id_to_be_another_connection<mariadb_server>();
    } else {
        expect_the_same_id_to_be_another_connection<mysql_server>();
    }
}

// --- what happens behind the driver's back

TEST_P(MariaDBLoss, AResetOfTheConnectionIsFoundByTheRelease) {
    session a{url()};
    lock mine{a, "k"};
    mine.lock();
    ASSERT_EQ(mysql_reset_connection(raw(a)), 0);
    EXPECT_EQ(unlock(mine), errc::lost);
    EXPECT_TRUE(mine.try_lock());
    mine.unlock();
}

TEST_P(Loss, AReleaseBySomeStatementIsFoundByTheRelease) {
    session a{url()};
    lock mine{a, "k"};
    mine.lock();
    a << "DO RELEASE_LOCK('k')";
    EXPECT_EQ(unlock(mine), errc::lost);
}

// --- poolers

TEST_P(Loss, BehindAPoolerNothingIsLocked) {
    middleman pooler{server_};
    pooler.greet_with_own_ids();
    session a{pooler.url()};
    lock mine{a, "k"};
    for (int i = 0; i < 2; ++i) {
        const auto error = error_of([&] { mine.lock(); });
        ASSERT_EQ(error.reason(), errc::unsupported);
        EXPECT_NE(std::string{error.what()}.find("mysql::assume_session_pooling()"), std::string::npos);
        EXPECT_TRUE(is_free());
        EXPECT_EQ(ask(a, "SELECT 7"), "7") << "the session is left alone";
    }
    session b{url()};
    lock theirs{b, "k"};
    const std::scoped_lock held{theirs};
    EXPECT_EQ(reason_at_once([&] { (void)mine.try_lock_for(patience); }), errc::unsupported);
}

TEST_P(Loss, BehindAPoolerThatIsDeclaredToBeOneOfSessionsALockIsALock) {
    middleman pooler{server_};
    pooler.greet_with_own_ids();
    session a{pooler.url()}, b{url()};
    mysql::assume_session_pooling(a);
    lock mine{a, "k"}, theirs{b, "k"};
    mine.lock();
    EXPECT_EQ(onlooker_.holder_of("k"), ask(a, "SELECT CONNECTION_ID()"));
    EXPECT_TRUE(mine.owns_lock());
    EXPECT_FALSE(theirs.try_lock());
    EXPECT_EQ(unlock(mine), std::error_code{});
    EXPECT_TRUE(theirs.try_lock());
    theirs.unlock();
    EXPECT_EQ(mine.holders().size(), 0U);
}

TEST_P(Loss, APoolerThatSwitchesTheServerConnectionIsCaught) {
    middleman pooler{server_};
    session a{pooler.url()};
    lock mine{a, "k"};
    mine.lock();
    mine.unlock();
    pooler.answer_with_other_ids();
    EXPECT_EQ(reason_of([&] { mine.lock(); }), errc::lost);
    await([this] { return is_free(); }, "the session has ended");
    EXPECT_FALSE(mine.owns_lock());
    EXPECT_THROW(a << "SELECT 1", soci::soci_error);
}

/// As if another client of the same session had been promised it: only the mark tells.
TEST_P(Loss, ASessionWithSomebodyElsesMarkIsNobodys) {
    session marked{url()};
    ask(marked, "SET @dlock_mark = 4711");
    EXPECT_EQ(reason_of([&] { mysql::assume_session_pooling(marked); }), errc::unsupported);
    EXPECT_EQ(reason_of([&] { (void)lock(marked, "k").try_lock(); }), errc::unsupported);
    EXPECT_TRUE(is_free());

    for (const bool fenced : {false, true}) {
        session a{url()};
        const auto id = id_of(a);
        mysql::assume_session_pooling(a);
        lock mine{a, "k"};
        mysql::fenced_lock token{a, "k"};
        ASSERT_TRUE(mine.try_lock());
        mine.unlock();
        ask(a, "SET @dlock_mark = 4711");
        EXPECT_EQ(reason_of([&] { (void)(fenced ? token.try_lock() : mine.try_lock()); }), errc::lost);
        onlooker_.await_end(id);
        EXPECT_TRUE(is_free());
    }
}

TEST_P(Loss, AReleaseThatSomebodyElsesSessionAnswersEndsTheSession) {
    session a{url()};
    const auto id = id_of(a);
    mysql::assume_session_pooling(a);
    lock mine{a, "k"};
    mine.lock();
    ask(a, "SET @dlock_mark = 4711");
    EXPECT_EQ(unlock(mine), errc::lost);
    onlooker_.await_end(id);
    EXPECT_TRUE(is_free()) << "held, and nobody knows";
    EXPECT_NE(std::string{error_of([&] { mine.lock(); }).what()}.find("lost"), std::string::npos);
}

TEST_P(MariaDBLoss, AReleaseThatSomebodyElsesSessionAnswersIsTheLossOfAll) {
    for (const bool set : {false, true}) {
        session a{url()};
        mysql::assume_session_pooling(a);
        lock mine{a, "k"}, beside{a, "j"};
        mysql::multi_lock several{a, {"x", "y"}};
        mine.lock();
        beside.lock();
        several.lock();
        ask(a, "SET @dlock_mark = 4711");
        if (set) EXPECT_EQ(unlock(several), errc::lost);
        else EXPECT_EQ(unlock(mine), errc::lost);
        EXPECT_FALSE(beside.owns_lock());
        EXPECT_FALSE(mine.owns_lock());
        await([&] { return is_free() && onlooker_.holder_of("x") == "NULL" && onlooker_.holder_of("j") == "NULL"; }, "held, and nobody knows");
    }
}

/// RELEASE_ALL_LOCKS() of the caller's own: the session is ours, and goes on.
TEST_P(MariaDBLoss, AReleaseOfWhatTheCallerHasReleasedEndsNoSession) {
    session a{url()};
    lock mine{a, "k"};
    mine.lock();
    ask(a, "SELECT RELEASE_LOCK('k')");
    EXPECT_EQ(unlock(mine), errc::lost);
    EXPECT_TRUE(mine.try_lock());
    EXPECT_EQ(unlock(mine), std::error_code{});
}

// --- answers that do not say what has happened: the proof

TEST_P(Loss, AGrantThatIsReportedAsAFailureIsGivenBack) {
    middleman server{server_};
    session a{server.url()};
    lock mine{a, "k"};
    server.turn_grants_into_null(1);
    EXPECT_EQ(reason_of([&] { mine.lock(); }), errc::cancelled);
    EXPECT_TRUE(is_free());
    server.turn_rows_into_interruptions(1);
    const auto error = error_of([&] { mine.lock(); });
    EXPECT_EQ(error.reason(), errc::cancelled);
    EXPECT_EQ(error.native(), "1317");
    EXPECT_TRUE(is_free());
    server.interrupt_behind_rows(1);
    EXPECT_EQ(reason_of([&] { mine.lock(); }), errc::cancelled) << "although the row said 1";
    EXPECT_TRUE(is_free());
    mine.lock();
    EXPECT_TRUE(mine.owns_lock());
    mine.unlock();
}

TEST_P(Loss, AFailureThatThereIsNoMemoryToTellLeavesNothing) {
    middleman server{server_};
    session a{server.url()};
    lock mine{a, "k"};
    expect_nothing_held_without_memory(a, mine, server, [this] { return is_free(); });
}

TEST_P(Loss, AnAnswerWithoutARowEndsTheSession) {
    middleman server{server_};
    session a{server.url()};
    first_use(a);
    const auto id = id_of(a);
    server.swallow_rows(1);
    const auto error = error_of([&] { lock(a, "k").lock(); });
    EXPECT_EQ(error.reason(), errc::lost);
    EXPECT_NE(std::string{error.what()}.find("made no sense"), std::string::npos);
    onlooker_.await_end(id);
}

TEST_P(Loss, AnInterruptedProofIsRepeated) {
    middleman server{server_};
    session a{server.url()};
    first_use(a);
    lock mine{a, "k"};
    server.turn_rows_into_interruptions(3);
    EXPECT_EQ(reason_of([&] { mine.lock(); }), errc::cancelled);
    EXPECT_TRUE(is_free());
    EXPECT_EQ(ask(a, "SELECT 7"), "7");
}

TEST_P(Loss, AProofThatCannotBeHadEndsTheSession) {
    middleman server{server_};
    session a{server.url()};
    const auto id = id_of(a);
    first_use(a);
    lock mine{a, "k"};
    server.turn_rows_into_interruptions(100);
    const auto error = error_of([&] { mine.lock(); });
    EXPECT_EQ(error.reason(), errc::lost);
    EXPECT_NE(std::string{error.what()}.find("the session was ended"), std::string::npos) << error.what();
    onlooker_.await_end(id);
}

// The first statement finds the session dead, and the driver puts another one in its place: what is granted then belongs to it.
TEST_P(Loss, AReconnectBehindADeclaredPoolerIsSaidOnceAndLeavesNothing) {
    for (const bool was_used : {true, false}) {
        session a{url(" reconnect=1")};
        mysql::assume_session_pooling(a);
        lock before{a, "j"}, mine{a, "k"};
        if (was_used) before.lock();
        onlooker_.kill(id_of(a));
        EXPECT_EQ(reason_of([&] { mine.lock(); }), errc::lost);
        EXPECT_TRUE(is_free());
        EXPECT_EQ(before.state(), was_used ? lock_state::lost : lock_state::unlocked);
        mine.lock();
        EXPECT_TRUE(mine.owns_lock());
        EXPECT_TRUE(holds(a));
        EXPECT_EQ(unlock(mine), std::error_code{});
        EXPECT_TRUE(is_free());
    }
}

TEST_P(Loss, AReleaseThatIsInterruptedIsMadeSure) {
    middleman server{server_};
    session a{server.url()};
    const auto id = id_of(a);
    lock mine{a, "k"};
    mine.lock();
    server.turn_rows_into_interruptions(1);
    EXPECT_EQ(unlock(mine), std::error_code{});
    EXPECT_TRUE(is_free());
    mine.lock();
    server.turn_rows_into_interruptions(100);
    EXPECT_EQ(unlock(mine), errc::lost);
    onlooker_.await_end(id);
}

}  // namespace
}  // namespace dlock::testing
