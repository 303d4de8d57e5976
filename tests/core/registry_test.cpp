// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/registry.hpp>

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include <dlock/keys/hashed_key.hpp>
#include <dlock/lock.hpp>

#include "tests/core/fake_server.hpp"
#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

using fake_lock = basic_lock<fake, hashed_key>;

/// Adds to the name, so that a test sees by the key who has made a lock.
template <detail::fixed_string Backend, detail::fixed_string Mark = "">
struct entry {
    static constexpr std::string_view backend = Backend.view();
    static any_lock make(fake_session& session, std::string_view name) {
        return any_lock::of<fake_lock>(session, std::string{name} + Mark.c_str());
    }
};

std::string key(std::string_view name) { return std::to_string(hashed_key::key(name)); }

/// The key that a lock is on.
std::string key(const any_lock& lock) { return lock.holders().at(0).description; }

constexpr registry<entry<"oak", " by oak">, entry<"elm", " by elm">> trees;

class Registry : public ::testing::Test {
protected:
    std::string refusal(const auto& of, std::string_view backend) {
        const auto error = error_of([&] { (void)of.make(backend, session, "name"); });
        EXPECT_EQ(error.reason(), errc::unsupported);
        return error.what();
    }

    fake_session session;
};

TEST_F(Registry, MakesTheLockOfTheBackend) {
    EXPECT_EQ(key(trees.make("oak", session, "name")), key("name by oak"));
    EXPECT_EQ(key(trees.make("elm", session, "name")), key("name by elm"));
}

TEST_F(Registry, MakesLocksThatAreNotHeld) {
    auto lock = trees.make("oak", session, "name");
    EXPECT_FALSE(lock.owns_lock());
    EXPECT_TRUE(session.asked.empty());
    EXPECT_TRUE(lock.try_lock());
}

TEST_F(Registry, NamesTheBackendsItKnowsWhenAskedForAnother) {
    EXPECT_EQ(refusal(trees, "ash"), "dlock: no lock is registered for 'ash'; there are: oak elm: unsupported");
    EXPECT_EQ(refusal(trees, ""), "dlock: no lock is registered for ''; there are: oak elm: unsupported");
    EXPECT_EQ(refusal(trees, "oa"), "dlock: no lock is registered for 'oa'; there are: oak elm: unsupported") << "no prefix matches";
    EXPECT_EQ(refusal(trees, "OAK"), "dlock: no lock is registered for 'OAK'; there are: oak elm: unsupported");
}

TEST_F(Registry, TakesAUsersOwnEntries) {
    constexpr auto more = trees.with<entry<"ash">, entry<"yew">>();
    EXPECT_EQ(key(more.make("ash", session, "name")), key("name"));
    EXPECT_EQ(key(more.make("yew", session, "name")), key("name"));
    EXPECT_EQ(key(more.make("oak", session, "name")), key("name by oak"));
    EXPECT_NE(refusal(more, "fir").find("there are: oak elm ash yew"), std::string::npos);
    EXPECT_NE(refusal(trees, "ash").find("there are: oak elm"), std::string::npos) << "with<> changes a copy";
}

TEST_F(Registry, AsksTheFirstEntryOfABackendOnly) {
    constexpr auto more = trees.with<entry<"oak", " by the second">>();
    EXPECT_EQ(key(more.make("oak", session, "name")), key("name by oak"));
}

TEST_F(Registry, CanBeEmpty) {
    EXPECT_EQ(refusal(registry<>{}, "oak"), "dlock: no lock is registered for 'oak'; there are:: unsupported");
    EXPECT_EQ(key(registry<>{}.with<entry<"oak">>().make("oak", session, "name")), key("name"));
}

TEST_F(Registry, PassesOnWhatAnEntryThrows) {
    session.refused_keys.insert(hashed_key::key("name"));
    EXPECT_EQ(reason_of([&] { (void)trees.with<entry<"ash">>().make("ash", session, "name"); }), errc::bad_key);
}

// --- the concept

struct nameless {
    static any_lock make(fake_session&, std::string_view);
};
struct makes_nothing {
    static constexpr std::string_view backend = "oak";
};
struct makes_something_else {
    static constexpr std::string_view backend = "oak";
    static int make(fake_session&, std::string_view);
};
struct named_by_number {
    static constexpr int backend = 1;
    static any_lock make(fake_session&, std::string_view);
};

static_assert(registry_entry_for<entry<"oak">, fake_session>);
static_assert(!registry_entry_for<entry<"oak">, int>, "it makes locks of other sessions");
static_assert(!registry_entry_for<nameless, fake_session> && !registry_entry_for<makes_nothing, fake_session>);
static_assert(!registry_entry_for<makes_something_else, fake_session> && !registry_entry_for<named_by_number, fake_session>);

}  // namespace
}  // namespace dlock::testing
