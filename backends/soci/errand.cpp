// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/soci/errand.hpp>

#include <condition_variable>
#include <exception>
#include <mutex>
#include <stop_token>
#include <utility>

#include <dlock/detail/background_thread.hpp>

namespace dlock::soci_support {

struct errand::state {
    std::mutex mutex;
    std::condition_variable ended;
    bool runs = false;
    std::string failure;

    void end(std::string why) noexcept {
        const std::lock_guard guard{mutex};
        runs = false;
        failure = std::move(why);
        ended.notify_all();
    }
};

void errand::start(work what) noexcept {
    try {
        if (!state_) state_ = std::make_shared<state>();
        state_->runs = true;
        detail::background_thread{"dlock-cancel", [on = state_, what = std::move(what)](const std::stop_token&) noexcept {
            std::string why;
            try {
                why = what();
            } catch (const std::exception&) {
                // out of memory: it goes untold
            }
            on->end(std::move(why));
        }}.detach();
    } catch (const std::exception&) {
        if (state_) state_->end({});
    }
}

bool errand::runs() const noexcept {
    if (!state_) return false;
    const std::lock_guard guard{state_->mutex};
    return state_->runs;
}

bool errand::wait(std::chrono::milliseconds longest) const noexcept {
    if (!state_) return true;
    std::unique_lock guard{state_->mutex};
    return state_->ended.wait_for(guard, longest, [&] { return !state_->runs; });
}

std::string errand::failure() const {
    if (!state_) return {};
    const std::lock_guard guard{state_->mutex};
    return state_->failure;
}

}  // namespace dlock::soci_support
