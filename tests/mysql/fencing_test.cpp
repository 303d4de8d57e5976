// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Fencing tokens of MariaDB and MySQL: larger than every earlier one, whoever got that.
#include <dlock/mysql.hpp>

#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/mysql/client.hpp"
#include "tests/mysql/fixture.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using mysql::fenced_hashed_lock;
using mysql::fenced_lock;
using mysql::fenced_named;

static_assert(fencing_backend<fenced_named> && loss_signalling_backend<fenced_named>);
template <class Lock>
constexpr bool has_token = requires(const Lock& lock) { lock.token(); };
static_assert(has_token<fenced_lock> && !has_token<mysql::lock>);

class Fencing : public NamedLock {
protected:
    /// Locks, takes the token and unlocks.
    static fencing_token draw(soci::session& on, const std::string& name = "k") {
        fenced_lock lock{on, name};
        lock.lock();
        const auto token = lock.token();
        lock.unlock();
        return token;
    }
};
INSTANTIATE_ON_BOTH_SERVERS(Fencing);

TEST_P(Fencing, TokensIncreaseAcrossKeysSessionsAndWaysToLock) {
    session a{url()}, b{url()};
    fencing_token last{};
    const auto expect_larger = [&last](const auto& lock) {
        EXPECT_GT(lock.token(), last);
        last = lock.token();
        EXPECT_EQ(lock.token(), last) << "it is the grant's, not the question's";
    };
    for (int i = 0; i < 3; ++i) {
        for (soci::session* on : {static_cast<soci::session*>(&a), static_cast<soci::session*>(&b)}) {
            for (const char* name : {"k", "it's another"}) {
                fenced_lock lock{*on, name};
                ASSERT_TRUE(lock.try_lock());
                expect_larger(lock);
                lock.unlock();
                ASSERT_TRUE(lock.try_lock_for(1s));
                expect_larger(lock);
                lock.unlock();
                lock.lock();
                expect_larger(lock);
                lock.unlock();
            }
            fenced_hashed_lock any{*on, "Ä name of any kind"};
            any.lock();
            expect_larger(any);
        }
    }
}

TEST_P(Fencing, ATokenIsMintedAfterTheWait) {
    for (const bool proven : {false, true}) {  // the first statement on a connection is another than the later ones
        session a{url()}, b{url()};
        fenced_lock mine{a, "k"}, theirs{b, "k"};
        if (proven) {
            theirs.lock();
            theirs.unlock();
        }
        mine.lock();
        auto waiting = std::async(std::launch::async, [&] { theirs.lock(); });
        onlooker_.await_waiter(id_of(b));
        const auto meanwhile = onlooker_.number("SELECT UUID_SHORT()");
        mine.unlock();
        waiting.get();
        EXPECT_GT(theirs.token().value, meanwhile);
    }
}

TEST_P(Fencing, HoldersThatContendGetTheirTokensInTheOrderOfTheirTurns) {
    std::vector<fencing_token> turns;  // guarded by the lock
    std::vector<std::future<void>> all;
    for (int i = 0; i < 4; ++i) {
        all.push_back(std::async(std::launch::async, [&] {
            session own{url()};
            fenced_lock lock{own, "k"};
            for (int turn = 0; turn < 50; ++turn) {
                lock.lock();
                turns.push_back(lock.token());
                lock.unlock();
            }
        }));
    }
    for (auto& one : all) one.get();
    ASSERT_EQ(turns.size(), 200U);
    for (std::size_t i = 1; i < turns.size(); ++i) EXPECT_LT(turns[i - 1], turns[i]) << i;
}

TEST_P(Fencing, ALockThatIsNotHeldHasNoToken) {
    session a{url()}, b{url()};
    fenced_lock mine{a, "k"}, theirs{b, "k"};
    const auto expect_none = [](const fenced_lock& lock) { EXPECT_EQ(reason_of([&] { (void)lock.token(); }), errc::not_owner); };
    expect_none(mine);
    mine.lock();
    EXPECT_FALSE(theirs.try_lock());
    expect_none(theirs);
    EXPECT_FALSE(theirs.try_lock_for(5ms));
    expect_none(theirs);
    mine.unlock();
    expect_none(mine);
}

TEST_P(Fencing, ALostLockKeepsItsTokenWhichIsSmallerThanTheNext) {
    session a{url()}, b{url()};
    fenced_lock mine{a, "k"}, theirs{b, "k"};
    mine.lock();
    const auto before = mine.token();
    onlooker_.kill(id_of(a));
    EXPECT_FALSE(mine.owns_lock());
    theirs.lock();
    EXPECT_EQ(mine.token(), before);
    EXPECT_LT(mine.token(), theirs.token());
    EXPECT_EQ(unlock(mine), errc::lost);
    EXPECT_EQ(reason_of([&] { (void)mine.token(); }), errc::not_owner);
}

TEST_P(Fencing, AnOpenTransactionThatReadsWhatIsCommittedDoesNotMatter) {
    session a{url()}, b{url()};
    a << "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
    a << "START TRANSACTION";
    const auto inside = draw(a);
    a << "ROLLBACK";
    EXPECT_LT(inside, draw(b));
}

TEST_P(Fencing, BehindAPoolerOfSessionsTheTokensAreThoseOfTheServer) {
    session a{url()}, b{url()};
    mysql::assume_session_pooling(a);
    const auto first = draw(a), second = draw(b), third = draw(a);
    EXPECT_LT(first, second);
    EXPECT_LT(second, third);
}

TEST_P(Fencing, ACycleCostsTwoRoundTripsAndTheFirstTwoMore) {
    session a{url()};
    const auto questions = [&] {
        return std::stoi(
            ask(a, std::string{"SELECT variable_value FROM "} + GetParam().traits.status + ".session_status WHERE variable_name=\'Questions\'"));
    };
    fenced_lock mine{a, "k"};
    int before = questions();
    const bool asked_twice = !GetParam().traits.is_mariadb;  // MySQL knows no Galera
    for (const int first : {asked_twice ? 3 : 2, 0}) {  // what kind of server it is, and whether it has just started
        for (int i = 0; i < 5; ++i) {
            EXPECT_TRUE(mine.try_lock_for(1s));
            EXPECT_NE(mine.token().value, 0U);
            mine.unlock();
        }
        const int after = questions();
        EXPECT_EQ(after - before, 10 + first + 1);  // and the question itself
        before = after;
    }
}

TEST_P(Fencing, AStopRequestEndsTheWaitAndNothingIsHeld) {
    session a{url()}, b{url()};
    fenced_lock mine{a, "k"}, theirs{b, "k"};
    mine.lock();
    std::stop_source stop;
    auto waiting = std::async(std::launch::async, [&] { return reason_of([&] { theirs.lock(stop.get_token()); }); });
    onlooker_.await_waiter(id_of(b));
    stop.request_stop();
    EXPECT_EQ(waiting.get(), errc::cancelled);
    mine.unlock();
    EXPECT_TRUE(is_free());
}

// --- servers that end

TEST_P(Fencing, TokensIncreaseThroughACrashOfTheServerHoweverSoonItComes) {
    const auto server = GetParam().start({});
    fencing_token last{};
    for (int i = 0; i < 4; ++i) {
        {
            session a{server->url()};
            fenced_lock lock{a, "k"};
            ASSERT_TRUE(lock.try_lock());  // in the first second of the server's life
            EXPECT_GT(lock.token(), last);
            last = lock.token();
            if (i == 2) {
                server->stop();
            } else {
                server->kill();
            }
            EXPECT_FALSE(lock.owns_lock());
        }
        server->start();
    }
}

TEST_P(Fencing, ATokenHas64Bits) {
    const auto server = GetParam().start({.settings = {"server_id=255"}});
    session a{server->url()};
    const auto first = draw(a), second = draw(a);  // by the guarded statement, and by the other one
    EXPECT_EQ(first.value >> 56, 255U);
    EXPECT_LT(first, second);
}

}  // namespace
}  // namespace dlock::testing
