// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// assume_session_pooling() where it is not true, or stops being true; and sessions that lose their mark where it is.
#include <array>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <soci/soci.h>
#include <sys/socket.h>

#include <dlock/postgresql.hpp>
#include <dlock/postgresql/leased_lock.hpp>
#include <dlock/postgresql/lock_manager.hpp>
#include <dlock/postgresql/multi_lock.hpp>
#include <dlock/postgresql/open_session.hpp>

#include "tests/servers/pgbouncer.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/postgresql.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using postgresql::lock;

class Promise : public ::testing::Test {
protected:
    Promise() { postgresql::create_fence(onlooker_); }
    void TearDown() override {
        await([this] { return granted(onlooker_) == 0; }, "the test left a lock");
    }

    static std::unique_ptr<soci::session> connect(const pgbouncer& pooler) {
        auto session = std::make_unique<soci::session>(pooler.url());
        postgresql::assume_session_pooling(*session);
        return session;
    }

    /// One of several clients, each of which believes in the promise.
    struct client {
        explicit client(const pgbouncer& pooler) : session{std::make_unique<soci::session>(pooler.url())}, mine{*session, "k"} {}
        /// What became of it, for the test's output.
        std::string take() {
            try {
                postgresql::assume_session_pooling(*session);
                return mine.try_lock() ? "owns" : "busy";
            } catch (const lock_error& error) {
                EXPECT_TRUE(error.reason() == errc::unsupported || error.reason() == errc::lost) << error.what();
                said += error.what();
                return "refused";
            }
        }
        std::unique_ptr<soci::session> session;
        lock mine;
        std::string said;
    };
    static int owners(const std::vector<std::unique_ptr<client>>& all) {
        int count = 0;
        for (const auto& each : all) count += each->mine.owns_lock() ? 1 : 0;
        return count;
    }

    postgresql_server& server_ = postgresql_server::shared();
    soci::session onlooker_{server_.url()};
};

TEST_F(Promise, ThatWasNeverTrueIsFoundBeforeASecondOwns) {
    for (const char* const size : {"default_pool_size=1", "default_pool_size=3"}) {
        const pgbouncer pooler{server_, pool_mode::transaction, {.settings = {size}}};
        std::vector<std::unique_ptr<client>> all;
        for (int i = 0; i < 6; ++i) all.push_back(std::make_unique<client>(pooler));
        for (int round = 0; round < 3; ++round) {
            for (auto& each : all) {
                if (!each->mine.owns_lock()) (void)each->take();
                EXPECT_LE(owners(all), 1) << size;
            }
        }
        std::string said;
        for (const auto& each : all) said += each->said;
        EXPECT_NE(said.find("pool_mode = session"), said.npos) << said;
    }
}

/// Where there are no transactions, the first way out that is named is one.
TEST_F(Promise, IsNotNeededToBeRefusedInStatementMode) {
    const pgbouncer pooler{server_, pool_mode::statement};
    soci::session a{pooler.url()};
    lock mine{a, "k"};
    const auto error = error_of([&] { (void)mine.try_lock(); });
    EXPECT_EQ(error.reason(), errc::unsupported);
    const std::string text{error.what()};
    EXPECT_LT(text.find("connect to the server directly"), text.find("if it gives one to each transaction, use a transaction_lock")) << text;
    EXPECT_THROW(a.begin(), soci::soci_error);
}

/// An operator changes the mode under sessions that are open, and one of which holds the lock.
TEST_F(Promise, ThatStopsBeingTrueIsFoundAtTheNextStatement) {
    pgbouncer pooler{server_, pool_mode::session, {.settings = {"default_pool_size=2"}}};
    const auto first = connect(pooler);
    lock mine{*first, "k"}, other{*first, "other"};
    mine.lock();
    pooler.change_mode(pool_mode::transaction);
    std::vector<std::unique_ptr<client>> all;
    for (int i = 0; i < 6; ++i) {
        all.push_back(std::make_unique<client>(pooler));
        EXPECT_NE(all.back()->take(), "owns");
        EXPECT_TRUE(mine.owns_lock());
    }
    // The server connection that it had may be a stranger's by now: it is either still its own, or it is told.
    for (int i = 0; i < 3 && mine.owns_lock(); ++i) {
        try {
            EXPECT_TRUE(other.try_lock());
            other.unlock();
        } catch (const lock_error& error) {
            EXPECT_FALSE(mine.owns_lock()) << error.what();
        }
    }
    mine.unlock();
}

/// Two clients are promised the one session that there is; a stranger has taken the first one's mark off in between.
TEST_F(Promise, OfASessionThatIsPromisedTwiceIsFoundAtTheNextStatement) {
    pgbouncer pooler{server_, pool_mode::session, {.settings = {"default_pool_size=1"}}};
    const auto a = connect(pooler);
    lock mine{*a, "k"};
    ASSERT_TRUE(mine.try_lock());
    mine.unlock();
    pooler.change_mode(pool_mode::transaction);
    *a << "SELECT 1";  // with whose end the pooler takes the server connection back
    {
        const std::unique_ptr<PGconn, decltype(&PQfinish)> stranger{PQconnectdb(pooler.conninfo().c_str()), &PQfinish};
        execute(stranger.get(), "RESET ALL");  // and with it the mark
    }
    const auto b = connect(pooler);
    lock theirs{*b, "k"};
    ASSERT_TRUE(theirs.try_lock());
    const auto reason = reason_of([&] { (void)mine.try_lock(); });
    EXPECT_TRUE(reason == errc::unsupported || reason == errc::lost) << "the server would grant it once more, to the session that has it";
    EXPECT_EQ(reason_of([&] { mine.lock(); }), reason) << "newer PgBouncers, which keep the books of prepared statements, hang up instead";
    EXPECT_TRUE(theirs.owns_lock());
    theirs.unlock();
}

/// A wait has failed, and whether it was granted all the same is asked of somebody else's session, which knows nothing of it.
TEST_F(Promise, ThatStopsBeingTrueMakesAnotherSessionsAnswerNoProof) {
    pgbouncer pooler{server_, pool_mode::session, {.settings = {"default_pool_size=2"}}};
    const auto a = connect(pooler), b = connect(pooler);
    lock mine{*a, "k"}, beside{onlooker_, "k"};
    ASSERT_TRUE(mine.try_lock());
    mine.unlock();
    beside.lock();
    pooler.change_mode(pool_mode::transaction);
    const std::unique_ptr<PGconn, decltype(&PQfinish)> c{PQconnectdb(pooler.conninfo().c_str()), &PQfinish};  // has asked for no server yet
    auto waits = std::async(std::launch::async, [&] { return reason_of([&] { (void)mine.try_lock_for(1s); }); });
    await([&] { return waiting(onlooker_) == 1; }, "nobody waits");
    const auto occupied = std::make_unique<soci::transaction>(*b);  // the other server connection
    *b << "SELECT 1";
    auto takes = std::async(std::launch::async, [&] {  // and this one the first, as soon as the wait is over
        return value(execute(c.get(), "BEGIN; SELECT 1"));
    });
    EXPECT_EQ(takes.get(), "1");
    occupied->rollback();
    EXPECT_EQ(waits.get(), errc::lost);
    execute(c.get(), "ROLLBACK");
    beside.unlock();
}

TEST_F(Promise, IsNotTrueWhereSessionsAreNotResetBetweenClients) {
    const pgbouncer pooler{server_, pool_mode::session, {.settings = {"default_pool_size=1", "server_reset_query="}}};
    {
        const auto dead = connect(pooler);
        lock left{*dead, "k"};
        left.lock();
        ::shutdown(PQsocket(raw(*dead)), SHUT_RDWR);  // as the kernel does for a process that is killed
    }
    EXPECT_EQ(granted(onlooker_), 1) << "the pooler's server connection keeps it";
    soci::session next{pooler.url()};
    const auto error = error_of([&] { postgresql::assume_session_pooling(next); });
    EXPECT_EQ(error.reason(), errc::unsupported);
    EXPECT_NE(std::string{error.what()}.find("server_reset_query"), std::string::npos) << error.what();
    lock mine{next, "k"};
    EXPECT_EQ(reason_of([&] { (void)mine.try_lock(); }), errc::unsupported) << "it would be granted, to the session that has it";
    EXPECT_EQ(reason_of([&] { (void)mine.try_lock(); }), errc::unsupported) << "and is remembered";
    int of_the_server = 0;
    onlooker_ << "SELECT pid FROM pg_locks WHERE locktype = 'advisory'", soci::into(of_the_server);
    end_session(onlooker_, of_the_server);
}

/// Ways to lose the mark and none of the locks.
constexpr std::array without_the_mark{"RESET ALL", "SELECT set_config('dlock.mark', '', false)", "RESET dlock.mark"};

TEST_F(Promise, OfASessionThatLosesItsMarkStaysTrue) {
    const pgbouncer pooler{server_, pool_mode::session};
    const auto a = connect(pooler), b = connect(pooler);
    lock mine{*a, "k"}, other{*a, "other"}, theirs{*b, "k"};
    postgresql::multi_lock several{*a, {"x", "y"}};
    postgresql::fenced_lock fenced{*a, "fenced"};
    for (const char* const reset : without_the_mark) {
        mine.lock();
        several.lock();
        *a << reset;
        EXPECT_TRUE(other.try_lock()) << reset;
        EXPECT_TRUE(mine.owns_lock() && several.owns_lock());
        EXPECT_FALSE(theirs.try_lock());
        *a << reset;
        EXPECT_EQ(unlock(mine), std::error_code{}) << reset;
        *a << reset;
        EXPECT_EQ(unlock(several), std::error_code{}) << reset;
        *a << reset;
        EXPECT_TRUE(fenced.try_lock());
        *a << reset;
        EXPECT_EQ(unlock(fenced), std::error_code{});
        *a << reset;
        EXPECT_TRUE(several.try_lock_for(1s));
        EXPECT_EQ(unlock(several), std::error_code{});
        EXPECT_EQ(unlock(other), std::error_code{});
        EXPECT_TRUE(theirs.try_lock());
        theirs.unlock();
        EXPECT_EQ(granted(onlooker_), 0);
    }
}

TEST_F(Promise, ThatWasMadeInATransactionOutlivesItsRollback) {
    const pgbouncer pooler{server_, pool_mode::session};
    soci::session a{pooler.url()};
    const auto b = connect(pooler);
    lock mine{a, "k"}, theirs{*b, "k"};
    for (const bool in_transaction : {true, false}) {
        soci::transaction work{a};
        postgresql::assume_session_pooling(a);
        if (in_transaction) mine.lock();
        work.rollback();
        if (!in_transaction) mine.lock();
        EXPECT_FALSE(theirs.try_lock());
        soci::transaction more{a};
        EXPECT_EQ(unlock(mine), std::error_code{});
        more.rollback();
        EXPECT_TRUE(theirs.try_lock());
        theirs.unlock();
    }
}

/// DISCARD ALL, as a pool of the program's may send it, takes the locks with the mark.
TEST_F(Promise, OfASessionThatIsDiscardedIsKeptForTheNextLock) {
    const pgbouncer pooler{server_, pool_mode::session};
    const auto a = connect(pooler);
    lock mine{*a, "k"}, other{*a, "other"};
    for (const bool seen : {true, false}) {
        mine.lock();
        if (seen) *a << "DISCARD ALL";
        else execute(raw(*a), "DO $d$ BEGIN PERFORM pg_advisory_unlock_all(); EXECUTE 'RESET ALL'; END $d$");
        if (!seen) {
            EXPECT_EQ(reason_of([&] { (void)other.try_lock(); }), errc::unsupported) << "what was held is not held";
            EXPECT_FALSE(mine.owns_lock());
        }
        EXPECT_EQ(unlock(mine), errc::lost);
        if (!seen) a->reconnect(), postgresql::assume_session_pooling(*a);
        EXPECT_TRUE(mine.try_lock());
        mine.unlock();
    }
}

TEST_F(Promise, IsMadeInTheFunctionThatOpensSessions) {
    const pgbouncer pooler{server_, pool_mode::session};
    const auto open = [&] {
        auto session = postgresql::open_session(pooler.url());
        postgresql::assume_session_pooling(*session);
        return session;
    };
    postgresql::lock_manager locks{open};
    postgresql::managed_lock managed{locks, "k"};
    postgresql::leased_lock leased{open, "k", 5s};
    managed.lock();
    EXPECT_FALSE(leased.try_lock());
    managed.unlock();
    leased.lock();
    EXPECT_FALSE(managed.try_lock());
    end_session(onlooker_, std::stoi(leased.holders().at(0).session));
    await([&] { return !leased.owns_lock(); }, "the loss is not told");
    EXPECT_TRUE(leased.try_lock()) << "over a session that the function has opened, too";
    leased.unlock();
    const auto same = open();
    EXPECT_EQ(reason_of([&] { postgresql::leased_lock one{[&] { return same; }, "k", 5s}; }), errc::unsupported) << "the same session twice";
}

}  // namespace
}  // namespace dlock::testing
