// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The judge of histories: what it must find, and what it must let pass.
#include "tests/faults/history.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/servers/temporary_directory.hpp"

namespace dlock::testing {
namespace {

using enum happening;

/// A history that is written down as it is read: each line happens one tick after the one before it.
class History : public ::testing::Test {
protected:
    History() {
        for (const std::uint32_t each : {a, b}) does(each, opened);
    }

    void does(std::uint32_t actor, happening what, std::uint64_t token = 0, mode how = mode::exclusive, std::uint16_t key = 1) {
        events_.push_back({++now_, token, actor + 100, actor, key, what, how});
    }
    void takes(std::uint32_t actor, std::uint64_t token = 0, mode how = mode::exclusive, std::uint16_t key = 1) {
        does(actor, invoked, token, how, key);
        does(actor, granted, token, how, key);
    }
    void gives_back(std::uint32_t actor, std::uint16_t key = 1) {
        does(actor, releasing, 0, mode::exclusive, key);
        does(actor, released, 0, mode::exclusive, key);
    }
    void reconnects(std::uint32_t actor, std::uint64_t session) {
        events_.push_back({.at = ++now_, .session = session, .actor = actor, .what = opened});
    }

    /// What is broken; in any order of the events.
    std::vector<rule> broken() {
        std::vector<rule> rules;
        for (const auto& each : check({events_.rbegin(), events_.rend()}).violations) rules.push_back(each.broken);
        return rules;
    }

    static constexpr std::uint32_t a = 1, b = 2;
    std::vector<event> events_;
    std::int64_t now_ = 0;
};

using rules = std::vector<rule>;

TEST_F(History, OneAfterTheOtherIsFine) {
    takes(a, 1);
    gives_back(a);
    takes(b, 2);
    does(a, invoked);
    does(a, refused);
    gives_back(b);
    takes(a, 3);
    gives_back(a);
    EXPECT_EQ(broken(), rules{});
    EXPECT_EQ(check(events_).holds.size(), 3);
}

TEST_F(History, NothingIsFine) { EXPECT_EQ(check({}).violations.size(), 0); }

// --- one holder

TEST_F(History, TwoAtOnceAreFound) {
    takes(a);
    takes(b);
    gives_back(a);
    gives_back(b);
    EXPECT_EQ(broken(), rules{rule::one_holder});
}

TEST_F(History, AReaderBesideAWriterIsFoundWhicheverCameFirst) {
    takes(a);
    takes(b, 0, mode::shared);
    gives_back(a);
    gives_back(b);
    takes(b, 0, mode::shared);
    takes(a);
    gives_back(b);
    gives_back(a);
    EXPECT_EQ(broken(), (rules{rule::one_holder, rule::one_holder}));
}

TEST_F(History, ReadersMayMeetAndOtherKeysDoNotMatter) {
    takes(a, 0, mode::shared);
    takes(b, 0, mode::shared);
    takes(a, 0, mode::exclusive, 2);
    gives_back(a);
    gives_back(b);
    gives_back(a, 2);
    EXPECT_EQ(broken(), rules{});
}

TEST_F(History, OneThatIsHeldForLongMeetsAllThatComeMeanwhile) {
    takes(a);
    for (int i = 0; i < 3; ++i) {
        takes(b);
        gives_back(b);
    }
    gives_back(a);
    EXPECT_EQ(broken(), rules(3, rule::one_holder));
}

TEST_F(History, OneThatIsGrantedTwiceIsFound) {
    takes(a);
    takes(a);
    gives_back(a);
    const auto found = broken();
    EXPECT_NE(std::ranges::find(found, rule::one_holder), found.end());
}

TEST_F(History, AHoldEndsWhenUnlockIsCalledAndBeginsWhenItIsTold) {
    takes(a);
    does(a, releasing);
    does(b, invoked);
    does(b, granted);
    does(a, released);
    gives_back(b);
    EXPECT_EQ(broken(), rules{});
}

// --- what ends a hold

TEST_F(History, TheKillOfItsSessionEndsAHoldAlthoughItsHolderDoesNotKnow) {
    takes(a);
    does(a, kills_session);
    takes(b);
    does(a, lost);
    gives_back(b);
    EXPECT_EQ(broken(), rules{});
}

TEST_F(History, TheKillOfAnotherSessionDoesNot) {
    takes(a);
    does(b, kills_session);
    reconnects(b, 300);
    takes(b);
    gives_back(b);
    gives_back(a);
    EXPECT_EQ(broken(), rules{rule::one_holder});
}

TEST_F(History, AGrantThatIsToldAfterTheKillExcludesNobody) {
    does(a, invoked);
    does(a, kills_session);
    takes(b, 2);
    does(a, granted, 1);  // it was on its way
    gives_back(b);
    does(a, lost);
    EXPECT_EQ(broken(), rules{});
}

TEST_F(History, TheNextSessionOfTheSameProcessCounts) {
    does(a, kills_session);
    reconnects(a, 300);
    takes(a);
    takes(b);
    gives_back(a);
    gives_back(b);
    EXPECT_EQ(broken(), rules{rule::one_holder});
}

TEST_F(History, TheEndOfItsProcessEndsAHold) {
    takes(a);
    does(a, kills_process);
    takes(b);
    gives_back(b);
    EXPECT_EQ(broken(), rules{});
}

TEST_F(History, WhatIsToldToAProcessThatIsBeingKilledExcludesNobody) {
    does(a, invoked);
    does(a, kills_process);
    does(a, granted);
    takes(b);
    gives_back(b);
    EXPECT_EQ(broken(), rules{});
}

TEST_F(History, TheEndOfTheServerEndsAllHoldsAndTheSessionsThatWereOpenedMeanwhile) {
    takes(a);
    does(0, stops_server);
    reconnects(b, 300);
    takes(b);
    does(0, server_ended);
    does(a, lost);
    does(b, lost);
    reconnects(a, 400);
    takes(a);
    gives_back(a);
    EXPECT_EQ(broken(), rules{});
    takes(a);
    reconnects(b, 500);
    takes(b);
    gives_back(a);
    gives_back(b);
    EXPECT_EQ(broken(), rules{rule::one_holder}) << "the new server's locks count";
}

TEST_F(History, TheEndOfTheFilesEndsAllHoldsAndNoSession) {
    takes(a, 1);
    does(0, takes_files);
    does(0, files_taken);
    takes(b, 2);
    does(a, lost);
    does(a, releasing);
    gives_back(b);
    takes(a, 3);
    gives_back(a);
    EXPECT_EQ(broken(), rules{});
    takes(a, 4);
    takes(b, 5);
    gives_back(a);
    gives_back(b);
    EXPECT_EQ(broken(), rules{rule::one_holder}) << "the locks of the new files count";
}

TEST_F(History, AGrantThatWasAskedForBeforeTheFilesWereGoneExcludesNobody) {
    does(a, invoked);
    does(0, takes_files);
    takes(b);
    does(0, files_taken);
    does(a, granted);
    takes(b, 0, mode::exclusive, 2);
    takes(b);
    gives_back(b);
    does(a, lost);
    EXPECT_EQ(broken(), (rules{rule::grant_ends})) << "of the other key";
}

TEST_F(History, AFileThatNobodyTookIsNoExcuseForANewSession) {
    does(0, takes_files);
    does(0, files_taken);
    does(a, lost);
    does(a, failed);
    EXPECT_EQ(broken(), rules{});
    reconnects(a, 300);
    does(a, lost);
    EXPECT_EQ(broken(), rules{rule::loss_has_cause});
}

TEST_F(History, AFailureWithoutFilesThatWereTakenIsFound) {
    does(a, failed);
    EXPECT_EQ(broken(), rules{rule::loss_has_cause});
}

TEST_F(History, ASessionThatIsBeingKilledIsDeadForWhoGetsItMeanwhile) {
    events_.push_back({.at = ++now_, .session = 300, .what = kills_session});
    reconnects(a, 300);  // from a pooler
    takes(a);
    events_.push_back({.at = ++now_, .session = 300, .what = session_ended});
    takes(b);
    does(a, lost);
    gives_back(b);
    EXPECT_EQ(broken(), rules{});
    reconnects(a, 300);
    takes(a);
    takes(b);
    gives_back(a);
    gives_back(b);
    EXPECT_EQ(broken(), rules{rule::one_holder}) << "another session of that number";
}

// --- a process with a lock_manager: threads, and sessions whose numbers are 1, 2, …

class ManagedHistory : public History {
protected:
    ManagedHistory() {
        opens(1);
        opens(2);
    }

    void opens(std::uint64_t number, std::uint32_t process = m) {
        events_.push_back({.at = ++now_, .token = number, .session = session(number), .actor = process, .what = opened_another});
    }
    void closes(std::uint64_t number) {
        events_.push_back({.at = ++now_, .token = number, .session = session(number), .actor = m, .what = closed});
    }
    void kill(std::uint64_t number) {
        events_.push_back({.at = ++now_, .session = session(number), .what = kills_session});
        events_.push_back({.at = ++now_, .session = session(number), .what = session_ended});
    }
    void crash() {
        does(0, stops_server);
        does(0, server_ended);
    }
    static std::uint64_t session(std::uint64_t number) { return 200 + number; }

    static constexpr std::uint32_t m = 3, first = actor_of(m, 0), second = actor_of(m, 1);
};

TEST_F(ManagedHistory, ThreadsExcludeEachOtherAndOtherProcesses) {
    takes(first);
    gives_back(first);
    takes(second);
    gives_back(second);
    takes(a);
    gives_back(a);
    EXPECT_EQ(broken(), rules{});
    takes(first);
    takes(second);
    gives_back(first);
    takes(a);
    gives_back(a);
    gives_back(second);
    EXPECT_EQ(broken(), (rules{rule::one_holder, rule::one_holder}));
}

TEST_F(ManagedHistory, ThreadsOfOtherNumbersAreOfTheSameProcess) {
    EXPECT_EQ(process_of(first), m);
    EXPECT_EQ(process_of(second), m);
    EXPECT_NE(first, second);
}

TEST_F(ManagedHistory, TheKillOfAnyOfItsSessionsEndsAllItsHolds) {
    takes(first);
    takes(second, 0, mode::exclusive, 2);
    kill(2);
    takes(a);
    takes(a, 0, mode::exclusive, 2);
    gives_back(a);
    gives_back(a, 2);
    does(first, lost);
    does(second, lost, 0, mode::exclusive, 2);
    gives_back(first);
    gives_back(second, 2);
    EXPECT_EQ(broken(), rules{});
}

TEST_F(ManagedHistory, TheKillOfASessionOfAnotherProcessEndsNone) {
    opens(5, 4);
    takes(first);
    kill(5);
    takes(a);
    gives_back(a);
    gives_back(first);
    EXPECT_EQ(broken(), rules{rule::one_holder});
}

TEST_F(ManagedHistory, AGrantExcludesNobodyUntilTheKilledSessionIsClosed) {
    kill(1);
    takes(first);
    takes(a);
    gives_back(a);
    gives_back(first);
    EXPECT_EQ(broken(), rules{});
    closes(1);
    takes(first);
    takes(a);
    gives_back(a);
    gives_back(first);
    EXPECT_EQ(broken(), rules{rule::one_holder}) << "what is left counts";
}

TEST_F(ManagedHistory, AGrantThatWasAskedForBeforeTheKilledSessionWasClosedExcludesNobody) {
    kill(1);
    does(second, invoked);
    closes(1);
    does(second, granted);  // handed over while the manager did not know
    takes(a);
    does(second, lost);
    gives_back(second);
    gives_back(a);
    EXPECT_EQ(broken(), rules{});
}

TEST_F(ManagedHistory, ASessionThatIsClosedAliveEndsNoHold) {
    takes(first);
    closes(1);
    takes(a);
    gives_back(a);
    gives_back(first);
    EXPECT_EQ(broken(), rules{rule::one_holder});
}

TEST_F(ManagedHistory, SessionsOfTheSameNameAreToldApartByTheirNumbers) {
    takes(first);
    crash();
    events_.push_back({.at = ++now_, .token = 3, .session = session(1), .actor = m, .what = opened_another});  // of the next server
    closes(1);
    closes(2);
    does(first, lost);
    gives_back(first);
    takes(first);
    takes(second);
    gives_back(first);
    gives_back(second);
    EXPECT_EQ(broken(), rules{rule::one_holder});
}

TEST_F(ManagedHistory, TheEndOfTheProcessEndsTheHoldsOfAllItsThreads) {
    takes(first);
    takes(second, 0, mode::exclusive, 2);
    does(m, kills_process);
    does(second, granted, 0, mode::exclusive, 3);
    takes(a);
    takes(a, 0, mode::exclusive, 2);
    gives_back(a);
    gives_back(a, 2);
    EXPECT_EQ(broken(), rules{rule::well_formed}) << "nobody asked for the third key";
}

TEST_F(ManagedHistory, ALossThatNobodyCausedIsFound) {
    takes(first);
    does(first, lost);
    gives_back(first);
    EXPECT_EQ(broken(), rules{rule::loss_has_cause});
}

TEST_F(ManagedHistory, ASessionThatIsClosedAliveIsNoCause) {
    takes(first);
    closes(1);
    does(first, lost);
    gives_back(first);
    EXPECT_EQ(broken(), rules{rule::loss_has_cause});
}

TEST_F(ManagedHistory, ALossMayBeToldAfterTheKilledSessionIsClosed) {
    takes(first);
    does(second, invoked);
    kill(1);
    closes(1);
    does(second, lost);  // by the lock() that was on it
    does(first, invoked, 0, mode::exclusive, 2);
    does(first, refused, 0, mode::exclusive, 2);
    does(first, lost);  // of what it still believes to hold
    gives_back(first);
    EXPECT_EQ(broken(), rules{});
}

TEST_F(ManagedHistory, AKilledSessionExcusesNoLaterLoss) {
    takes(first);
    kill(1);
    does(first, lost);
    gives_back(first);
    closes(1);
    takes(first);
    does(first, lost);
    gives_back(first);
    EXPECT_EQ(broken(), rules{rule::loss_has_cause});
}

TEST_F(ManagedHistory, AServerThatWasGoneMayBeBelievedToBe) {
    crash();
    closes(1);
    closes(2);
    opens(3);
    does(first, invoked);
    does(first, lost);
    does(a, lost);
    EXPECT_EQ(broken(), rules{});
    reconnects(a, 300);
    does(a, lost);
    EXPECT_EQ(broken(), rules{rule::loss_has_cause}) << "that is a lock_manager's excuse";
}

TEST_F(ManagedHistory, SessionsThatWereOpenedTwiceOrNeverCannotBe) {
    opens(1);
    closes(7);
    EXPECT_EQ(broken(), (rules{rule::well_formed, rule::well_formed}));
}

// --- tokens

TEST_F(History, ATokenThatFallsIsFound) {
    takes(a, 7);
    gives_back(a);
    takes(b, 6);
    gives_back(b);
    const auto found = broken();
    EXPECT_NE(std::ranges::find(found, rule::token_rises), found.end());
}

TEST_F(History, ATokenThatWasMadeBeforeTheWaitIsFound) {
    takes(a, 7);
    does(b, invoked);
    gives_back(a);
    takes(a, 9);
    gives_back(a);
    does(b, granted, 8);
    gives_back(b);
    EXPECT_EQ(broken(), rules{rule::token_rises});
}

TEST_F(History, ATokenThatFallsBetweenReadersAndWritersIsFound) {
    does(b, invoked);
    takes(a, 8, mode::shared);
    gives_back(a);
    does(b, granted, 7);
    gives_back(b);
    EXPECT_EQ(broken(), rules{rule::token_rises});
}

TEST_F(History, ATokenThatFallsAcrossKeysIsFound) {
    takes(a, 7, mode::exclusive, 1);
    takes(b, 6, mode::exclusive, 2);
    gives_back(a, 1);
    gives_back(b, 2);
    EXPECT_EQ(broken(), rules{rule::token_rises});
}

TEST_F(History, ATokenThatIsGivenTwiceIsFound) {
    does(a, invoked, 0, mode::shared);
    does(b, invoked, 0, mode::shared);
    does(a, granted, 5, mode::shared);
    does(b, granted, 5, mode::shared);
    gives_back(a);
    gives_back(b);
    EXPECT_EQ(broken(), rules{rule::token_rises});
}

TEST_F(History, ReadersThatAskedAtTheSameTimeMayHaveTheirTokensInAnyOrder) {
    does(a, invoked, 0, mode::shared);
    does(b, invoked, 0, mode::shared);
    does(a, granted, 6, mode::shared);
    does(b, granted, 5, mode::shared);
    gives_back(a);
    gives_back(b);
    EXPECT_EQ(broken(), rules{});
}

// --- ends and causes

TEST_F(History, AGrantThatIsNeverReleasedIsFound) {
    takes(a);
    EXPECT_EQ(broken(), rules{rule::grant_ends});
}

TEST_F(History, ASessionThatIsGivenUpReleasesNothing) {
    takes(a);
    reconnects(a, 300);
    EXPECT_EQ(broken(), rules{rule::grant_ends});
}

TEST_F(History, ALossThatNobodyCausedIsFound) {
    takes(a);
    does(a, lost);
    gives_back(a);
    EXPECT_EQ(broken(), rules{rule::loss_has_cause});
}

TEST_F(History, ALossOfASessionThatWasReplacedIsNoExcuse) {
    does(a, kills_session);
    does(a, lost);
    reconnects(a, 300);
    does(a, lost);
    EXPECT_EQ(broken(), rules{rule::loss_has_cause});
}

TEST_F(History, AHistoryThatCannotBeIsNotJudged) {
    does(a, granted);
    gives_back(a);
    gives_back(b);
    EXPECT_EQ(broken(), (rules{rule::well_formed, rule::well_formed}));
}

// --- the record

TEST(Recorder, KeepsEveryEventOfManyWriters) {
    const temporary_directory folder;
    const auto file = folder.path() / "events";
    constexpr int each = 500;
    std::vector<std::thread> writers;
    for (std::uint32_t actor = 0; actor < 4; ++actor) {
        writers.emplace_back([&, actor] {
            const recorder out{file};
            for (int i = 0; i < each; ++i) out.write({now_ns(), actor * 3U, 0, actor, 1, refused, mode::shared});
        });
    }
    for (auto& writer : writers) writer.join();
    const auto all = recorded(file);
    ASSERT_EQ(all.size(), 4U * each);
    for (std::uint32_t actor = 0; actor < 4; ++actor) EXPECT_EQ(std::ranges::count(all, actor, &event::actor), each);
    for (const auto& e : all) {
        EXPECT_EQ(e.token, e.actor * 3U);
        EXPECT_EQ(e.what, refused);
        EXPECT_EQ(e.how, mode::shared);
    }
}

}  // namespace
}  // namespace dlock::testing
