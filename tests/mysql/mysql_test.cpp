// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What a lock on MariaDB and MySQL does beyond the conformance suite: names, time, what else is going on in the session,
// one lock per session, cost.
#include <dlock/mysql.hpp>

#include <chrono>
#include <future>
#include <limits>
#include <mutex>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>

#include <dlock/mysql/connection.hpp>
#include <dlock/soci/pooled_session.hpp>

#include "tests/support/allocations.hpp"
#include "tests/mysql/client.hpp"
#include "tests/mysql/fixture.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using mysql::hashed_lock;
using mysql::lock;
using clock = std::chrono::steady_clock;

class MySQL : public NamedLock {};
INSTANTIATE_ON_BOTH_SERVERS(MySQL);

class MariaDB : public NamedLock {};
INSTANTIATE_TEST_SUITE_P(, MariaDB, ::testing::Values(mariadb), [](const auto&) { return "10"; });

class MySQL56 : public NamedLock {
    void SetUp() override { NEEDS(GetParam().traits.one_lock_per_session); }
};
INSTANTIATE_TEST_SUITE_P(, MySQL56, ::testing::Values(genuine_mysql), [](const auto&) { return "6"; });

// --- names

TEST_P(MySQL, TheNameIsTheOriginals) {
    session a{url()}, b{url(" charset=latin1")};
    b << "SET sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'";
    const std::vector<std::pair<std::string, std::string>> names{{"user/001", "'user/001'"},
                                                                 {"it's", "'it''s'"},
                                                                 {"a\\b\"`%\n", "'a\\\\b\"`%\n'"},
                                                                 {std::string(64, 'y'), "REPEAT('y',64)"}};
    for (const auto& [name, literal] : names) {  // as GET_LOCK('name', …) on a utf8mb4 connection
        ASSERT_EQ(onlooker_.ask("SELECT GET_LOCK(" + literal + ", 0)"), "1");
        EXPECT_FALSE(lock(a, name).try_lock()) << name;
        EXPECT_FALSE(lock(b, name).try_lock()) << name;
        ASSERT_EQ(onlooker_.ask("SELECT RELEASE_LOCK(" + literal + ")"), "1");
        lock mine{b, name};
        const std::scoped_lock held{mine};
        EXPECT_EQ(onlooker_.ask("SELECT IS_USED_LOCK(" + literal + ")"), std::to_string(id_of(b))) << name;
    }
}

TEST_P(MariaDB, ANameThatIsNotAsciiIsTheOriginalsToo) {
    session a{url()}, b{url(" charset=latin1")};
    for (const std::string& name :
         {std::string{"user/Anna"}, std::string{"café É"}, std::string{"中文键"}, std::string{"😀"}}) {
        ASSERT_EQ(onlooker_.ask("SELECT GET_LOCK('" + name + "', 0)"), "1");
        EXPECT_FALSE(lock(a, name).try_lock()) << name;
        EXPECT_FALSE(lock(b, name).try_lock()) << name;
        ASSERT_EQ(onlooker_.ask("SELECT RELEASE_LOCK('" + name + "')"), "1");
    }
}

TEST_P(MariaDB, NamesThatDifferByCaseAccentOrSpaceAreOthers) {
    session a{url()}, b{url()};
    for (const auto& [one, other] :
         {std::pair{"abc", "Abc"}, std::pair{"e", "é"}, std::pair{"é", "è"}, std::pair{"x", "x "}}) {
        lock mine{a, one}, theirs{b, other};
        const std::scoped_lock held{mine};
        EXPECT_TRUE(theirs.try_lock()) << one << other;
    }
}

TEST_P(MariaDB, HasNoRoomForANameOf64FourByteCharacters) {
    session a{url()};
    std::string name;
    for (int i = 0; i < 48; ++i) name += "😀";
    EXPECT_TRUE(lock(a, name).try_lock());
    EXPECT_EQ(reason_of([&] { lock{a, name + "x"}; }), errc::bad_key);
    EXPECT_TRUE(hashed_lock(a, name + "x").try_lock());
}

TEST_P(MySQL56, ANameThatTheServerFoldsIsRefusedWhenTheLockIsMade) {
    session a{url()};
    for (const char* name : {"Abc", "é", "中"}) {
        const auto error = error_of([&] { lock{a, name}; });
        EXPECT_EQ(error.reason(), errc::bad_key);
        EXPECT_NE(std::string{error.what()}.find("use hashed_name"), std::string::npos);
        EXPECT_TRUE(hashed_lock(a, name).try_lock());
    }
}

TEST_P(MySQL, AKeyPolicyThatGivesAnythingIsRefusedByTheTrait) {
    session a{url()};
    for (const std::string& key :
         {std::string{}, std::string{"k\0x", 3}, std::string{"\xff"}, std::string(10'000, 'y')}) {
        const auto refused = [&](auto call) { EXPECT_EQ(reason_of(call), errc::bad_key); };
        refused([&] { mysql::named::check(a, key); });
        refused([&] { (void)mysql::named::try_acquire(a, key, mode::exclusive); });
        refused([&] { (void)mysql::named::acquire_until(a, key, mode::exclusive, deadline::never(), {}); });
        refused([&] { (void)mysql::named::holders(a, key); });
    }
    EXPECT_EQ(reason_of([&] { (void)mysql::named::try_acquire(a, "k", mode::shared); }), errc::unsupported);
}

// --- time

TEST_P(MySQL, AnUntimedLockWaitsUntilItIsFree) {  // where the original sends -1, and MariaDB answers NULL
    session a{url()}, b{url()};
    lock mine{a, "k"}, theirs{b, "k"};
    mine.lock();
    auto waits = std::async(std::launch::async, [&] { theirs.lock(); });
    onlooker_.await_waiter(id_of(b));
    mine.unlock();
    waits.get();
    EXPECT_TRUE(holds(b));
    theirs.unlock();
}

TEST_P(MySQL, ATimedLockWaitsAtLeastItsTime) {
    session a{url()}, b{url()};
    lock mine{a, "k"}, theirs{b, "k"};
    mine.lock();
    for (const auto wait : {1ms, 50ms, 250ms, 1000ms, 1300ms}) {
        const auto begin = clock::now();
        EXPECT_FALSE(theirs.try_lock_for(wait));
        EXPECT_GE(clock::now() - begin, wait);
        EXPECT_LT(clock::now() - begin, wait + 900ms) << "a whole second too long";
    }
    mine.unlock();
}

TEST_P(MySQL, AnExtremeTimeIsATime) {
    session a{url()}, b{url()};
    lock mine{a, "k"}, theirs{b, "k"};
    mine.lock();
    using seconds = std::chrono::duration<double>;
    EXPECT_FALSE(theirs.try_lock_for(0s));
    EXPECT_FALSE(theirs.try_lock_for(-1s));
    EXPECT_FALSE(theirs.try_lock_for(std::chrono::hours::min()));
    EXPECT_FALSE(theirs.try_lock_for(seconds{1e-12}));
    EXPECT_THROW((void)theirs.try_lock_for(seconds{std::numeric_limits<double>::quiet_NaN()}), std::invalid_argument);
    mine.unlock();
    for (const auto wait :
         {seconds{std::chrono::hours{1'000'000}}, seconds{1e30}, seconds{std::numeric_limits<double>::infinity()}}) {
        EXPECT_TRUE(theirs.try_lock_for(wait));
        theirs.unlock();
    }
}

TEST_P(MySQL56, TheRestOfASecondIsPolledAndEndsAsSoonAsTheLockIsFree) {
    session a{url()}, b{url()};
    lock mine{a, "k"}, theirs{b, "k"};
    mine.lock();
    const auto tries = [this] {
        return std::stoi(onlooker_.ask(
            std::string{"SELECT variable_value FROM "} + GetParam().traits.status + ".global_status WHERE variable_name=\'Questions\'"));
    };
    const int before = tries();
    auto waits = std::async(std::launch::async, [&] { return theirs.try_lock_for(950ms); });
    int own = 0;
    await([&] { return tries() > before + ++own + 5; }, "several tries");
    const auto let_go = clock::now();
    mine.unlock();
    EXPECT_TRUE(waits.get());
    EXPECT_LT(clock::now() - let_go, 500ms);
    theirs.unlock();
}

TEST_P(MySQL, AReadTimeoutOfTheSessionDoesNotEndAWait) {
    session a{url()}, b{url(" read_timeout=1")};
    lock mine{a, "k"}, theirs{b, "k"};
    mine.lock();
    EXPECT_FALSE(theirs.try_lock_for(1500ms));
    mine.unlock();
    EXPECT_TRUE(theirs.try_lock());
    theirs.unlock();
}

// --- the session's other business

TEST_P(MySQL, TransactionsThatReadWhatIsCommittedDoNotMatter) {
    onlooker_.ask("CREATE TABLE IF NOT EXISTS test.t (x INTEGER PRIMARY KEY) ENGINE=InnoDB");
    session a{url()};
    a << "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
    lock mine{a, "k"};
    for (const bool commit : {true, false}) {
        soci::transaction transaction{a};
        mine.lock();
        commit ? transaction.commit() : transaction.rollback();
        EXPECT_TRUE(mine.owns_lock());
        EXPECT_TRUE(holds(a));
        EXPECT_EQ(unlock(mine), std::error_code{});
    }
    soci::transaction transaction{a};
    a << "INSERT INTO test.t VALUES (1)";
    EXPECT_THROW(a << "INSERT INTO test.t VALUES (1)", soci::soci_error);
    mine.lock();
    EXPECT_EQ(unlock(mine), std::error_code{});
    EXPECT_EQ(ask(a, "SELECT COUNT(*) FROM test.t"), "1") << "the transaction is as it was";
    transaction.rollback();
    for (const auto& [begin, end] : {std::pair{"XA START 'x'; ", "XA ROLLBACK 'x'"}}) {
        (void)begin;
        a << "XA START 'x'";
        a << "INSERT INTO test.t VALUES (2)";
        a << "XA END 'x'";
        mine.lock();
        a << "XA PREPARE 'x'";
        EXPECT_EQ(unlock(mine), std::error_code{});
        a << end;
    }
}

TEST_P(MySQL, WhileRowsAreUnreadNothingIsLockedAndAReleaseIsPostponed) {
    session a{url()};
    lock mine{a, "k"};
    const auto begin_reading = [&] {
        EXPECT_EQ(mysql_query(raw(a), "SELECT 1 UNION SELECT 2"), 0);
        return mysql_use_result(raw(a));
    };
    auto* rows = begin_reading();
    EXPECT_EQ(reason_of([&] { mine.lock(); }), errc::unsupported);
    mysql_free_result(rows);
    EXPECT_TRUE(is_free());

    mine.lock();
    rows = begin_reading();
    EXPECT_TRUE(mine.owns_lock());
    EXPECT_EQ(unlock(mine), std::errc::operation_in_progress);
    EXPECT_EQ(reason_of([&] { mine.lock(); }), errc::already_owned);
    mysql_free_result(rows);
    EXPECT_TRUE(holds(a));
    EXPECT_TRUE(lock(a, "j").try_lock()) << "the next use of the session makes up for it";
    EXPECT_TRUE(is_free());
    EXPECT_FALSE(mine.owns_lock());
    mine.lock();
    EXPECT_TRUE(holds(a));

    rows = begin_reading();
    EXPECT_EQ(unlock(mine), std::errc::operation_in_progress);
    mysql_free_result(rows);
    mine.lock();
    EXPECT_TRUE(holds(a)) << "released and taken again";
    EXPECT_EQ(reason_of([&] { lock(a, "k").lock(); }), errc::already_owned);
    EXPECT_TRUE(holds(a)) << "and no release is pending any more";
    mine.unlock();
    EXPECT_TRUE(is_free());
}

TEST_P(MySQL, ALockThatCannotBeReleasedWhenItIsDestroyedEndsTheSession) {
    session a{url()};
    const auto id = id_of(a);
    std::unique_ptr<MYSQL_RES, void (*)(MYSQL_RES*)> rows{nullptr, mysql_free_result};  // not read in time
    {
        lock mine{a, "k"};
        mine.lock();
        EXPECT_EQ(mysql_query(raw(a), "SELECT 1 UNION SELECT 2"), 0);
        rows.reset(mysql_use_result(raw(a)));
        mine.unlock();
        EXPECT_TRUE(holds(a));
        // the destructor
    }
    onlooker_.await_end(id);
    EXPECT_TRUE(is_free());
}

TEST_P(MySQL, ASecondObjectForTheSameNameIsAlreadyOwned) {
    session a{url()};
    lock mine{a, "k"}, again{a, "k"};
    mine.lock();
    EXPECT_EQ(reason_of([&] { again.lock(); }), errc::already_owned);
    EXPECT_EQ(reason_of([&] { (void)again.try_lock(); }), errc::already_owned);
    EXPECT_EQ(reason_of([&] { mine.lock(); }), errc::already_owned);
    EXPECT_EQ(unlock(again), errc::not_owner);
    EXPECT_TRUE(holds(a));
    mine.unlock();
    EXPECT_TRUE(again.try_lock());
    again.unlock();
}

TEST_P(MariaDB, OneSessionHoldsManyAndReleasesThemInAnyOrder) {
    session a{url()}, b{url()};
    std::vector<std::unique_ptr<lock>> locks;
    for (int i = 0; i < 100; ++i) locks.push_back(std::make_unique<lock>(a, "many/" + std::to_string(i)));
    for (const auto& each : locks) each->lock();
    for (int i = 0; i < 100; i += 3) locks[static_cast<std::size_t>(i)]->unlock();
    for (int i = 0; i < 100; ++i) {
        const bool is_held = i % 3 != 0;
        EXPECT_EQ(locks[static_cast<std::size_t>(i)]->owns_lock(), is_held);
        EXPECT_EQ(lock(b, "many/" + std::to_string(i)).try_lock(), !is_held);
    }
    locks.clear();
    EXPECT_EQ(ask(a, "SELECT RELEASE_ALL_LOCKS()"), "0");
}

TEST_P(MariaDB, AKeyThatTheProgramHoldsOnTheSameSessionIsGrantedOnTopOfIt) {
    session a{url()}, b{url()};
    ASSERT_EQ(ask(a, "SELECT GET_LOCK('k',0)"), "1");
    lock mine{a, "k"}, theirs{b, "k"};
    mine.lock();
    EXPECT_EQ(unlock(mine), std::error_code{});
    EXPECT_TRUE(holds(a)) << "the program's own one";
    EXPECT_FALSE(theirs.try_lock());
    mine.lock();
    ASSERT_EQ(ask(a, "SELECT RELEASE_LOCK('k')"), "1");
    EXPECT_TRUE(holds(a)) << "dlock's";
    EXPECT_TRUE(mine.owns_lock());
    mine.unlock();
    EXPECT_TRUE(theirs.try_lock());
}

TEST_P(MySQL56, AKeyThatTheProgramHoldsOnTheSameSessionBecomesTheLocks) {
    session a{url()};
    ASSERT_EQ(ask(a, "SELECT GET_LOCK('k',0)"), "1");
    lock mine{a, "k"};
    mine.lock();
    EXPECT_EQ(unlock(mine), std::error_code{});
    EXPECT_TRUE(is_free());
}

TEST_P(MySQL, SaysWhoHoldsIt) {
    session a{url()}, b{url()};
    lock mine{a, "k"}, theirs{b, "k"};
    EXPECT_TRUE(theirs.holders().empty());
    mine.lock();
    const auto found = theirs.holders();
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].session, std::to_string(id_of(a)));
    EXPECT_EQ(found[0].description, GetParam().traits.root);
    mine.unlock();
}

TEST_P(MySQL, APooledSessionGoesBackWithoutALockAndWithoutATransaction) {
    onlooker_.ask("CREATE TABLE IF NOT EXISTS test.t (x INTEGER PRIMARY KEY) ENGINE=InnoDB");
    soci::connection_pool pool{1};
    pool.at(0).open(url());
    std::unique_ptr<lock> outlives;
    std::stop_token lost;
    {
        pooled_session db{pool};
        mysql::accept_one_lock_per_session(db);
        outlives = std::make_unique<lock>(db.session(), "k");
        outlives->lock();
        lost = outlives->lost();
        db.session() << "START TRANSACTION";
        db.session() << "INSERT INTO test.t VALUES (77)";
    }
    EXPECT_TRUE(is_free());
    EXPECT_FALSE(outlives->owns_lock());
    EXPECT_TRUE(lost.stop_requested());
    {
        pooled_session db{pool};
        EXPECT_EQ(ask(db.session(), "SELECT COUNT(*) FROM test.t WHERE x=77"), "0") << "rolled back";
        lock next{db.session(), "k"};
        next.lock();
        EXPECT_FALSE(outlives->owns_lock()) << "the grant of another lease";
        EXPECT_EQ(unlock(*outlives), errc::lost);
        EXPECT_TRUE(next.owns_lock());
    }
}

// --- one lock per session

TEST_P(MySQL56, OneLockPerSessionIsRefusedUnlessAccepted) {
    soci::session a{url()};
    lock mine{a, "k"};
    EXPECT_EQ(reason_of([&] { mine.lock(); }), errc::unsupported);
    EXPECT_EQ(reason_of([&] { (void)mine.try_lock(); }), errc::unsupported);
    EXPECT_TRUE(is_free());
    mysql::accept_one_lock_per_session(a);
    EXPECT_TRUE(mine.try_lock());
    mine.unlock();
    a.reconnect();
    EXPECT_EQ(reason_of([&] { (void)mine.try_lock(); }), errc::unsupported) << "it was said of the session before";
}

TEST_P(MySQL56, ASecondLockIsRefusedAndTheFirstIsKept) {
    session a{url()}, b{url()};
    lock first{a, "k"}, second{a, "j"};
    first.lock();
    const auto error = error_of([&] { (void)second.try_lock(); });
    EXPECT_EQ(error.reason(), errc::unsupported);
    EXPECT_NE(std::string{error.what()}.find("use another session"), std::string::npos);
    EXPECT_TRUE(first.owns_lock());
    EXPECT_TRUE(holds(a));
    first.unlock();
    EXPECT_TRUE(second.try_lock());
}

// --- what is not a session of ours

TEST_P(MySQL, AClosedSessionIsLost) {
    session a{url()};
    lock mine{a, "k"};
    mine.lock();
    a.close();
    EXPECT_FALSE(mine.owns_lock());
    EXPECT_EQ(reason_of([&] { mine.lock(); }), errc::lost);
    EXPECT_EQ(reason_of([&] { lock{a, "k"}; }), errc::lost);
    await([this] { return is_free(); }, "the server has noticed");
    a.open(url());
    mysql::accept_one_lock_per_session(a);
    mine.lock();
    EXPECT_TRUE(holds(a));
    mine.unlock();
}

TEST_P(MySQL, AProgramThatIsStartedMeanwhileDoesNotInheritTheConnection) {
    session a{url()};
    lock mine{a, "k"};
    const std::scoped_lock held{mine};
    EXPECT_EQ(::fcntl(mysql_get_socket(raw(a)), F_GETFD), FD_CLOEXEC);
}

// --- cost

TEST_P(MySQL, ATimedLockCostsOneRoundTripACycleTwoAndTheRestNone) {
    session a{url()}, b{url()};
    const auto questions = [&] {
        return std::stoi(
            ask(a, std::string{"SELECT variable_value FROM "} + GetParam().traits.status + ".session_status WHERE variable_name=\'Questions\'"));
    };
    lock mine{a, "k"};
    const int first = questions();
    EXPECT_TRUE(mine.try_lock());
    EXPECT_EQ(questions() - first, GetParam().traits.is_mariadb ? 3 : 4)
        << "the first use of a session asks what kind of server it is; MySQL knows no Galera, and is asked again";
    mine.unlock();
    mine.lock();
    mine.unlock();
    const int third = questions();
    mine.lock();
    EXPECT_EQ(questions() - third, GetParam().traits.is_mariadb ? 4 : 2) << "MariaDB prepares two statements for who comes back";
    mine.unlock();
    const int before = questions();
    for (int i = 0; i < 10; ++i) {
        EXPECT_TRUE(mine.try_lock_for(1s));
        EXPECT_TRUE(mine.owns_lock());
        mine.unlock();
    }
    mine.lock();
    EXPECT_EQ(questions() - before, 22);
    mine.unlock();
    lock theirs{b, "k"};
    const std::scoped_lock held{theirs};
    const int again = questions();
    EXPECT_FALSE(mine.try_lock_for(GetParam().traits.is_mariadb ? 20ms : 0ms));
    EXPECT_EQ(questions() - again, GetParam().traits.is_mariadb ? 3 : 2) << "nor does a wait that fails; MariaDB is asked with a prepared try first";
}

/// MariaDB's: see sql::prepared.
TEST_P(MySQL, APreparedStatementThatIsGoneIsPreparedAnew) {
    if (!GetParam().traits.is_mariadb) GTEST_SKIP() << "nothing is prepared on MySQL";
    session a{url()}, b{url()};
    lock mine{a, "k"}, theirs{b, "k"};
    const auto prepared = [&] {
        return ask(a, "SELECT CAST(variable_value AS CHAR) FROM information_schema.session_status WHERE variable_name='Com_execute_sql'");
    };
    for (int i = 0; i < 3; ++i) {
        mine.lock();
        mine.unlock();
    }
    EXPECT_NE(prepared(), "0") << "the prepared statements are in use";
    for (const bool held : {false, true}) {
        if (held) mine.lock();
        for (const std::string name : {"try_", "release_"}) {
            EXPECT_EQ(ask(a, "DEALLOCATE PREPARE dlock_3_" + name + std::to_string(id_of(a))).find("ERROR"), std::string::npos);
        }
        if (!held) mine.lock();
        EXPECT_FALSE(theirs.try_lock());
        EXPECT_EQ(unlock(mine), std::error_code{});
        EXPECT_TRUE(theirs.try_lock());
        EXPECT_FALSE(mine.try_lock());
        theirs.unlock();
    }
    for (int i = 0; i < 3; ++i) {
        mine.lock();
        mine.unlock();
    }
    mine.lock();
    ASSERT_EQ(mysql_reset_connection(raw(a)), 0) << "which releases every lock";
    EXPECT_EQ(unlock(mine), errc::lost);
    EXPECT_TRUE(mine.try_lock());
    EXPECT_FALSE(theirs.try_lock());
    EXPECT_EQ(unlock(mine), std::error_code{});
}

TEST_P(MySQL, WhereNothingCanBePreparedNothingIs) {
    if (!GetParam().traits.is_mariadb) GTEST_SKIP() << "nothing is prepared on MySQL";
    onlooker_.ask("SET GLOBAL max_prepared_stmt_count=0");
    {
        session a{url()}, b{url()};
        lock mine{a, "k"}, theirs{b, "k"};
        for (int i = 0; i < 5; ++i) {
            mine.lock();
            EXPECT_FALSE(theirs.try_lock());
            EXPECT_EQ(unlock(mine), std::error_code{});
            EXPECT_TRUE(theirs.try_lock());
            theirs.unlock();
        }
    }
    onlooker_.ask("SET GLOBAL max_prepared_stmt_count=16382");
}

TEST_P(MySQL, LockingAgainAllocatesNothing) {
    session a{url()};
    lock mine{a, std::string(60, 'y')};
    mine.lock();
    mine.unlock();
    const long before = allocations();
    for (int i = 0; i < 100; ++i) {
        mine.lock();
        EXPECT_TRUE(mine.owns_lock());
        mine.unlock();
    }
    EXPECT_EQ(allocations(), before);
}

TEST_P(MySQL, SessionsWithoutALockLeaveNothing) {
    session holder{url()};
    lock held{holder, "k"};
    held.lock();
    std::vector<std::unique_ptr<session>> open;  // all at once, or they would have the same address
    for (int i = 0; i < 100; ++i) {
        open.push_back(std::make_unique<session>(url()));
        lock mine{*open.back(), "short"};
        ASSERT_TRUE(mine.try_lock());
    }
    EXPECT_LE(mysql::connection::count(), 64U);
    for (const auto& each : open) {
        lock mine{*each, "short"};
        ASSERT_TRUE(mine.try_lock()) << "what was forgotten is found out again";
    }
    EXPECT_TRUE(held.owns_lock());
    EXPECT_EQ(reason_of([&] { lock(holder, "k").lock(); }), errc::already_owned) << "a state with a lock is kept";
    held.unlock();
}

TEST_P(MySQL, AStateIsNeverThatOfAnEarlierConnection) {
    for (int i = 0; i < 100; ++i) {
        auto a = std::make_unique<session>(url());
        auto mine = std::make_unique<lock>(*a, "k");
        await([&] { return mine->try_lock(); }, "the server has noticed the end of the last one");
        EXPECT_TRUE(mine->owns_lock());
        if (i % 2 == 0) {
            mine.reset();
        } else {
            a->close();  // with the lock on it: its state still says so
            mine.reset();
        }
    }
    await([this] { return is_free(); }, "the server has noticed");
}

}  // namespace
}  // namespace dlock::testing
