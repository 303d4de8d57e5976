// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What a lock_manager does with its threads, keys and connections, on servers that can be made to do anything at any moment.
#include <dlock/memory.hpp>
#include <dlock/memory/lock_manager.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <shared_mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using memory::lock_manager;
using memory::managed_lock;

/// A server whose sessions can be ended, and that can be out of reach.
class shaky_server {
public:
    [[nodiscard]] lock_manager::connector connector() {
        return [this] {
            const std::lock_guard guard{mutex_};
            if (out_of_reach_) throw lock_error{errc::not_connected, "out of reach"};
            auto made = std::make_shared<memory::session>(server_, "managed");
            std::erase_if(sessions_, [](const auto& known) { return known.expired(); });
            sessions_.push_back(made);
            return made;
        };
    }

    /// How many are there, ended or not.
    [[nodiscard]] auto sessions() {
        const std::lock_guard guard{mutex_};
        return std::ranges::count_if(sessions_, [](const auto& known) { return !known.expired(); });
    }

    void out_of_reach(bool is) {
        const std::lock_guard guard{mutex_};
        out_of_reach_ = is;
    }

    /// Ends every session, or every second one.
    void kill(bool all = true) {
        std::vector<std::shared_ptr<memory::session>> victims;
        {
            const std::lock_guard guard{mutex_};
            for (std::size_t i = 0; i < sessions_.size(); i += all ? 1 : 2) {
                if (auto alive = sessions_[i].lock()) victims.push_back(std::move(alive));
            }
        }
        for (const auto& victim : victims) victim->close();
    }

    memory::server& operator*() { return server_; }
    memory::server* operator->() { return &server_; }

private:
    memory::server server_;
    std::mutex mutex_;
    bool out_of_reach_ = false;
    std::vector<std::weak_ptr<memory::session>> sessions_;
};

/// A connection that ends as soon as the first try of a key has been answered.
struct frail : memory::pipelined_lock_table {
    static constexpr const char* fatal_key = "fatal";
    static inline std::atomic<int> tries = 0;  ///< of that key

    struct pipeline_type : memory::pipeline {
        using pipeline::pipeline;
        bool try_acquire(const memory::key& k, mode m) {
            const bool got = pipeline::try_acquire(k, m);
            if (k == memory::key{fatal_key} && tries++ == 0) sever();
            return got;
        }
    };
};

class ManagedInMemory : public ::testing::Test {
protected:
    void TearDown() override { EXPECT_EQ(server_->held(), 0U) << "the test left something locked"; }

    shaky_server server_;
};

TEST_F(ManagedInMemory, ThreadsWithManyKeysExcludeEachOther) {
    struct data {
        int writers = 0, readers = 0, count = 0;
        std::mutex for_readers;
    };
    constexpr int keys = 5, rounds = 2000;
    lock_manager here{server_.connector(), {.connections = 3, .hand_overs = 7}}, there{server_.connector(), {.connections = 2}};
    std::vector<data> guarded(keys);
    std::atomic<int> written = 0;
    {
        std::vector<std::jthread> threads;
        for (unsigned t = 0; t < 6; ++t) {
            threads.emplace_back([&, t] {
                std::minstd_rand random{t + 1};
                auto& locks = t % 3 == 0 ? there : here;
                for (int i = 0; i < rounds; ++i) {
                    const auto key = random() % keys;
                    auto& mine = guarded[key];
                    managed_lock lock{locks, "key " + std::to_string(key)};
                    if (random() % 4 == 0) {
                        const std::shared_lock reading{lock};
                        const std::lock_guard counting{mine.for_readers};
                        EXPECT_EQ(mine.writers, 0);
                        continue;
                    }
                    std::unique_lock writing{lock, std::defer_lock};
                    if (random() % 2 == 0 ? !writing.try_lock_for(std::chrono::microseconds{random() % 500}) : (writing.lock(), false)) continue;
                    EXPECT_EQ(++mine.writers, 1);
                    ++mine.count;
                    --mine.writers;
                    ++written;
                }
            });
        }
    }
    int counted = 0;
    for (const auto& one : guarded) counted += one.count;
    EXPECT_EQ(counted, written);
    EXPECT_EQ(here.held() + there.held() + here.waiters() + there.waiters(), 0U);
}

TEST_F(ManagedInMemory, WhateverEndsNothingIsLeftAndNobodyWaitsForEver) {
    lock_manager locks{server_.connector(), {.connections = 3, .hand_overs = 3, .reconnect_for = 60s}};
    std::atomic<bool> enough = false;
    std::atomic<int> granted = 0, lost = 0;
    {
        std::jthread trouble{[&] {
            std::minstd_rand random{7};
            for (int i = 0; i < 300; ++i) {
                server_.out_of_reach(random() % 3 == 0);
                server_.kill(random() % 2 == 0);
                std::this_thread::yield();
                if (i % 20 != 0) continue;
                server_.out_of_reach(false);
                await([&, before = granted.load()] { return granted > before; }, "life goes on");
            }
            server_.out_of_reach(false);
            enough = true;
        }};
        std::vector<std::jthread> threads;
        for (unsigned t = 0; t < 6; ++t) {
            threads.emplace_back([&, t] {
                std::minstd_rand random{t + 1};
                while (!enough) {
                    managed_lock lock{locks, "key " + std::to_string(random() % 3)};
                    std::stop_source stop;
                    try {
                        bool got = true;
                        switch (random() % 4) {
                            case 0: lock.lock(); break;
                            case 1: got = lock.try_lock(); break;
                            case 2: got = lock.try_lock_shared_for(std::chrono::microseconds{random() % 2000}); break;
                            default:
                                stop.request_stop();
                                lock.lock(stop.get_token());
                        }
                        if (!got) continue;
                        ++granted;
                        const auto token = lock.lost();
                        std::this_thread::yield();
                        if (unlock(lock) == errc::lost) {
                            ++lost;
                            await([&] { return token.stop_requested(); }, "the holder is told");
                        }
                    } catch (const lock_error& error) {
                        EXPECT_TRUE(error.reason() == errc::lost || error.reason() == errc::not_connected || error.reason() == errc::cancelled) << error.what();
                    }
                }
            });
        }
    }
    std::cout << granted << " grants, " << lost << " of them lost\n";
    EXPECT_GT(granted, 0);
    EXPECT_EQ(locks.held(), 0U);
    EXPECT_EQ(locks.waiters(), 0U);
    managed_lock after{locks, "key 0"};
    EXPECT_TRUE(after.try_lock_for(60s));
    after.unlock();
}

TEST_F(ManagedInMemory, ASessionThatHasEndedIsGivenBackAsSoonAsTheNextIsOpened) {
    lock_manager locks{server_.connector()};
    managed_lock mine{locks, "k"};
    for (int i = 0; i < 3; ++i) {
        server_.kill();
        ASSERT_TRUE(mine.try_lock());
        mine.unlock();
        EXPECT_EQ(server_.sessions(), 1);
    }
    locks.close();
    EXPECT_EQ(server_.sessions(), 0);
}

TEST_F(ManagedInMemory, WhileThereIsNoUseInConnectingEverybodyIsToldWhy) {
    lock_manager locks{server_.connector()};
    managed_lock mine{locks, "k"};
    server_.out_of_reach(true);
    server_.kill();
    const auto first = error_of([&] { (void)mine.try_lock(); }), second = error_of([&] { (void)mine.try_lock(); });
    EXPECT_EQ(first.reason(), errc::not_connected);
    EXPECT_EQ(second.reason(), errc::not_connected);
    EXPECT_STREQ(first.what(), second.what());
}

TEST_F(ManagedInMemory, AConnectionThatIsOpenedEndsThePauseAfterOneThatWasNot) {
    std::atomic<int> attempts = 0;
    std::promise<void> another_has_failed;
    lock_manager locks{[&, connect = server_.connector()] {
                           const int attempt = ++attempts;
                           if (attempt == 3) another_has_failed.get_future().wait();
                           if (attempt == 4) throw lock_error{errc::lost, "this one not"};
                           return connect();
                       },
                       {.connections = 3}};
    managed_lock first{locks, "a"}, second{locks, "b"}, third{locks, "c"};
    server_.kill();
    auto opening = std::async([&] { return first.try_lock(); });
    await([&] { return attempts == 3; }, "a connection is being opened, the third: two have proven that they exclude each other");
    EXPECT_EQ(reason_of([&] { (void)second.try_lock(); }), errc::lost);
    another_has_failed.set_value();
    EXPECT_TRUE(opening.get());
    server_.kill();
    EXPECT_TRUE(third.try_lock()) << "the server has been reached since";
}

TEST_F(ManagedInMemory, OneConnectionIsLeftForWhatDoesNotWaitAlsoWhenItEnds) {
    using lock = basic_lock<managed<frail>, memory::managed_lock::key_policy_type>;
    dlock::lock_manager<frail> locks{server_.connector(), {.connections = 2}};
    memory::session elsewhere{*server_, "somebody else"};
    memory::lock other{elsewhere, "k"}, another{elsewhere, frail::fatal_key};
    other.lock();
    another.lock();
    lock waits{locks, "k"}, asks{locks, frail::fatal_key}, tries{locks, "free"};
    auto waiting = std::async([&] { waits.lock(); });
    await([&] { return server_->waiting("k") == 1; }, "one connection waits");
    auto asking = std::async([&] { asks.lock(); });
    await([&] { return frail::tries > 3 || server_->waiting(frail::fatal_key) == 1; }, "the other one has ended, and its thread goes on");
    auto trying = std::async([&] { return tries.try_lock(); });
    EXPECT_EQ(trying.wait_for(10s), std::future_status::ready) << "a try waits for somebody else's wait";
    other.unlock();
    another.unlock();
    EXPECT_TRUE(trying.get());
    waiting.get();
    asking.get();
    tries.unlock();
    waits.unlock();
    asks.unlock();
}

TEST_F(ManagedInMemory, CloseDuringEverything) {
    for (int round = 0; round < 50; ++round) {
        lock_manager locks{server_.connector(), {.connections = 2}};
        std::atomic<int> at_work = 0;
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&] {
                managed_lock lock{locks, "k"};
                try {
                    for (;;) {
                        lock.lock();
                        ++at_work;
                        lock.unlock();
                    }
                } catch (const lock_error& error) {
                    EXPECT_EQ(error.reason(), errc::cancelled);
                }
            });
        }
        await([&] { return at_work > round % 7; }, "the threads are at it");
        locks.close();
        threads.clear();
        EXPECT_EQ(server_->held(), 0U);
    }
}

TEST_F(ManagedInMemory, ACallbackThatHearsOfALossMayLockAgain) {
    lock_manager locks{server_.connector()};
    managed_lock mine{locks, "k"}, again{locks, "other"};
    mine.lock();
    std::promise<bool> locked;
    const std::stop_callback hears{mine.lost(), [&] { locked.set_value(again.try_lock()); }};
    server_.kill();
    EXPECT_TRUE(locked.get_future().get());
    EXPECT_EQ(unlock(mine), errc::lost);
    again.unlock();
}

TEST_F(ManagedInMemory, WhoWaitsOutlivesAServerThatIsGoneForAWhile) {
    lock_manager locks{server_.connector(), {.reconnect_for = 60s}};
    managed_lock first{locks, "k"}, next{locks, "k"};
    first.lock();
    auto waiting = std::async([&] { next.lock(); });
    await([&] { return locks.waiters() == 1; }, "the second thread has queued");
    server_.out_of_reach(true);
    server_.kill();
    EXPECT_FALSE(first.try_lock_for(50ms)) << "another thread is asking already";
    server_.out_of_reach(false);
    waiting.get();
    EXPECT_EQ(server_->held(), 1U);
    next.unlock();
}

}  // namespace
}  // namespace dlock::testing
