// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Many threads that share one connection, and who of them reads from it. The connection is a pipe here.
#include <dlock/soci/conversation.hpp>

#include <array>
#include <atomic>
#include <future>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

/// Answers with the numbers 1, 2, …, as many as have arrived, but one at a time: the next is there when it is looked for again.
class wire {
public:
    using request = int;
    using answer = int;

    wire() { EXPECT_EQ(::pipe(ends_.data()), 0); }
    ~wire() {
        for (const int end : ends_) ::close(end);
    }
    wire(const wire&) = delete;
    wire& operator=(const wire&) = delete;

    void arrive() {
        ++arrived_;
        EXPECT_EQ(::write(ends_[1], "!", 1), 1);
    }
    [[nodiscard]] int asked() const { return asked_; }

    [[nodiscard]] bool send(request) {
        ++asked_;
        return true;
    }
    void flush() noexcept {}
    void receive(bool readable) noexcept {
        char byte = 0;
        if (readable && taken_ < arrived_) (void)!::read(ends_[0], &byte, 1);
    }
    [[nodiscard]] bool open() const noexcept { return true; }
    [[nodiscard]] std::optional<answer> next() noexcept {
        if (std::exchange(again_, false) || taken_ == arrived_) return std::nullopt;
        again_ = true;
        return ++taken_;
    }
    [[nodiscard]] int socket() const noexcept { return ends_[0]; }
    [[nodiscard]] static bool released(answer) noexcept { return true; }
    void sever() noexcept {}

private:
    std::array<int, 2> ends_{};
    std::atomic<int> asked_ = 0, arrived_ = 0;
    int taken_ = 0;
    bool again_ = false;
};

// Who reads gets its answer and tells the next one to read. That one gets its own from somebody who looks in passing, before it
// is awake: the duty must go on to the one behind it.
TEST(Conversation, SomebodyReadsForAsLongAsAnybodyWaits) {
    for (int round = 0; round < 300; ++round) {
        wire server;
        soci_support::conversation<wire> talk{server};
        std::vector<std::future<int>> waiting;
        for (int i = 1; i <= 3; ++i) {
            waiting.push_back(std::async(std::launch::async, [&] { return talk.ask(0); }));
            await([&] { return server.asked() == i; }, "it asks");
        }
        std::atomic<bool> enough = false;
        std::thread passing{[&] {
            while (!enough) talk.collect();
        }};
        server.arrive();
        server.arrive();
        for (const auto i : {0U, 1U}) waiting[i].wait();
        enough = true;
        passing.join();
        server.arrive();
        for (auto& each : waiting) EXPECT_GT(each.get(), 0);
    }
}

}  // namespace
}  // namespace dlock::testing
