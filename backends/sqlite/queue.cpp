// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/sqlite/queue.hpp>

#include <algorithm>

namespace dlock::sqlite {

bool queue::look_for_others() noexcept {
    const std::lock_guard guard{mutex_};
    return gives_way_now();
}

bool queue::gives_way_now() noexcept {
    if (now() - turn_began_ < turn_ticks) return false;
    if (others_.set_elsewhere(byte_)) {
        if (!way_given_) way_given_ = clock::now();
        if (clock::now() - *way_given_ < way) return true;
    }
    begin_turn();
    return false;
}

void queue::begin_turn() noexcept {
    turn_began_ = now();
    way_given_.reset();
}

void queue::given_back() noexcept {
    const std::lock_guard guard{mutex_};
    ++releases_;
    if (!line_.empty()) line_.front()->woken_.notify_one();
}

queue::place::place(std::shared_ptr<queue> in) : queue_{std::move(in)} {
    const std::lock_guard guard{queue_->mutex_};
    at_ = queue_->line_.insert(queue_->line_.end(), this);
    ++queue_->waiting_;
}

queue::place::~place() {
    const std::lock_guard guard{queue_->mutex_};
    if (marked_) queue_->others_.clear(queue_->byte_);
    const bool was_first = first();
    queue_->line_.erase(at_);
    --queue_->waiting_;
    // While a writer of this process holds the lock there is nothing to see: its release wakes the next one.
    if (was_first && queue_->writers_ == 0 && !queue_->line_.empty()) queue_->line_.front()->woken_.notify_one();
}

/// Whether `ready` has become true.
template <class Ready>
bool queue::place::sleep(std::unique_lock<std::mutex>& guard, clock::duration at_most, deadline until,
                         const std::stop_token& stop, Ready ready) {
    const auto wake = clock::now() + at_most;
    return woken_.wait_until(guard, stop, until.is_never() ? wake : std::min(wake, until.time()), ready);
}

bool queue::place::await_turn(deadline until, const std::stop_token& stop) noexcept {
    auto& q = *queue_;
    std::unique_lock guard{q.mutex_};
    const auto over = [&] { return stop.stop_requested() || until.expired(); };
    for (bool watched = false; !first() || (q.writers_ != 0 && !watched);) {
        if (over()) return false;
        watched = !sleep(guard, watch, until, stop, [&] { return first() && q.writers_ == 0; });
    }
    while (q.gives_way_now()) {
        if (over()) return false;
        (void)sleep(guard, naps::longest / 2, until, stop, [] { return false; });
    }
    seen_ = q.releases_;
    return !over();
}

void queue::place::nap(deadline until, const std::stop_token& stop) noexcept {
    auto& q = *queue_;
    std::unique_lock guard{q.mutex_};
    if (seen_ == q.releases_) {
        if (q.writers_ == 0) mark();
        (void)sleep(guard, q.writers_ == 0 ? naps_.next() : clock::duration{watch}, until, stop,
                    [&] { return seen_ != q.releases_; });
    }
    seen_ = q.releases_;
}

void queue::place::mark() noexcept {
    queue_->others_.set(queue_->byte_);  // each time: see marks
    marked_ = true;
    if (queue_->readers_ == 0) ++naps_beside_others_;
}

void queue::place::granted() noexcept {
    const std::lock_guard guard{queue_->mutex_};
    if (naps_beside_others_ > 1) queue_->begin_turn();  // one could be due to another waiter that looked just then
}

}  // namespace dlock::sqlite
