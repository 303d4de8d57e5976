// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Several keys of any backend as one lock: what reaches the backend, in which order, and what becomes of a half-finished set.
#include <dlock/one_by_one.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <dlock/keys/each.hpp>
#include <dlock/keys/integer_key.hpp>
#include <dlock/lock.hpp>

#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// A server that is played by the test: it holds what it was asked for and writes it down.
struct stage {
    std::set<std::int64_t> busy;                    ///< somebody else holds these
    std::map<std::int64_t, errc> failing;           ///< to ask for these is an error
    std::set<std::int64_t> releases_pending;        ///< these it cannot release now
    std::set<std::int64_t> gone;                    ///< these were held, and are lost
    std::set<std::int64_t> held;
    std::map<std::int64_t, std::stop_source> losses;
    std::vector<std::string> asked;
    std::vector<deadline> until;

    std::vector<std::string> take_asked() { return std::exchange(asked, {}); }
};

template <bool Tells>
struct basic_actor {
    using session_type = stage;
    using key_type = std::int64_t;
    using grant_type = int;
    static constexpr bool has_shared = true;

    static void check(stage&, key_type k) {
        if (k == 13) throw lock_error{errc::bad_key, "stage: not this key"};
    }
    static std::optional<int> acquire(stage& s, key_type k, const std::string& how) {
        s.asked.push_back(how + std::to_string(k));
        if (const auto failure = s.failing.find(k); failure != s.failing.end()) throw lock_error{failure->second, "stage: as it was told"};
        if (s.busy.contains(k)) return std::nullopt;
        EXPECT_TRUE(s.held.insert(k).second) << k << " is held twice";
        return static_cast<int>(k);
    }
    static std::optional<int> try_acquire(stage& s, key_type k, mode m) { return acquire(s, k, m == mode::exclusive ? "try " : "try shared "); }
    static std::optional<int> acquire_until(stage& s, key_type k, mode, deadline until, const std::stop_token&) {
        s.until.push_back(until);
        return acquire(s, k, "wait ");
    }
    static bool still_held(stage& s, key_type k, mode, int grant) noexcept {
        EXPECT_EQ(grant, k);
        return s.held.contains(k) && !s.gone.contains(k);
    }
    static released release(stage& s, key_type k, mode, int grant) noexcept {
        EXPECT_EQ(grant, k);
        s.asked.push_back("release " + std::to_string(k));
        if (s.releases_pending.contains(k)) return released::pending;
        EXPECT_EQ(s.held.erase(k), 1U) << k << " was not held";
        return s.gone.contains(k) ? released::lost : released::yes;
    }
    static void sever(stage& s, int) noexcept {
        s.asked.push_back("sever");
        s.held.clear();
    }
    static std::vector<holder> holders(stage& s, key_type k) {
        if (!s.busy.contains(k)) return {};
        return {{std::to_string(k / 10), "somebody"}};
    }
    static std::stop_token lost(stage& s, key_type k, mode, int)
        requires Tells
    {
        return s.losses[k].get_token();
    }
};
using actor = basic_actor<false>;
using telling_actor = basic_actor<true>;

static_assert(backend<one_by_one<actor>> && shared_backend<one_by_one<actor>>);
static_assert(loss_signalling_backend<one_by_one<telling_actor>>);

using all = basic_lock<one_by_one<actor>, each<integer_key>>;

TEST(OneByOne, AsksInTheOrderOfTheKeysAndGivesBackInTheReverse) {
    stage s;
    all lock{s, {3, 1, 2, 3}};
    lock.lock();
    EXPECT_THAT(s.take_asked(), ElementsAre("wait 1", "wait 2", "wait 3"));
    EXPECT_TRUE(lock.owns_lock());
    EXPECT_FALSE(unlock(lock));
    EXPECT_THAT(s.take_asked(), ElementsAre("release 3", "release 2", "release 1"));
    EXPECT_TRUE(lock.try_lock_shared());
    EXPECT_THAT(s.take_asked(), ElementsAre("try shared 1", "try shared 2", "try shared 3"));
}

TEST(OneByOne, WaitsForAllOfThemUntilOneDeadline) {
    stage s;
    all lock{s, {1, 2, 3}};
    EXPECT_TRUE(lock.try_lock_for(1h));
    ASSERT_EQ(s.until.size(), 3U);
    EXPECT_EQ(s.until[0], s.until[1]);
    EXPECT_EQ(s.until[0], s.until[2]);
}

TEST(OneByOne, WhatItHadIsGivenBackWhenOneIsBusy) {
    stage s;
    s.busy = {3};
    all lock{s, {1, 2, 3, 4}};
    EXPECT_FALSE(lock.try_lock());
    EXPECT_THAT(s.take_asked(), ElementsAre("try 1", "try 2", "try 3", "release 2", "release 1"));
    EXPECT_FALSE(lock.try_lock_for(1h));
    EXPECT_THAT(s.held, IsEmpty());
    EXPECT_FALSE(lock.owns_lock());
}

TEST(OneByOne, WhatItHadIsGivenBackWhenOneIsAnError) {
    for (const auto reason : {errc::deadlock, errc::cancelled, errc::already_owned, errc::exhausted}) {
        stage s;
        s.failing = {{3, reason}};
        all lock{s, {1, 2, 3, 4}};
        EXPECT_EQ(reason_of([&] { lock.lock(); }), reason);
        EXPECT_THAT(s.held, IsEmpty());
        EXPECT_FALSE(lock.owns_lock());
    }
}

TEST(OneByOne, WhatCannotBeGivenBackEndsTheSession) {
    stage s;
    s.busy = {3};
    s.releases_pending = {1};
    all lock{s, {1, 2, 3}};
    EXPECT_FALSE(lock.try_lock());
    EXPECT_THAT(s.take_asked(), ElementsAre("try 1", "try 2", "try 3", "release 2", "release 1", "sever"));
    EXPECT_THAT(s.held, IsEmpty());
}

TEST(OneByOne, AReleaseThatWaitsIsOfThoseThatAreLeft) {
    stage s;
    all lock{s, {1, 2, 3}};
    lock.lock();
    s.releases_pending = {2};
    EXPECT_EQ(unlock(lock), std::errc::operation_in_progress);
    EXPECT_THAT(s.held, ElementsAre(2));
    s.releases_pending.clear();
    s.asked.clear();
    EXPECT_FALSE(unlock(lock));
    EXPECT_THAT(s.take_asked(), ElementsAre("release 2"));
    lock.lock();
    EXPECT_THAT(s.held, ElementsAre(1, 2, 3));
}

TEST(OneByOne, IsLostWithTheFirstOfThemThatIs) {
    stage s;
    all lock{s, {1, 2, 3}};
    lock.lock();
    s.gone = {2};
    EXPECT_FALSE(lock.owns_lock());
    EXPECT_EQ(unlock(lock), errc::lost);
    EXPECT_THAT(s.held, IsEmpty()) << "and the others are given back";
}

TEST(OneByOne, TellsOfTheLossOfAnyOfThem) {
    stage s;
    basic_lock<one_by_one<telling_actor>, each<integer_key>> lock{s, {1, 2, 3}};
    lock.lock();
    const auto lost = lock.lost();
    EXPECT_EQ(lock.lost(), lost);
    EXPECT_FALSE(lost.stop_requested());
    s.losses[2].request_stop();
    EXPECT_TRUE(lost.stop_requested());
    lock.unlock();
    s.losses.clear();
    lock.lock();
    const auto silent = lock.lost();
    lock.unlock();
    s.losses[1].request_stop();
    EXPECT_FALSE(silent.stop_requested());
}

TEST(OneByOne, NamesEachHolderOnce) {
    stage s;
    s.busy = {11, 12, 21};
    const all lock{s, {11, 12, 20, 21}};
    const auto holders = lock.holders();
    ASSERT_EQ(holders.size(), 2U);
    EXPECT_EQ(holders[0].session, "1");
    EXPECT_EQ(holders[1].session, "2");
}

TEST(OneByOne, RefusesWhatTheBackendRefusesAndAnEmptySet) {
    stage s;
    EXPECT_EQ(reason_of([&] { all lock(s, {1, 13}); }), errc::bad_key);
    EXPECT_EQ(reason_of([&] { (void)one_by_one<actor>::try_acquire(s, {}, mode::exclusive); }), errc::bad_key);
    EXPECT_EQ(reason_of([&] { one_by_one<actor>::check(s, {}); }), errc::bad_key);
    EXPECT_THAT(s.asked, IsEmpty());
}

}  // namespace
}  // namespace dlock::testing
