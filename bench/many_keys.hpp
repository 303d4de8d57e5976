// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Keys that one process holds at once: what they need, and when their loss is told.
#pragma once

#include <malloc.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <soci/soci.h>

#include "bench/contest.hpp"
#include "bench/rivals.hpp"

namespace dlock::bench {

template <class Types>
class many_keys final : public competitor {
    using clock = std::chrono::steady_clock;
    using manager = typename Types::lock_manager;
    using managed_lock = typename Types::managed_lock;
    using of_many = server_rivals::of_many;

public:
    many_keys(std::string url, std::size_t keys, of_many what) : url_{std::move(url)}, keys_{keys}, what_{what}, db_{url_} {}

    turn take_turn(const pace&) override {
        const auto begin = clock::now();
        turn measured;
        measured.whole.add(measure());
        measured.took = clock::now() - begin;
        return measured;
    }

private:
    /// Tells when the last of many is told.
    struct tally {
        explicit tally(std::size_t all) : untold{all} {}
        void operator()() {
            if (--untold == 0) told.store(clock::now().time_since_epoch().count()), told.notify_one();
        }
        std::atomic<std::size_t> untold;
        std::atomic<clock::rep> told{0};
    };
    using on_loss = std::stop_callback<std::reference_wrapper<tally>>;

    double measure() {
        manager locks{url_};
        std::vector<std::unique_ptr<managed_lock>> held(keys_);
        std::vector<std::unique_ptr<on_loss>> listening(keys_);
        tally losses{keys_};
        const auto before = allocated();
        for (std::size_t i = 0; i < keys_; ++i) {
            held[i] = std::make_unique<managed_lock>(locks, "dlock benchmark " + std::to_string(i));
            held[i]->lock();
            if (what_ != of_many::memory) listening[i] = std::make_unique<on_loss>(held[i]->lost(), losses);
        }
        const auto after = allocated();
        if (locks.held() != keys_) throw std::runtime_error{"not all of the keys are held"};
        switch (what_) {
            case of_many::connections: return static_cast<double>(locks.connections());
            case of_many::memory:
            case of_many::memory_when_listening: return (after - before) / static_cast<double>(keys_);
            case of_many::loss: break;
        }
        const auto begin = clock::now();
        Types::end_holders(db_);
        losses.told.wait(0);
        return std::chrono::duration<double, std::nano>{clock::duration{losses.told.load()} - begin.time_since_epoch()}.count();
    }

    /// Bytes, in every arena and in mappings of their own.
    static double allocated() {
        const auto info = ::mallinfo2();
        return static_cast<double>(info.uordblks) + static_cast<double>(info.hblkhd);
    }

    std::string url_;
    std::size_t keys_;
    of_many what_;
    soci::session db_;
};

}  // namespace dlock::bench
