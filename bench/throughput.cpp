// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "bench/throughput.hpp"

#include <atomic>
#include <barrier>
#include <chrono>
#include <exception>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

namespace dlock::bench {
namespace {

using clock = std::chrono::steady_clock;

class crowd final : public competitor {
public:
    crowd(int threads, const rival_maker& make) : together_{threads + 1} {
        for (int i = 0; i < threads; ++i) {
            rivals_.push_back(make());
            rivals_.back()->acquire();  // the first use of a connection is another thing
            rivals_.back()->release();
        }
        for (const auto& each : rivals_) threads_.emplace_back([this, &each] { take_part(*each); });
    }
    ~crowd() override {
        over_ = true;
        together_.arrive_and_wait();
        for (auto& each : threads_) each.join();
    }

    turn take_turn(const pace&) override {
        stop_ = false;
        acquisitions_ = 0;
        together_.arrive_and_wait();
        const auto begin = clock::now();
        std::this_thread::sleep_for(std::chrono::milliseconds{100});
        stop_ = true;
        const nanoseconds took = clock::now() - begin;
        together_.arrive_and_wait();
        if (error_) std::rethrow_exception(error_);
        if (acquisitions_ == 0) throw std::runtime_error{"nobody got the lock in a tenth of a second"};
        turn measured;
        measured.whole.add(took / static_cast<double>(acquisitions_));
        measured.took = took;
        return measured;
    }

private:
    void take_part(rival& lock) {
        for (;;) {
            together_.arrive_and_wait();
            if (over_) return;
            try {
                long mine = 0;
                while (!stop_) {
                    lock.acquire();
                    if (!stop_) ++mine;
                    lock.release();
                }
                acquisitions_ += mine;
            } catch (...) {
                const std::scoped_lock alone{mutex_};
                error_ = std::current_exception();
            }
            together_.arrive_and_wait();
        }
    }

    std::barrier<> together_;
    std::atomic<bool> stop_{false}, over_{false};
    std::atomic<long> acquisitions_{0};
    std::mutex mutex_;
    std::exception_ptr error_;
    std::vector<std::unique_ptr<rival>> rivals_;
    std::vector<std::thread> threads_;
};

}  // namespace

competitor_maker all_at_once(int threads, rival_maker make) {
    return [=] { return std::make_unique<crowd>(threads, make); };
}

}  // namespace dlock::bench
