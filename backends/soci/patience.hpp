// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// How long an answer is awaited. Every wait has an end on the client's side, whatever the server, the network or a proxy does:
//
// | statement                               | the server is asked to end it                   | the session is ended         |
// |-----------------------------------------|-------------------------------------------------|------------------------------|
// | waits in the server's queue, to a limit | half a grace after the limit                    | a grace after the limit      |
// | the same, after a stop request          | at once, then after 50, 150, 400, 1000, 2000 ms | a grace after the request    |
// | waits in the server's queue for ever    | never                                           | never: see bound_silence()   |
// | waits for nobody                        | never                                           | after answer_graces graces,  |
// |                                         |                                                 | or a grace after a stop      |
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include <poll.h>

#include <dlock/soci/stop_event.hpp>

namespace dlock::soci_support {

/// What a server is given to answer in, beyond the time for which it was told to wait.
inline constexpr std::chrono::milliseconds default_grace{2000};
/// How many graces a statement may take that waits for nobody: a release, a proof, a question.
inline constexpr int answer_graces = 5;

/// \throws std::invalid_argument  below 10 ms or beyond a day
void check_grace(std::chrono::milliseconds grace);

class patience {
public:
    enum class verdict : std::uint8_t {
        ready,      ///< there is something to read
        interrupt,  ///< the server is to be asked now to end the statement
        over,       ///< the session is to be ended
    };

    /// For a statement that waits in the server's queue, for ever.
    patience(std::chrono::milliseconds grace, const stop_event* stop) noexcept : stop_{stop}, grace_{grace}, first_{for_ever} {}

    /// The same for `limit` at most. Reads no clock before the server is late.
    patience(std::chrono::milliseconds limit, std::chrono::milliseconds grace, const stop_event* stop) noexcept
        : stop_{stop}, grace_{grace}, first_{clamped(limit + grace / 2)} {}

    /// For a statement that waits for nobody.
    [[nodiscard]] static patience for_answer(std::chrono::milliseconds longest, std::chrono::milliseconds grace, const stop_event* stop) noexcept {
        patience p{grace, stop};
        p.first_ = clamped(longest);
        p.interrupts_ = false;
        return p;
    }

    /// The first wait(), where nobody can ask for a stop, which is nearly all there is: with one system call and nothing else. False:
    /// wait() is to go on.
    [[nodiscard]] bool is_answered_at_once(int socket) noexcept {
        if (stop_ != nullptr) return false;
        again_ = true;
        pollfd source{socket, POLLIN, 0};
        const int ready = ::poll(&source, 1, first_);
        if (ready > 0) return true;
        miss(ready);
        return false;
    }

    /// \param events  poll(2)'s, what the socket is awaited for
    [[nodiscard]] verdict wait(int socket, short events) noexcept;

    /// The wait was interrupted because its limit had passed, and not because somebody asked for it.
    [[nodiscard]] bool is_overdue() const noexcept { return attempts_ != 0 && !stopped_; }
    /// How often the server was to be asked to end the statement.
    [[nodiscard]] unsigned attempts() const noexcept { return attempts_; }
    /// What is left until it is over. \pre attempts() != 0
    [[nodiscard]] std::chrono::milliseconds left() const noexcept;
    /// How long the answer was awaited: "within 2000 ms of the end of the wait".
    [[nodiscard]] std::string text() const;

private:
    using clock = std::chrono::steady_clock;

    static constexpr int for_ever = -1;
    [[nodiscard]] static constexpr int clamped(std::chrono::milliseconds time) noexcept {
        constexpr std::chrono::milliseconds longest{std::numeric_limits<int>::max()};  // 24 days
        return static_cast<int>((time < longest ? time : longest).count());
    }

    void miss(int ready) noexcept;
    [[nodiscard]] int timeout() noexcept;
    verdict interrupt(clock::time_point now) noexcept;

    const stop_event* stop_;
    std::chrono::milliseconds grace_;
    int first_;  ///< in ms, until the limit has passed
    bool interrupts_ = true;
    bool stopped_ = false;
    bool again_ = false;
    unsigned attempts_ = 0;
    std::optional<clock::time_point> due_;   ///< when first_ will have passed; nothing before a poll came back early
    std::optional<clock::time_point> over_;  ///< set once it is late, or stopped
    clock::time_point next_{};               ///< attempt to interrupt
};

}  // namespace dlock::soci_support
