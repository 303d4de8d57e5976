// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "bench/relay.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "bench/semaphore.hpp"

namespace dlock::bench {
namespace {

using clock = std::chrono::steady_clock;  // one for all processes
using std::chrono::nanoseconds;

constexpr int most_members = 16;
constexpr std::size_t most_samples = 1 << 18;

/// What the members share. In memory that processes share, if they are processes.
struct ground {
    enum class task { hand_over, saturate, go_home };

    task now = task::hand_over;
    int members = 0;
    nanoseconds hold{0};
    clock::time_point ends;  ///< of saturating

    semaphore start[most_members], somebody_else_has_it[most_members], ready;
    std::atomic<int> waiting{0};
    std::atomic<int> hand_overs_left{0};
    std::atomic<int> released_by{-1};  ///< this and the next are the holder's to write
    std::atomic<clock::rep> released_at{0};
    std::atomic<std::size_t> count{0};
    double samples[most_samples];

    std::atomic<bool> failed{false};
    char error[512]{};

    void add(nanoseconds sample) {
        const auto at = count++;
        if (at < most_samples) samples[at] = static_cast<double>(sample.count());
    }

    void fail(const char* why) {
        if (!failed.exchange(true)) std::strncpy(error, why, sizeof error - 1);
        for (auto& each : somebody_else_has_it) each.post();
        ready.post();
    }
};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<clock::rep>::is_always_lock_free && std::atomic<std::size_t>::is_always_lock_free);

void hand_over(ground& all, int me, rival& lock) {
    for (bool done = false; !done;) {
        ++all.waiting;
        lock.acquire();
        const auto now = clock::now();
        --all.waiting;
        done = all.hand_overs_left <= 0;
        if (all.released_by >= 0) {
            if (!done) {
                all.add(now.time_since_epoch() - clock::duration{all.released_at});
                --all.hand_overs_left;
            }
            all.somebody_else_has_it[all.released_by].post();
        }
        if (!done) {
            while (all.waiting == 0 && !all.failed) std::this_thread::sleep_for(std::chrono::microseconds{20});
            std::this_thread::sleep_for(all.hold);
        }
        all.released_by = me;
        all.released_at = clock::now().time_since_epoch().count();
        lock.release();
        if (done || all.failed) return;
        all.somebody_else_has_it[me].wait();
    }
}

void saturate(ground& all, rival& lock) {
    for (;;) {
        const auto begin = clock::now();
        if (begin >= all.ends) return;
        lock.acquire();
        all.add(clock::now() - begin);
        lock.release();
    }
}

/// The life of a member.
void take_part(ground& all, int me, const rival_maker& make) noexcept {
    try {
        const auto lock = make();
        lock->acquire();  // the first use of a connection is another thing
        lock->release();
        for (;;) {
            all.ready.post();
            all.start[me].wait();
            switch (all.now) {
                case ground::task::hand_over: hand_over(all, me, *lock); break;
                case ground::task::saturate: saturate(all, *lock); break;
                case ground::task::go_home: return;
            }
        }
    } catch (const std::exception& e) {
        all.fail(e.what());
    }
}

struct unmap {
    void operator()(ground* g) const noexcept {
        g->~ground();
        ::munmap(g, sizeof *g);
    }
};
using shared_ground = std::unique_ptr<ground, unmap>;

shared_ground make_ground() {
    void* const memory = ::mmap(nullptr, sizeof(ground), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::system_error{errno, std::generic_category(), "mmap"};
    return shared_ground{new (memory) ground};
}

class crowd final : public competitor {
public:
    crowd(relay how, ground::task task, rival_maker make) : how_{how}, task_{task}, make_{std::move(make)} {
        if (how_.how_many < 2 || how_.how_many > most_members) throw std::invalid_argument{"a relay of so many members is not made for"};
        all_->hold = how_.hold;
        try {
            for (int i = 0; i < how_.how_many; ++i) {
                add(i);
                await_a_member();  // one after the other: their first uses would wait for each other
            }
        } catch (...) {
            disperse();
            throw;
        }
    }
    ~crowd() override { disperse(); }

    turn take_turn(const pace& how) override {
        all_->now = task_;
        all_->count = 0;
        all_->released_by = -1;
        all_->hand_overs_left = how.cycles;
        for (auto& each : all_->somebody_else_has_it) each.forget_posts();
        const auto begin = clock::now();
        all_->ends = begin + std::chrono::seconds{1};
        for (int i = 0; i < how_.how_many; ++i) all_->start[i].post();
        for (int i = 0; i < how_.how_many; ++i) await_a_member();
        turn measured;
        measured.took = clock::now() - begin;
        if (task_ == ground::task::saturate) measured.took /= 10;  // the longest of few waits says little: ten times as many turns
        for (std::size_t i = 0; i < std::min(all_->count.load(), most_samples); ++i) measured.whole.add(all_->samples[i]);
        return measured;
    }

private:
    void add(int number) {
        if (how_.are == members::threads) {
            threads_.emplace_back([this, number] { take_part(*all_, number, make_); });
            return;
        }
        const pid_t parent = ::getpid();
        const pid_t child = ::fork();
        if (child == -1) throw std::system_error{errno, std::generic_category(), "fork"};
        if (child != 0) {
            children_.push_back(child);
            return;
        }
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() == parent) take_part(*all_, number, make_);
        ::_exit(0);
    }

    void await_a_member() {
        if (!all_->ready.wait_for(std::chrono::seconds{60})) all_->fail("somebody waits for a lock that nobody hands over");
        if (all_->failed) throw std::runtime_error{all_->error};
    }

    void disperse() noexcept {
        all_->now = ground::task::go_home;
        for (auto& each : all_->start) each.post();
        for (auto& each : threads_) each.join();
        for (const pid_t each : children_) {  // its connection ends with it, and so does what it holds
            ::kill(each, SIGKILL);
            while (::waitpid(each, nullptr, 0) == -1 && errno == EINTR) continue;
        }
    }

    relay how_;
    ground::task task_;
    rival_maker make_;
    shared_ground all_ = make_ground();
    std::vector<std::thread> threads_;
    std::vector<pid_t> children_;
};

}  // namespace

competitor_maker handing_over(relay how, rival_maker make) {
    return [=] { return std::make_unique<crowd>(how, ground::task::hand_over, make); };
}

competitor_maker saturating(int processes, rival_maker make) {
    return [=] { return std::make_unique<crowd>(relay{.how_many = processes}, ground::task::saturate, make); };
}

}  // namespace dlock::bench
