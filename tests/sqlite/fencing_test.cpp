// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Fencing tokens of a lock directory: larger than every earlier one, whoever got that and however that ended.
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include <dlock/sqlite.hpp>

#include "tests/sqlite/support.hpp"
#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using sqlite::fenced_lock;
using sqlite::lock;
using sqlite::session;
using ::testing::HasSubstr;
using ::testing::StartsWith;

template <class Lock>
constexpr bool has_token = requires(const Lock& l) { l.token(); };
static_assert(has_token<fenced_lock> && !has_token<lock>);

class SqliteFence : public SqliteTest {
protected:
    [[nodiscard]] fs::path file() const { return locks / "fence.db"; }

    /// Locks, takes the token and unlocks.
    static fencing_token draw(session& on, const std::string& name = "k") {
        fenced_lock l{on, name};
        l.lock();
        const auto token = l.token();
        l.unlock();
        return token;
    }

    session a{locks}, b{locks};
};

fencing_token heard(process& from) { return {std::stoull(from.hear())}; }

TEST_F(SqliteFence, TokensIncreaseAcrossKeysModesSessionsAndWaysToLock) {
    fencing_token last{};
    const auto expect_larger = [&last](fenced_lock& l) {
        EXPECT_GT(l.token(), last);
        last = l.token();
        EXPECT_EQ(l.token(), last) << "it is the grant's, not the question's";
        l.unlock();
    };
    for (int i = 0; i < 2; ++i) {
        for (session* on : {&a, &b}) {
            for (const char* name : {"k", "another"}) {
                fenced_lock l{*on, name};
                ASSERT_TRUE(l.try_lock());
                expect_larger(l);
                ASSERT_TRUE(l.try_lock_for(1s));
                expect_larger(l);
                l.lock();
                expect_larger(l);
                l.lock_shared();
                expect_larger(l);
                ASSERT_TRUE(l.try_lock_shared());
                expect_larger(l);
            }
        }
    }
}

TEST_F(SqliteFence, ReadersThatHoldTogetherHaveTokensOfTheirOwn) {
    fenced_lock first{a, "k"}, second{b, "k"};
    first.lock_shared();
    second.lock_shared();
    EXPECT_LT(first.token(), second.token());
}

TEST_F(SqliteFence, ATokenIsDrawnAfterTheWait) {
    fenced_lock mine{a, "k"}, theirs{b, "k"};
    session c{locks};
    mine.lock();
    background waiting{[&] { theirs.lock(); }};
    await_waiters(b, "k");
    const auto meanwhile = draw(c, "another");
    mine.unlock();
    waiting.get();
    EXPECT_GT(theirs.token(), meanwhile);
}

TEST_F(SqliteFence, HoldersThatContendGetTheirTokensInTheOrderOfTheirTurns) {
    std::vector<fencing_token> turns;  // guarded by the lock
    std::vector<std::future<void>> all;
    for (int i = 0; i < 3; ++i) {
        all.push_back(std::async(std::launch::async, [&] {
            session own{locks};
            fenced_lock l{own, "k"};
            for (int turn = 0; turn < 20; ++turn) {
                l.lock();
                turns.push_back(l.token());
                l.unlock();
                std::this_thread::sleep_for(1ms);
            }
        }));
    }
    for (auto& one : all) one.get();
    ASSERT_EQ(turns.size(), 60u);
    for (std::size_t i = 1; i < turns.size(); ++i) EXPECT_LT(turns[i - 1], turns[i]) << i;
}

TEST_F(SqliteFence, HoldersOfDifferentKeysNeverGetTheSameToken) {
    std::vector<std::vector<fencing_token>> tokens(3);
    std::vector<std::future<void>> all;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        all.push_back(std::async(std::launch::async, [this, i, &mine = tokens[i]] {
            session own{locks};
            for (int n = 0; n < 20; ++n) mine.push_back(draw(own, std::to_string(i)));
        }));
    }
    for (auto& one : all) one.get();
    std::vector<fencing_token> together;
    for (const auto& mine : tokens) {
        EXPECT_TRUE(std::ranges::is_sorted(mine));
        together.insert(together.end(), mine.begin(), mine.end());
    }
    std::ranges::sort(together);
    EXPECT_EQ(std::ranges::adjacent_find(together), together.end());
}

TEST_F(SqliteFence, LocksWhatALockWithoutTokenLocks) {
    fenced_lock fenced{a, "k"};
    lock plain{b, "k"};
    fenced.lock();
    EXPECT_FALSE(plain.try_lock());
    fenced.unlock();
    plain.lock();
    EXPECT_FALSE(fenced.try_lock());
}

TEST_F(SqliteFence, ALockWithoutTokenMakesNoCounter) {
    lock{a, "k"}.lock();
    EXPECT_FALSE(fs::exists(file()));
    draw(a);
    EXPECT_TRUE(fs::exists(file()));
    for (const char* more : {"-journal", "-wal", "-shm"}) EXPECT_FALSE(fs::exists(file().string() + more)) << more;
}

TEST_F(SqliteFence, ALockThatIsNotHeldHasNoToken) {
    fenced_lock mine{a, "k"}, theirs{b, "k"};
    const auto expect_none = [](const fenced_lock& l) { EXPECT_EQ(reason_of([&] { (void)l.token(); }), errc::not_owner); };
    expect_none(mine);
    mine.lock();
    EXPECT_FALSE(theirs.try_lock());
    expect_none(theirs);
    mine.unlock();
    expect_none(mine);
}

TEST_F(SqliteFence, ALostLockKeepsItsTokenWhichIsSmallerThanTheNext) {
    fenced_lock mine{a, "k"}, theirs{b, "k"};
    mine.lock();
    const auto before = mine.token();
    fs::remove(a.file("k"));
    EXPECT_FALSE(mine.owns_lock());
    theirs.lock();
    EXPECT_EQ(mine.token(), before);
    EXPECT_LT(mine.token(), theirs.token());
    EXPECT_EQ(unlock(mine), errc::lost);
    EXPECT_EQ(reason_of([&] { (void)mine.token(); }), errc::not_owner);
}

// --- other processes

TEST_F(SqliteFence, TokensIncreaseAcrossProcesses) {
    process other{{"fence", locks, "k", "exclusive"}};
    fencing_token last{};
    for (int i = 0; i < 3; ++i) {
        const auto theirs = heard(other);
        EXPECT_GT(theirs, last);
        last = draw(a, "another");
        EXPECT_GT(last, theirs);
        other.tell();
    }
}

TEST_F(SqliteFence, TheTokenOfAHolderThatIsKilledIsNotGivenAgain) {
    fencing_token last{};
    for (int i = 0; i < 5; ++i) {
        process other{{"fence", locks, "k", i % 2 == 0 ? "exclusive" : "shared"}};
        const auto theirs = heard(other);
        EXPECT_GT(theirs, last);
        other.kill();
        last = draw(a);
        EXPECT_GT(last, theirs);
    }
}

TEST_F(SqliteFence, NoTokenIsGivenAgainWhereverInADrawItsHolderIsKilled) {
    for (int i = 0; i < 10; ++i) {
        process other{{"draw", locks, "k", "exclusive"}};
        fencing_token last{};
        const auto hear = [&] {
            const auto next = heard(other);
            EXPECT_GT(next, last);
            last = next;
        };
        for (int n = 0; n < 3; ++n) hear();
        other.kill();
        try {
            for (;;) hear();  // what it has said before its end
        } catch (const std::runtime_error&) {
        }
        EXPECT_GT(draw(a), last);
    }
}

TEST_F(SqliteFence, AForkedChildTakesNothingAway) {
    auto inherited = std::make_unique<session>(locks);
    const auto before = draw(*inherited);
    const pid_t child = ::fork();
    if (child == 0) {
        inherited.reset();
        ::_exit(0);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    EXPECT_LT(before, draw(*inherited));
}

// --- a counter that is gone, or cannot be had

TEST_F(SqliteFence, TokensIncreaseAfterTheCounterWasDeleted) {
    for (int i = 0; i < 3; ++i) {
        draw(a);
        const auto before = draw(b);
        fs::remove(file());
        const auto after = draw(a);
        EXPECT_GT(after, before);
        EXPECT_GT(draw(b), after) << "from the same file as the other";
    }
}

TEST_F(SqliteFence, TokensIncreaseAfterTheDirectoryWasEmptied) {  // as /run is by a reboot
    std::optional<session> first{std::in_place, locks};
    for (int i = 0; i < 10; ++i) draw(*first);
    const auto before = draw(*first);
    first.reset();
    fs::remove_all(locks);
    session second{locks};
    EXPECT_GT(draw(second), before);
}

TEST_F(SqliteFence, ACounterThatIsNoDatabaseIsNamedAndNothingIsHeld) {
    std::ofstream{file()} << std::string(4096, '?');
    fenced_lock mine{a, "k"};
    for (const auto& acquire : std::vector<std::function<void()>>{[&] { mine.lock(); }, [&] { (void)mine.try_lock(); },
                                                                  [&] { mine.lock_shared(); }, [&] { (void)mine.try_lock_for(1s); }}) {
        const auto e = error_of(acquire);
        EXPECT_EQ(e.reason(), errc::server_error);
        EXPECT_EQ(e.native(), std::to_string(SQLITE_NOTADB));
        EXPECT_THAT(e.what(), HasSubstr(file().string()));
        EXPECT_FALSE(mine.owns_lock());
        EXPECT_EQ(a.held(), 0u);
        EXPECT_TRUE(lock(b, "k").try_lock());
    }
    fs::remove(file());
    EXPECT_TRUE(mine.try_lock());
}

TEST_F(SqliteFence, ADirectoryThatIsReadOnlyIsNamedAndNothingIsHeld) {
    lock{a, "k"}.lock();  // its file is there
    fs::permissions(locks, fs::perms::owner_read | fs::perms::owner_exec);
    process other{{"unfence", locks, "k", "capabilities"}};
    const auto said = other.hear();
    EXPECT_THAT(said, StartsWith(std::to_string(static_cast<int>(errc::server_error)) + " "));
    EXPECT_THAT(said, HasSubstr(file().string()));
    EXPECT_THAT(said, HasSubstr("Permission denied"));
    EXPECT_EQ(other.hear(), "free");
    fs::permissions(locks, fs::perms::owner_all);
}

TEST_F(SqliteFence, ACounterThatIsReadOnlyIsNamedAndNothingIsHeld) {
    draw(a);
    fs::permissions(file(), fs::perms::owner_read);
    process other{{"unfence", locks, "k", "capabilities"}};
    const auto said = other.hear();
    EXPECT_THAT(said, StartsWith(std::to_string(static_cast<int>(errc::server_error)) + " "));
    EXPECT_THAT(said, HasSubstr(file().string()));
    EXPECT_EQ(other.hear(), "free");
}

TEST_F(SqliteFence, WithoutSpaceNothingIsHeldAndNoTokenIsLost) {
    const auto before = draw(a);
    process other{{"unfence", locks, "k", "space"}};
    const auto said = other.hear();
    EXPECT_THAT(said, StartsWith(std::to_string(static_cast<int>(errc::exhausted)) + " "));
    EXPECT_THAT(said, HasSubstr(file().string()));
    EXPECT_THAT(said, HasSubstr("File too large")) << "and not ended by SIGXFSZ";
    EXPECT_EQ(other.hear(), "free");
    EXPECT_GT(draw(a), before);
}

/// Keeps fence.db locked, as a shell that somebody forgot does.
class intruder {
public:
    explicit intruder(const fs::path& file) {
        EXPECT_EQ(sqlite3_open(file.c_str(), &database_), SQLITE_OK);
        EXPECT_EQ(sqlite3_exec(database_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
    }
    ~intruder() { sqlite3_close(database_); }
    intruder(const intruder&) = delete;
    intruder& operator=(const intruder&) = delete;

private:
    sqlite3* database_ = nullptr;
};

TEST_F(SqliteFence, WhoFindsTheCounterLockedWaits) {
    const auto before = draw(a);
    std::optional<intruder> other{file()};
    fenced_lock mine{a, "k"};
    background waiting{[&] { return mine.try_lock(); }};
    waiting.await_naps();
    other.reset();
    EXPECT_TRUE(waiting.get()) << "the lock was free";
    EXPECT_GT(mine.token(), before);
}

TEST_F(SqliteFence, ACounterThatWasDeletedIsNotTouchedAgain) {  // its journal's name is that of the new one
    const auto before = draw(a);
    const intruder old{file()};  // who touches it waits for this one, ten seconds
    fs::remove(file());
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_GT(draw(a), before);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST_F(SqliteFence, AStopRequestEndsThatWaitAndNothingIsHeld) {
    draw(a);
    const intruder other{file()};
    fenced_lock mine{a, "k"};
    std::stop_source stop;
    background waiting{[&] { return reason_of([&] { mine.lock(stop.get_token()); }); }};
    waiting.await_naps();
    stop.request_stop();
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_EQ(waiting.get(), errc::cancelled);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
    EXPECT_FALSE(mine.owns_lock());
    EXPECT_TRUE(lock(b, "k").try_lock());
}

}  // namespace
}  // namespace dlock::testing
