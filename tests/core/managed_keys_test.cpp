// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Which keys a lock_manager knows, and for how long.
#include <dlock/detail/managed_keys.hpp>

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace dlock::testing {
namespace {

/// A connection that has answered the releases up to a number.
struct connection {
    struct {
        std::uint64_t last = 0;
        [[nodiscard]] std::uint64_t answered() const noexcept { return last; }
    } pipe;
};
using handle = std::shared_ptr<connection>;
using managed_keys = detail::managed_keys<std::string, handle>;
using entry = managed_keys::entry;

constexpr int kept = 64;

class ManagedKeys : public ::testing::Test {
protected:
    /// The releases have the numbers 1, 2, … in this order.
    void release(int how_many) {
        for (int i = 0; i < how_many; ++i) {
            auto& e = keys_.find_or_make(std::to_string(releases_));
            e.on = on_;
            e.release = ++releases_;
            keys_.set_free(e);
        }
    }
    /// The numbers of the releases of all that are known.
    std::set<std::uint64_t> known() {
        keys_.forget_answered();
        std::set<std::uint64_t> numbers;
        keys_.for_each([&](const entry& e) { numbers.insert(e.release); });
        return numbers;
    }

    handle on_ = std::make_shared<connection>();
    managed_keys keys_;
    std::uint64_t releases_ = 0;
};

TEST_F(ManagedKeys, AreFoundByTheGrantWhileTheyAreHeld) {
    auto& e = keys_.find_or_make("k");
    e.now = entry::is::held;
    e.epoch = 7;
    EXPECT_EQ(keys_.find_held("k", 7), &e);
    EXPECT_EQ(keys_.find_held("k", 6), nullptr) << "a grant before";
    EXPECT_EQ(keys_.find_held("other", 7), nullptr);
    EXPECT_EQ(&keys_.find_or_make("k"), &e);
    e.now = entry::is::busy;
    EXPECT_EQ(keys_.find_held("k", 7), nullptr);
}

TEST_F(ManagedKeys, AreKnownUntilTheirReleaseIsAnswered) {
    release(10 * kept);
    EXPECT_EQ(known().size(), 10U * kept);
    on_->pipe.last = 5;
    EXPECT_EQ(*known().begin(), 6U) << "the oldest are forgotten first";
    on_->pipe.last = releases_;
    EXPECT_EQ(known().size(), std::size_t{kept}) << "for the next time";
    EXPECT_EQ(*known().begin(), releases_ - kept + 1);
}

TEST_F(ManagedKeys, AreKnownWhileTheyAreInUse) {
    release(2 * kept);
    on_->pipe.last = releases_;
    keys_.find_or_make("0").now = entry::is::busy;                       // the oldest
    keys_.find_or_make(std::to_string(kept)).now = entry::is::held;      // one in the middle
    keys_.find_or_make(std::to_string(releases_ - 1)).now = entry::is::busy;  // the youngest
    const auto all = known();
    EXPECT_EQ(all.size(), kept + 3U);
    for (const std::uint64_t number : {std::uint64_t{1}, std::uint64_t{kept + 1}, releases_}) EXPECT_TRUE(all.contains(number)) << number;
    keys_.set_free(keys_.find_or_make("0"));
    EXPECT_TRUE(known().contains(1)) << "it is the youngest now";
    EXPECT_EQ(known().size(), kept + 2U);
}

TEST_F(ManagedKeys, AreForgottenWithTheirConnection) {
    release(3 * kept);
    keys_.for_each([](entry& e) { e.on.reset(); });
    EXPECT_EQ(known().size(), std::size_t{kept});
}

}  // namespace
}  // namespace dlock::testing
