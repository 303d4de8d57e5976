// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The table of held locks, against std::map: whatever the hash is worth, and however many there are.
#include <dlock/detail/held_locks.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace dlock::testing {
namespace {

struct held {
    std::string key;
    std::uint64_t serial = 0;
};

/// So bad that most keys want the same few slots, the last one among them.
struct crowding {
    std::size_t operator()(const std::string& key) const noexcept { return key.empty() ? 0 : std::size_t{0} - static_cast<unsigned char>(key.back()) % 4U; }
};
struct same {
    std::size_t operator()(const std::string&) const noexcept { return 7; }
};
struct spreading {
    std::size_t operator()(const std::string& key) const noexcept { return std::hash<std::string>{}(key); }
};

template <class Hash>
class HeldLocks : public ::testing::Test {
protected:
    void add(const std::string& key) {
        held lock{key, ++serial_};
        locks_.reserve(1);
        locks_.add(lock);
        EXPECT_EQ(lock.serial, 0U) << "what comes back is unused";
        model_.emplace(key, serial_);
    }
    void remove(const std::string& key) {
        auto* const lock = locks_.find(key);
        ASSERT_NE(lock, nullptr);
        locks_.remove(*lock);
        model_.erase(key);
    }
    void expect_equal_to_the_model(const std::vector<std::string>& keys) {
        ASSERT_EQ(locks_.size(), model_.size());
        for (const auto& key : keys) {
            const auto* const found = locks_.find(key);
            const auto known = model_.find(key);
            ASSERT_EQ(found != nullptr, known != model_.end()) << key;
            if (found != nullptr) {
                ASSERT_EQ(found->serial, known->second) << key;
            }
        }
        std::map<std::string, std::uint64_t> visited;
        locks_.for_each([&](const held& lock) { visited.emplace(lock.key, lock.serial); });
        ASSERT_EQ(visited, model_);
    }

    detail::held_locks<held, Hash> locks_;
    std::map<std::string, std::uint64_t> model_;
    std::uint64_t serial_ = 0;
};
using hashes = ::testing::Types<crowding, same, spreading>;
TYPED_TEST_SUITE(HeldLocks, hashes);

TYPED_TEST(HeldLocks, AreThoseThatWereAddedAndNotRemoved) {
    std::vector<std::string> keys;
    for (int i = 0; i < 40; ++i) keys.push_back("key " + std::to_string(i));
    std::mt19937 random{20261124};
    this->expect_equal_to_the_model(keys);
    for (int i = 0; i < 3000; ++i) {
        const auto& key = keys[random() % keys.size()];
        if (random() % 500 == 0) {
            this->locks_.clear();
            this->model_.clear();
        } else if (this->model_.contains(key)) {
            this->remove(key);
        } else {
            this->add(key);
        }
        ASSERT_NO_FATAL_FAILURE(this->expect_equal_to_the_model(keys)) << "after step " << i;
    }
}

TYPED_TEST(HeldLocks, RoomForManyIsRoomForThemAll) {
    this->locks_.reserve(100);
    std::vector<std::string> keys;
    for (int i = 0; i < 100; ++i) {
        keys.push_back(std::to_string(i));
        held lock{keys.back(), ++this->serial_};
        this->locks_.add(lock);
        this->model_.emplace(keys.back(), this->serial_);
    }
    this->expect_equal_to_the_model(keys);
}

/// Counts how often two keys are compared.
struct counted {
    int value = 0;
    friend bool operator==(const counted& a, const counted& b) {
        ++comparisons;
        return a.value == b.value;
    }
    static inline std::size_t comparisons = 0;
};
struct counted_lock {
    counted key;
    std::uint64_t serial = 0;
};
struct counted_hash {
    std::size_t operator()(counted key) const noexcept { return static_cast<std::size_t>(key.value) * 0x9e3779b97f4a7c15U >> 20; }
};

TEST(HeldLocks, OneAmongThousandsIsFoundAndRemovedAsQuicklyAsOneAmongFew) {
    detail::held_locks<counted_lock, counted_hash> locks;
    const auto cost_with = [&](int many) {
        for (int i = 0; i < many; ++i) {
            counted_lock lock{{i}, 1};
            locks.reserve(1);
            locks.add(lock);
        }
        counted::comparisons = 0;
        for (int i = 0; i < many; ++i) locks.remove(*locks.find(counted{i}));
        return static_cast<double>(counted::comparisons) / many;
    };
    EXPECT_LT(cost_with(4), 3);
    EXPECT_LT(cost_with(20'000), 3);
}

TEST(HeldLocks, AFreedSlotKeepsTheMemoryOfItsKey) {
    detail::held_locks<held, same> locks;
    const std::string long_name(100, 'k');
    held spare;
    const auto cycle = [&] {
        spare.key.assign(long_name);
        spare.serial = 1;
        locks.reserve(1);
        auto& lock = locks.add(spare);
        const void* const memory = lock.key.data();
        locks.remove(lock);
        return memory;
    };
    const void* const first = cycle();
    const void* const second = cycle();  // there are two: one in the slot, one that comes back
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(cycle(), first);
        EXPECT_EQ(cycle(), second);
    }
}

}  // namespace
}  // namespace dlock::testing
