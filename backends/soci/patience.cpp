// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/soci/patience.hpp>

#include <algorithm>
#include <array>
#include <stdexcept>

namespace dlock::soci_support {

using std::chrono::milliseconds;

void check_grace(milliseconds grace) {
    if (grace < milliseconds{10} || grace > std::chrono::hours{24}) {
        throw std::invalid_argument{"dlock: a grace must be between 10 ms and a day"};
    }
}

/// For poll(2); -1: for ever.
int patience::timeout() noexcept {
    constexpr milliseconds look_again{10};  // for a stop request, where the process had no descriptor left for it
    std::optional<milliseconds> left;
    if (first_ != for_ever) left = milliseconds{first_};
    if (due_ || over_) {
        const auto until = !over_ ? *due_ : interrupts_ ? std::min(*over_, next_) : *over_;
        left = std::max(milliseconds{0}, std::chrono::ceil<milliseconds>(until - clock::now()));
    }
    if (stop_ != nullptr && !stopped_ && stop_->must_be_looked_for()) left = std::min(left.value_or(look_again), look_again);
    return left ? clamped(*left) : for_ever;
}

/// What a first poll(2) was that did not say "readable": the end of the time, or a signal.
void patience::miss(int ready) noexcept {
    if (first_ != for_ever) due_ = clock::now() + milliseconds{ready == 0 ? 0 : first_};
}

patience::verdict patience::interrupt(clock::time_point now) noexcept {
    static constexpr std::array<int, 9> pauses_ms{50, 100, 250, 600, 1000, 2000, 4000, 8000, 16000};
    next_ = now + milliseconds{pauses_ms[std::min<std::size_t>(attempts_, pauses_ms.size() - 1)]};
    ++attempts_;
    return verdict::interrupt;
}

patience::verdict patience::wait(int socket, short events) noexcept {
    if (again_ && first_ != for_ever && !due_) due_ = clock::now() + milliseconds{first_};  // what came was not all of the answer
    again_ = true;
    for (;;) {
        const int stop = stop_ != nullptr && !stopped_ ? stop_->descriptor() : -1;
        std::array<pollfd, 2> sources{pollfd{socket, events, 0}, pollfd{stop, POLLIN, 0}};
        const int ready = ::poll(sources.data(), stop < 0 ? 1 : 2, timeout());
        if (ready > 0 && sources[0].revents != 0) return verdict::ready;
        const auto now = clock::now();
        if (stop_ != nullptr && !stopped_ && stop_->requested()) {
            stopped_ = true;
            attempts_ = 0;
            over_ = std::min(now + grace_, over_.value_or(clock::time_point::max()));
            if (interrupts_) return interrupt(now);
            if (due_) over_ = std::min(*over_, *due_);
        }
        if (over_) {
            if (now >= *over_) return verdict::over;
            if (interrupts_ && now >= next_) return interrupt(now);
            continue;
        }
        if (first_ == for_ever) continue;
        if (due_ ? now < *due_ : ready != 0) {  // a signal, or nothing yet
            if (!due_) due_ = now + milliseconds{first_};
            continue;
        }
        if (!due_ && stop_ != nullptr && stop_->must_be_looked_for()) {  // that was only a look for a stop request
            due_ = now + milliseconds{first_};
            continue;
        }
        if (!interrupts_) return verdict::over;
        over_ = now + (grace_ - grace_ / 2);
        return interrupt(now);
    }
}

milliseconds patience::left() const noexcept {
    return over_ ? std::max(milliseconds{0}, std::chrono::ceil<milliseconds>(*over_ - clock::now())) : milliseconds{0};
}

std::string patience::text() const {
    const bool late = !stopped_ && !interrupts_;
    return "within " + std::to_string(late ? first_ : grace_.count()) + " ms" +
           (late ? "" : stopped_ ? " of the request to stop" : " of the end of the wait");
}

}  // namespace dlock::soci_support
