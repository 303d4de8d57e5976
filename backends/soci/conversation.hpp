// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Many threads that ask one connection, none of which waits for the others' answers before it sends. For .cpp files.
//
// The server answers in order, so a list of who has asked is all it takes to know whose answer came. There is no thread that
// reads: of those that await an answer one does, for all, and leaves the reading to another when it has its own.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <poll.h>

#include <dlock/deadline.hpp>
#include <dlock/detail/parker.hpp>
#include <dlock/soci/patience.hpp>

namespace dlock::soci_support {

/// What speaks the server's protocol; the conversation's mutex guards it.
///
/// | expression     | returns          | effect                                                                    |
/// |----------------|------------------|---------------------------------------------------------------------------|
/// | W::request     |                  | what can be asked; cheap to copy                                          |
/// | W::answer      |                  | default-constructed: none came, the connection has ended                  |
/// | w.send(r)      | bool             | false: the connection has ended. Throws with nothing sent                 |
/// | w.flush()      | noexcept         | makes the server answer what was sent, if it would not by itself          |
/// | w.receive(now) | noexcept         | takes in what has come, without waiting; `now`: something has             |
/// | w.open()       | bool, noexcept   | false: the connection is known to have ended                              |
/// | w.next()       | optional<answer> | the oldest answer that is whole; noexcept                                 |
/// | w.socket()     | int, noexcept    | becomes readable when there is something to receive; never another's      |
/// | w.released(a)  | bool, noexcept   | whether this answer to a release is "yes"                                 |
/// | w.sever()      | noexcept         | ends the connection for the server                                        |
template <class Wire>
class conversation {
public:
    using request = typename Wire::request;
    using answer = typename Wire::answer;

    explicit conversation(Wire& wire) : wire_{wire} {}
    conversation(const conversation&) = delete;
    conversation& operator=(const conversation&) = delete;

    /// For how long the server may be silent while an answer is awaited; then the connection is ended. Before the first ask().
    void set_grace(std::chrono::milliseconds grace) noexcept { grace_ = grace; }
    /// Whether it was ended for that.
    [[nodiscard]] bool was_silent() const noexcept { return silent_.load(std::memory_order_acquire); }

    /// From now on nothing is sent before what was sent has been answered: some proxies answer what comes meanwhile with an error.
    /// Before the first ask().
    void take_turns() noexcept { takes_turns_ = true; }

    /// Sends, and awaits the answer.
    [[nodiscard]] answer ask(const request& what) {
        party self;
        const auto turn = await_turn();
        std::unique_lock guard{mutex_};
        if (!send(what, &self)) return answer{};
        for (;;) {
            if (!reading_) {
                read(guard, self);
                if (self.answered) break;
            } else {
                guard.unlock();
                if (self.parking.park(deadline::never()) == detail::parker::woken::released) return std::move(self.said);
                guard.lock();
                if (self.answered) break;
            }
        }
        if (!reading_) leave_the_reading();
        return std::move(self.said);
    }

    /// Sends, and awaits nothing, unless it is to take_turns(). The number of this release, 0 when the connection has ended.
    [[nodiscard]] std::uint64_t release(const request& what) noexcept {
        const auto turn = await_turn();
        std::unique_lock guard{mutex_};
        if (asked_.size() - first_ > too_many && !reading_) {
            wire_.flush();
            take_in(false);
        }
        try {
            if (!send(what, nullptr)) return 0;
        } catch (...) {
            end();  // out of memory: what cannot be released by a word is released by the end
            return 0;
        }
        const auto number = ++releases_;
        if (takes_turns_) {
            for (party self; !idle() && !ended_;) read(guard, self);
        }
        return number;
    }

    [[nodiscard]] std::uint64_t answered() const noexcept { return answered_.load(std::memory_order_acquire); }
    [[nodiscard]] bool idle() const noexcept { return unanswered_.load(std::memory_order_acquire) == 0; }

    /// Takes in what has come, unless somebody is about to.
    void collect() noexcept {
        const std::unique_lock guard{mutex_, std::try_to_lock};
        if (!guard || reading_ || idle()) return;
        take_in(false);
        wire_.flush();
    }

    /// The connection for one thread alone. \pre idle(), and nobody asks until it is given back
    [[nodiscard]] std::unique_lock<std::mutex> interrupt() { return std::unique_lock{mutex_}; }

private:
    /// Who awaits an answer, on its stack.
    struct party {
        answer said = answer{};
        bool answered = false;
        detail::parker parking;
    };
    struct question {
        party* who;  ///< null: nobody awaits the answer to a release
    };

    [[nodiscard]] std::unique_lock<std::mutex> await_turn() { return takes_turns_ ? std::unique_lock{turn_} : std::unique_lock<std::mutex>{}; }

    bool send(const request& what, party* who) {
        if (ended_) return false;
        if (asked_.size() == asked_.capacity()) asked_.reserve(2 * asked_.size() + 16);  // before it is sent
        if (!wire_.send(what)) {
            end();
            return false;
        }
        asked_.push_back({who});
        unanswered_.fetch_add(1, std::memory_order_relaxed);
        return true;
    }

    /// Waits for something to read, without the mutex; for a grace at most, of silence of a server that was asked before it began.
    void read(std::unique_lock<std::mutex>& guard, party& self) {
        reading_ = &self;
        guard.unlock();
        auto silence = patience::for_answer(grace_, grace_, nullptr);
        const bool is_silent = silence.wait(wire_.socket(), POLLIN) == patience::verdict::over;
        guard.lock();
        if (is_silent) {
            silent_.store(true, std::memory_order_release);
            end();
        } else {
            take_in(true);
        }
        reading_ = nullptr;
    }

    void take_in(bool readable) noexcept {
        wire_.receive(readable);
        while (first_ < asked_.size()) {
            auto next = wire_.next();
            if (!next) break;
            hand_out(std::move(*next));
        }
        if (!wire_.open()) end();
        // Whoever was told to read may just have got its answer here instead, and does not read then.
        if (reading_ == nullptr) leave_the_reading();
    }

    void hand_out(answer said) noexcept {
        auto* const who = asked_[first_].who;
        if (++first_ == asked_.size()) {
            asked_.clear();
            first_ = 0;
        } else if (first_ > too_many) {
            asked_.erase(asked_.begin(), asked_.begin() + static_cast<std::ptrdiff_t>(first_));
            first_ = 0;
        }
        unanswered_.fetch_sub(1, std::memory_order_release);
        if (who == nullptr) {
            if (!wire_.released(said)) wire_.sever();
            answered_.fetch_add(1, std::memory_order_release);
            return;
        }
        who->said = std::move(said);
        who->answered = true;
        if (who != reading_) who->parking.release();
    }

    /// Everybody learns that no answer comes any more.
    void end() noexcept {
        if (!std::exchange(ended_, true)) wire_.sever();
        while (first_ < asked_.size()) hand_out(answer{});
    }

    void leave_the_reading() noexcept {
        for (auto at = first_; at < asked_.size(); ++at) {
            if (auto* const next = asked_[at].who) return next->parking.nudge();
        }
    }

    static constexpr std::size_t too_many = 256;  ///< answers that nobody reads would fill the socket

    Wire& wire_;
    std::chrono::milliseconds grace_ = default_grace;
    std::atomic<bool> silent_ = false;
    bool takes_turns_ = false;
    std::mutex turn_;  ///< of who has sent something and awaits the answer; then there is no other
    std::mutex mutex_;
    std::vector<question> asked_;  ///< from first_ on, the oldest first
    std::size_t first_ = 0;
    party* reading_ = nullptr;
    bool ended_ = false;
    std::uint64_t releases_ = 0;
    std::atomic<std::uint64_t> answered_ = 0;
    std::atomic<std::size_t> unanswered_ = 0;
};

}  // namespace dlock::soci_support
