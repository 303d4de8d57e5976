// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Lock files that are deleted, replaced or moved underneath: nobody is told that it holds what excludes nobody.
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <stop_token>
#include <string>
#include <thread>

#include <dlock/sqlite.hpp>

#include "tests/sqlite/support.hpp"
#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using sqlite::lock;
using sqlite::lock_database;
using sqlite::session;

class SqliteLoss : public SqliteTest {
protected:
    void SetUp() override { first.lock(); }

    session a{locks}, b{locks}, c{locks};
    lock first{a, "k"}, second{b, "k"}, third{c, "k"};
};

TEST_F(SqliteLoss, DeletedFileIsALostLock) {
    EXPECT_TRUE(first.owns_lock());
    fs::remove(a.file("k"));
    EXPECT_FALSE(first.owns_lock());
    EXPECT_EQ(a.held(), 0u);
    EXPECT_TRUE(second.try_lock()) << "the next one makes a new file";
    EXPECT_EQ(unlock(first), errc::lost);
    EXPECT_EQ(unlock(first), errc::not_owner);
    EXPECT_TRUE(second.owns_lock());
    EXPECT_FALSE(third.try_lock());
}

TEST_F(SqliteLoss, QuietUnlockOfALostLockTakesNothingAway) {
    fs::remove(a.file("k"));
    ASSERT_TRUE(second.try_lock());
    first.unlock();
    EXPECT_TRUE(second.owns_lock());
    EXPECT_FALSE(third.try_lock());
}

TEST_F(SqliteLoss, ReplacedFileIsALostLock) {
    fs::copy_file(a.file("k"), locks / "copy");  // closes a descriptor of the file: the lock on the old one is gone, too
    fs::rename(locks / "copy", a.file("k"));
    EXPECT_FALSE(first.owns_lock());
    EXPECT_TRUE(second.try_lock());
    EXPECT_EQ(unlock(first), errc::lost);
}

TEST_F(SqliteLoss, MovedDirectoryIsALostLock) {
    fs::rename(locks, folder / "elsewhere");
    EXPECT_FALSE(first.owns_lock());
    fs::create_directory(locks);
    EXPECT_TRUE(second.try_lock());
    EXPECT_EQ(unlock(first), errc::lost);
}

TEST_F(SqliteLoss, DeletedDirectoryIsALostLock) {
    fs::remove_all(locks);
    EXPECT_FALSE(first.owns_lock());
    EXPECT_EQ(unlock(first), errc::lost);
    EXPECT_TRUE(first.holders().empty());
}

TEST_F(SqliteLoss, LostLockCanBeTakenAgain) {
    fs::remove(a.file("k"));
    EXPECT_TRUE(first.try_lock()) << "not already_owned: it was lost";
    EXPECT_TRUE(first.owns_lock());
    EXPECT_FALSE(second.try_lock());
    fs::remove(a.file("k"));
    lock twin{a, "k"};
    EXPECT_TRUE(twin.try_lock()) << "by another object of the same session, too";
    EXPECT_FALSE(first.owns_lock()) << "the grant of the one is not the grant of the other";
    EXPECT_EQ(unlock(first), errc::lost);
    EXPECT_TRUE(twin.owns_lock());
}

TEST_F(SqliteLoss, OtherLocksOfTheSessionStay) {
    lock other{a, "other"};
    other.lock();
    fs::remove(a.file("k"));
    EXPECT_EQ(unlock(first), errc::lost);
    EXPECT_TRUE(other.owns_lock());
    EXPECT_FALSE(lock(b, "other").try_lock());
}

TEST_F(SqliteLoss, CachedConnectionToADeletedFileIsNotUsed) {
    first.unlock();  // a keeps the connection
    fs::remove(a.file("k"));
    ASSERT_TRUE(second.try_lock());
    EXPECT_FALSE(first.try_lock());
    EXPECT_FALSE(first.try_lock_shared());
    second.unlock();
    EXPECT_TRUE(first.try_lock());
    EXPECT_FALSE(second.try_lock());
}

TEST_F(SqliteLoss, ErrorOfADeletedFileIsNone) {
    first.unlock();
    std::ofstream{a.file("k")} << std::string(4096, '?');
    EXPECT_EQ(reason_of([&] { (void)second.try_lock(); }), errc::server_error);
    fs::remove(a.file("k"));
    EXPECT_TRUE(first.try_lock()) << "on a new file; what is wrong with the old one is of no interest";
    EXPECT_FALSE(second.try_lock());
}

TEST_F(SqliteLoss, WhoWaitsForADeletedFileMovesOnToTheNewOne) {
    for (const auto m : {mode::exclusive, mode::shared}) {
        if (!first.owns_lock()) first.lock();
        background waiting{[&] { return lock_database::acquire_until(b, "k", m, deadline::after(30s), {}).value(); }};
        await_waiters(b, "k");
        fs::remove(a.file("k"));  // and the lost lock is never given back
        const auto start = std::chrono::steady_clock::now();
        const auto grant = waiting.get();
        EXPECT_LT(std::chrono::steady_clock::now() - start, 15s) << "it was noticed in the end only";
        EXPECT_TRUE(lock_database::still_held(b, "k", m, grant));
        EXPECT_FALSE(third.try_lock());
        EXPECT_FALSE(first.owns_lock());
        EXPECT_EQ(lock_database::release(b, "k", m, grant), released::yes);
    }
}

TEST_F(SqliteLoss, GrantIsNeverOnAFileThatWasGoneBefore) {
    first.unlock();
    std::atomic<long> begun = 0, ended = 0;
    const std::jthread vandal{[&](const std::stop_token& done) {
        while (!done.stop_requested()) {
            ++begun;
            std::error_code ignored;
            fs::remove(a.file("k"), ignored);
            ++ended;
            std::this_thread::sleep_for(1ms);
        }
    }};
    int looked = 0;
    for (int i = 0; i < 2000 && looked < 200; ++i) {
        const long before = ended;
        ASSERT_TRUE(first.try_lock_for(30s));
        const bool owned = first.owns_lock();
        if (begun == before) {  // nothing was deleted meanwhile
            ++looked;
            EXPECT_TRUE(owned);
        }
        first.unlock();
    }
    EXPECT_GT(looked, 20);
}

TEST_F(SqliteLoss, SeveredSessionHoldsNothingAndGoesOn) {
    lock other{a, "other"};
    other.lock();
    const auto grant = lock_database::try_acquire(a, "third", mode::shared);
    ASSERT_TRUE(grant);
    lock_database::sever(a, sqlite::grant{12345});
    EXPECT_TRUE(first.owns_lock()) << "severed by a grant of another session";
    lock_database::sever(a, *grant);
    EXPECT_FALSE(first.owns_lock());
    EXPECT_EQ(unlock(other), errc::lost);
    EXPECT_EQ(a.held(), 0u);
    EXPECT_TRUE(second.try_lock());
    EXPECT_FALSE(first.try_lock());
    second.unlock();
    EXPECT_TRUE(first.try_lock());
}

}  // namespace
}  // namespace dlock::testing
