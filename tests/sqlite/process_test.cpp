// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Other processes: they exclude us, die, are forked, and are named.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <dlock/sqlite.hpp>

#include "tests/sqlite/support.hpp"
#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using sqlite::lock;
using sqlite::session;
using ::testing::HasSubstr;

class SqliteProcess : public SqliteTest {
protected:
    session here{locks};
    lock ours{here, "k"};
};

/// Returns when a writer waits, as readers notice: those of processes that do not read already.
void await_waiting_writer(const fs::path& locks) {
    await([&] { return process({"try", locks, "k", "shared"}).hear() == "no"; }, "the writer does not wait");
}

using SqliteFork = SqliteProcess;
using SqliteHolders = SqliteProcess;

TEST_F(SqliteProcess, ExcludesAnother) {
    ours.lock();
    EXPECT_EQ(process({"try", locks, "k", "exclusive"}).hear(), "no");
    EXPECT_EQ(process({"try", locks, "k", "shared"}).hear(), "no");
    ours.unlock();
    ours.lock_shared();
    EXPECT_EQ(process({"try", locks, "k", "exclusive"}).hear(), "no");
    EXPECT_EQ(process({"try", locks, "k", "shared"}).hear(), "yes");
}

/// As in a program that has closed its standard input, or was started without one.
class without_stdin {
public:
    without_stdin() { ::close(STDIN_FILENO); }
    ~without_stdin() {
        ::dup2(saved_, STDIN_FILENO);
        ::close(saved_);
    }
    without_stdin(const without_stdin&) = delete;
    without_stdin& operator=(const without_stdin&) = delete;

private:
    int saved_ = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
};

TEST_F(SqliteProcess, WithoutStandardInputKeepsItsLocks) {
    session second{locks};
    lock rival{second, "k"};
    ours.lock();
    {
        const without_stdin closed;
        EXPECT_FALSE(rival.try_lock());
        EXPECT_GE(::fcntl(STDIN_FILENO, F_GETFD), 0) << "and the next who opens a file must not get it there";
    }
    EXPECT_TRUE(ours.owns_lock());
    EXPECT_EQ(process({"try", locks, "k", "exclusive"}).hear(), "no") << "SQLite has opened the file there, and closed it again";
}

TEST_F(SqliteProcess, GivesItsLockOn) {
    process other{{"hold", locks, "k", "exclusive"}};
    ASSERT_EQ(other.hear(), "held");
    EXPECT_FALSE(ours.try_lock());
    background waiting{[&] { ours.lock(); }};
    await_waiters(here, "k");
    other.tell();
    EXPECT_EQ(other.hear(), "free");
    waiting.get();
    EXPECT_TRUE(ours.owns_lock());
}

TEST_F(SqliteProcess, ThatIsKilledFreesItsLockAtOnce) {
    for (const char* m : {"exclusive", "shared"}) {
        process other{{"hold", locks, "k", m}};
        ASSERT_EQ(other.hear(), "held");
        EXPECT_FALSE(ours.try_lock());
        other.kill();
        EXPECT_TRUE(ours.try_lock()) << "after its end there is nothing to wait for";
        ours.unlock();
    }
}

TEST_F(SqliteProcess, ThatIsKilledLetsTheNextOneIn) {
    process other{{"hold", locks, "k", "exclusive"}};
    ASSERT_EQ(other.hear(), "held");
    background waiting{[&] { return ours.try_lock_for(30s); }};
    await_waiters(here, "k");
    other.kill();
    EXPECT_TRUE(waiting.get());
}

TEST_F(SqliteProcess, ThatIsKilledWhileItWaitsLeavesNothing) {
    ours.lock_shared();
    process writer{{"hold", locks, "k", "exclusive"}};
    await_waiting_writer(locks);
    writer.kill();
    EXPECT_EQ(process({"try", locks, "k", "shared"}).hear(), "yes") << "its PENDING lock is left";
}

TEST_F(SqliteProcess, ContendsWithAnotherAndNeverMeetsIt) {
    const auto file = folder / "arena";
    make_arena(file);
    process other{{"contend", locks, "k", file}};
    contend(locks, "k", file);
    EXPECT_EQ(other.wait(), 0);
    const arena& end = mapped_arena(file);
    EXPECT_EQ(end.violations, 0);
    EXPECT_EQ(end.unguarded, end.rounds);
    EXPECT_GT(end.rounds, 600);
}

/// Runs a call in a forked child; whether it said yes.
template <class Call>
bool in_forked_child(Call call) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(call() ? 0 : 1);
    int status = -1;
    ::waitpid(child, &status, 0);
    return status == 0;
}

TEST_F(SqliteFork, ChildHoldsNothingAndTakesNothingAway) {
    ours.lock();
    EXPECT_TRUE(in_forked_child([&] {
        const bool owned = ours.owns_lock() || here.held() != 0;
        return !owned && unlock(ours) == errc::lost;
    }));
    EXPECT_TRUE(ours.owns_lock());
    EXPECT_EQ(process({"try", locks, "k", "exclusive"}).hear(), "no");
    EXPECT_FALSE(unlock(ours));
}

TEST_F(SqliteFork, ChildMayDestroyWhatItInherited) {
    auto s = std::make_unique<session>(locks);
    auto l = std::make_unique<lock>(*s, "another");
    l->lock();
    EXPECT_TRUE(in_forked_child([&] {
        l.reset();
        s.reset();
        return true;
    }));
    EXPECT_TRUE(l->owns_lock());
    EXPECT_EQ(process({"try", locks, "another", "exclusive"}).hear(), "no");
}

TEST_F(SqliteFork, ChildIsToldToMakeItsOwnSession) {
    EXPECT_TRUE(in_forked_child([&] {
        try {
            (void)ours.try_lock();
        } catch (const lock_error& e) {
            return e.reason() == errc::lost && std::string{e.what()}.find("fork") != std::string::npos;
        }
        return false;
    }));
    EXPECT_TRUE(ours.try_lock());
}

TEST_F(SqliteFork, ChildMayMakeASessionWhenTheParentHoldsNothing) {
    EXPECT_TRUE(in_forked_child([&] {
        session own{locks};
        lock l{own, "k"};
        return l.try_lock() && l.owns_lock() && !unlock(l);
    }));
}

/// Of a forked child.
bool may_lock(const fs::path& locks) {
    session own{locks};
    lock l{own, "k"};
    return l.try_lock() && l.owns_lock() && !unlock(l);
}

/// The same, of one that SQLite would tell that it holds what its parent does.
bool is_refused(const fs::path& locks) {
    try {
        session own{locks};
        lock l{own, "k"};
        (void)l.try_lock_shared();
    } catch (const lock_error& e) {
        return e.reason() == errc::unsupported && std::string{e.what()}.find("fork") != std::string::npos;
    }
    return false;
}

TEST_F(SqliteFork, ChildOfAProcessThatHoldsIsRefused) {
    for (const bool shared : {true, false}) {
        if (shared) ours.lock_shared();
        else ours.lock();
        EXPECT_TRUE(in_forked_child([&] { return is_refused(locks); })) << "shared: " << shared;
        EXPECT_TRUE(in_forked_child([&] { return in_forked_child([&] { return is_refused(locks); }); }));
        ours.unlock();
        EXPECT_TRUE(in_forked_child([&] { return may_lock(locks); })) << "nothing is held any more";
    }
}

TEST_F(SqliteFork, ChildOfAProcessThatWaitsIsRefused) {
    process other{{"hold", locks, "k", "exclusive"}};
    ASSERT_EQ(other.hear(), "held");
    background waiting{[&] { ours.lock(); }};
    await_waiters(here, "k");
    EXPECT_TRUE(in_forked_child([&] { return is_refused(locks); }));
    other.tell();
    EXPECT_EQ(other.hear(), "free");
    waiting.get();
    ours.unlock();
    EXPECT_TRUE(in_forked_child([&] { return may_lock(locks); }));
}

TEST_F(SqliteFork, ChildMayLockAfterEveryEndOfALock) {
    session second{locks};
    lock rival{second, "k"};
    ours.lock();
    EXPECT_FALSE(rival.try_lock());
    EXPECT_FALSE(rival.try_lock_for(1ms));
    fs::remove(here.file("k"));
    EXPECT_EQ(unlock(ours), errc::lost);
    EXPECT_TRUE(in_forked_child([&] { return may_lock(locks); })) << "lost";

    const auto grant = sqlite::lock_database::try_acquire(here, "k", mode::exclusive);
    sqlite::lock_database::sever(here, grant.value());
    EXPECT_TRUE(in_forked_child([&] { return may_lock(locks); })) << "severed";

    {
        session brief{locks};
        EXPECT_TRUE(sqlite::lock_database::try_acquire(brief, "k", mode::exclusive));
    }
    EXPECT_TRUE(in_forked_child([&] { return may_lock(locks); })) << "its session has ended";

    std::ofstream{here.file("bad")} << std::string(4096, '?');
    EXPECT_EQ(reason_of([&] { lock{here, "bad"}.lock(); }), errc::server_error);
    EXPECT_TRUE(in_forked_child([&] { return may_lock(locks); })) << "refused with an error";
}

TEST_F(SqliteFork, ParentThatIsForkedTwiceStillHolds) {
    ours.lock();
    EXPECT_TRUE(in_forked_child([&] { return in_forked_child([&] { return !ours.owns_lock(); }); }));
    EXPECT_TRUE(ours.owns_lock());
}

TEST_F(SqliteHolders, AreProcessesByPidAndCommandLine) {
    EXPECT_TRUE(ours.holders().empty()) << "nobody has ever locked it";
    process other{{"hold", locks, "k", "exclusive"}};
    ASSERT_EQ(other.hear(), "held");
    const auto found = ours.holders();
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].session, std::to_string(other.pid()));
    EXPECT_EQ(found[0].description.find("another process --task hold " + locks.string()), 0u) << found[0].description;
    other.tell();
    EXPECT_EQ(other.hear(), "free");
    EXPECT_TRUE(ours.holders().empty());
}

TEST_F(SqliteHolders, AreAllReaders) {
    process other{{"hold", locks, "k", "shared"}};
    ASSERT_EQ(other.hear(), "held");
    ours.lock_shared();
    std::vector<std::string> pids;
    for (const auto& one : ours.holders()) pids.push_back(one.session);
    EXPECT_THAT(pids, ::testing::UnorderedElementsAre(std::to_string(other.pid()), std::to_string(::getpid())));
}

TEST_F(SqliteHolders, AreNotTheWriterThatWaits) {
    ours.lock_shared();
    process writer{{"hold", locks, "k", "exclusive"}};
    await_waiting_writer(locks);
    const auto found = ours.holders();
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].session, std::to_string(::getpid()));
}

TEST_F(SqliteHolders, AreAskedWithoutTouchingTheLock) {
    ours.lock();
    EXPECT_EQ(ours.holders().size(), 1u);
    EXPECT_EQ(process({"try", locks, "k", "exclusive"}).hear(), "no") << "asking has freed it";
}

// --- what a process calls itself

class SqliteLabel : public SqliteProcess {
protected:
    /// What holders() says of the one holder.
    std::string shown() const {
        const auto found = ours.holders();
        EXPECT_EQ(found.size(), 1u);
        return found.empty() ? "nobody" : found[0].description;
    }
    std::vector<fs::path> files() const {
        std::error_code none;
        std::vector<fs::path> found;
        for (const auto& entry : fs::directory_iterator{locks / "labels", none}) found.push_back(entry.path());
        return found;
    }
};

TEST_F(SqliteLabel, IsShownInPlaceOfTheCommandLine) {
    process other{{"label", locks, "k", "night shift, \xc3\xa9 \"quoted\"\nand two lines"}};
    ASSERT_EQ(other.hear(), "held");
    EXPECT_EQ(shown(), "night shift, \xc3\xa9 \"quoted\"\nand two lines");
    other.tell();
    EXPECT_EQ(other.wait(), 0);
    EXPECT_TRUE(files().empty()) << "it goes with the session";
    process unnamed{{"hold", locks, "k", "exclusive"}};
    ASSERT_EQ(unnamed.hear(), "held");
    EXPECT_THAT(shown(), HasSubstr("--task hold"));
}

TEST_F(SqliteLabel, IsThatOfTheProcessWhicheverSessionSetIt) {
    const auto command_line = (ours.lock(), shown());
    auto second = std::make_unique<session>(locks);
    here.set_label("one");
    EXPECT_EQ(shown(), "one");
    second->set_label("two");
    EXPECT_EQ(shown(), "two");
    EXPECT_EQ(files().size(), 1u);
    second.reset();
    EXPECT_EQ(shown(), "two");
    here.set_label(std::string(3000, 'x'));
    EXPECT_EQ(shown(), std::string(1024, 'x'));
    here.set_label("");
    EXPECT_EQ(shown(), command_line);
    EXPECT_TRUE(files().empty());
    session elsewhere{folder / "elsewhere"};
    elsewhere.set_label("elsewhere");
    EXPECT_EQ(shown(), command_line);
}

TEST_F(SqliteLabel, OfADeadProcessIsNobodysAndGoes) {
    here.set_label("ours");
    ASSERT_EQ(files().size(), 1u);
    const auto mine = files()[0];
    process other{{"label", locks, "k", "theirs"}};
    ASSERT_EQ(other.hear(), "held");
    EXPECT_EQ(shown(), "theirs");
    EXPECT_EQ(files().size(), 2u);
    other.kill();
    EXPECT_EQ(files().size(), 2u) << "nobody could remove it";
    ours.lock();
    EXPECT_EQ(shown(), "ours");

    // This pid with another start, another boot; and what is no label.
    const auto name = mine.filename().string();
    const auto start = name.rfind('-') + 1;
    const auto pid_before = locks / "labels" / (name.substr(0, start) + "1"), boot_before = locks / "labels" / (std::string(32, '0') + name.substr(32));
    const auto another_space = locks / "labels" / (name.substr(0, 33) + "1" + name.substr(name.find('-', 33))), note = locks / "labels/README";
    for (const auto& left : {pid_before, boot_before, another_space, note}) std::ofstream{left} << "somebody else";
    EXPECT_EQ(shown(), "ours");
    fs::remove(mine);
    EXPECT_THAT(shown(), HasSubstr("process_test")) << "none of them is this process";
    here.set_label("ours again");
    EXPECT_THAT(files(), ::testing::UnorderedElementsAre(mine, another_space, note));
    EXPECT_EQ(shown(), "ours again");
}

TEST_F(SqliteLabel, OfAnotherProgramInTheSameProcessGoes) {  // as after exec()
    std::optional<session> before{std::in_place, folder / "elsewhere"};
    before->set_label("before");
    const auto file = fs::directory_iterator{folder / "elsewhere/labels"}->path();
    const auto kept = folder / "kept";
    fs::rename(file, kept);
    before.reset();
    fs::rename(kept, file);
    const session after{folder / "elsewhere"};
    EXPECT_FALSE(fs::exists(file));
}

TEST_F(SqliteLabel, OfAParentIsNotItsChilds) {
    here.set_label("parent");
    EXPECT_TRUE(in_forked_child([&] {
        try {
            here.set_label("child");
            return false;
        } catch (const lock_error& e) {
            if (e.reason() != errc::lost) return false;
        }
        session own{locks};
        lock l{own, "k"};
        if (!l.try_lock() || l.holders().at(0).description == "parent") return false;
        own.set_label("child");
        return l.holders().at(0).description == "child";
    }));
    ours.lock();
    EXPECT_EQ(shown(), "parent");
}

TEST_F(SqliteLabel, ThatCannotBeWrittenIsAnErrorAndTheLockIsNotTouched) {
    ours.lock();
    std::ofstream{locks / "labels"} << "not a directory";
    const auto e = error_of([&] { here.set_label("ours"); });
    EXPECT_EQ(e.reason(), errc::server_error);
    EXPECT_THAT(e.what(), HasSubstr((locks / "labels").string()));
    EXPECT_THAT(e.what(), HasSubstr("Not a directory"));
    EXPECT_TRUE(ours.owns_lock());
    EXPECT_THAT(shown(), HasSubstr("process_test"));
    EXPECT_EQ(process({"try", locks, "k", "exclusive"}).hear(), "no");
}

TEST_F(SqliteProcess, OfAnotherProgramInheritsNoDescriptor) {
    ours.lock();
    process other{{"hold", locks, "other", "exclusive"}};
    ASSERT_EQ(other.hear(), "held");
    for (const auto& entry : fs::directory_iterator{"/proc/" + std::to_string(other.pid()) + "/fd"}) {
        EXPECT_NE(fs::read_symlink(entry.path()), here.file("k"));
    }
}

}  // namespace
}  // namespace dlock::testing
