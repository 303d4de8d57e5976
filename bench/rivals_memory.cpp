// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <deque>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include <dlock/memory.hpp>

#include "bench/dlock_rivals.hpp"
#include "bench/rivals.hpp"
#include "bench/semaphore.hpp"

namespace dlock::bench {
namespace {

class mutex_rival final : public rival {
public:
    void acquire() override { mutex_.lock(); }
    void release() override { mutex_.unlock(); }

private:
    std::shared_timed_mutex mutex_;
};

/// First come, first served; who waits sleeps.
class fair_mutex {
public:
    void lock(semaphore& turn) {
        {
            const std::scoped_lock alone{mutex_};
            if (!std::exchange(locked_, true)) return;
            queue_.push_back(&turn);
        }
        turn.wait();
    }
    void unlock() {
        semaphore* next = nullptr;
        {
            const std::scoped_lock alone{mutex_};
            locked_ = !queue_.empty();
            if (!locked_) return;
            next = queue_.front();
            queue_.pop_front();
        }
        next->post();
    }

private:
    std::mutex mutex_;
    bool locked_ = false;
    std::deque<semaphore*> queue_;
};

class fair_mutex_rival final : public rival {
public:
    explicit fair_mutex_rival(std::shared_ptr<fair_mutex> shared) : mutex_{std::move(shared)} {}
    void acquire() override { mutex_->lock(turn_); }
    void release() override { mutex_->unlock(); }

private:
    std::shared_ptr<fair_mutex> mutex_;
    semaphore turn_;
};

}  // namespace

namespace memory_rivals {

locker standard_mutex() {
    return {"std::shared_timed_mutex", "shared_timed_mutex", [] { return std::make_unique<mutex_rival>(); }};
}

locker one_fair_mutex() {
    return {"no server: a mutex with a queue", "fair_mutex",
            [shared = std::make_shared<fair_mutex>()] { return std::make_unique<fair_mutex_rival>(shared); }};
}

rival_maker dlock() {
    return [] {
        return std::make_unique<dlock_rival<memory::lock, memory::session>>(
            how::lock, std::make_shared<memory::session>(memory::server::process_wide(), "benchmark"), the_name);
    };
}

}  // namespace memory_rivals
}  // namespace dlock::bench
