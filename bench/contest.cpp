// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "bench/contest.hpp"

#include <benchmark/benchmark.h>

#include <chrono>
#include <exception>

namespace dlock::bench {
namespace {

using clock = std::chrono::steady_clock;

constexpr int cycles_a_turn = 32;
constexpr int cycles_to_warm_up = 3;  // of each turn: the other one has had the processor and its caches
constexpr int turns_a_connection = 16;

struct turn {
    samples acquire, release, cycle;
    nanoseconds total{0};

    [[nodiscard]] const samples& of(figure f) const noexcept { return f == figure::cycle ? cycle : acquire; }
};

turn take_turn(rival& who) {
    for (int i = 0; i < cycles_to_warm_up; ++i) {
        who.acquire();
        who.release();
    }
    turn measured;
    for (int i = 0; i < cycles_a_turn; ++i) {
        const auto begin = clock::now();
        who.acquire();
        const auto held = clock::now();
        who.release();
        const auto end = clock::now();
        measured.acquire.add(held - begin);
        measured.release.add(end - held);
        measured.cycle.add(end - begin);
        measured.total += end - begin;
    }
    return measured;
}

/// One contender and the yardstick, each with a connection of its own.
class pairing {
public:
    pairing(const contest& what, const contender& who, measurement& to)
        : figure_{what.figure}, to_{to}, yardstick_{what.contenders.front().make()}, rival_{who.make()} {}

    /// Both take a turn, now the one first, now the other. What the rival's took.
    nanoseconds take_turns() {
        turn rivals, yardsticks;
        if (++turns_ % 2 == 0) {
            yardsticks = take_turn(*yardstick_);
            rivals = take_turn(*rival_);
        } else {
            rivals = take_turn(*rival_);
            yardsticks = take_turn(*yardstick_);
        }
        to_.acquire.add(rivals.acquire);
        to_.release.add(rivals.release);
        to_.cycle.add(rivals.cycle);
        to_.yardstick.add(yardsticks.of(figure_));
        to_.ratios.push_back(rivals.of(figure_).p50() / yardsticks.of(figure_).p50());
        return rivals.total;
    }

    [[nodiscard]] bool used_up() const noexcept { return turns_ == turns_a_connection; }

private:
    bench::figure figure_;
    measurement& to_;
    std::unique_ptr<rival> yardstick_, rival_;
    int turns_ = 0;
};

double seconds(nanoseconds n) { return n.count() / 1e9; }

void run(benchmark::State& state, const contest& what, const contender& who, measurement& to) {
    measurement now;
    try {
        std::unique_ptr<pairing> pair;
        while (state.KeepRunningBatch(cycles_a_turn)) {
            if (!pair) pair = std::make_unique<pairing>(what, who, now);
            state.SetIterationTime(seconds(pair->take_turns()));
            if (pair->used_up()) pair.reset();
        }
    } catch (const std::exception& error) {
        state.SkipWithError(error.what());
        return;
    }
    state.counters["acquire_p50"] = seconds(now.acquire.p50());
    state.counters["acquire_p99"] = seconds(now.acquire.p99());
    state.counters["release_p50"] = seconds(now.release.p50());
    state.counters["release_p99"] = seconds(now.release.p99());
    state.counters["p50"] = seconds(now.cycle.p50());
    state.counters["p99"] = seconds(now.cycle.p99());
    state.counters["yardstick_p50"] = seconds(now.yardstick.p50());
    state.counters["ratio"] = now.ratio();
    // Google Benchmark calls this with more and more iterations until the time is enough; the short runs are dropped.
    if (to.ratios.size() * 2 < now.ratios.size()) to = {};
    to.acquire.add(now.acquire);
    to.release.add(now.release);
    to.cycle.add(now.cycle);
    to.yardstick.add(now.yardstick);
    to.ratios.insert(to.ratios.end(), now.ratios.begin(), now.ratios.end());
}

}  // namespace

void enter(const contest& what, std::vector<measurement>& measured) {
    measured.resize(what.contenders.size());
    for (std::size_t i = 0; i < what.contenders.size(); ++i) {
        const auto& who = what.contenders[i];
        auto& to = measured[i];
        benchmark::RegisterBenchmark((what.id + "/" + who.id).c_str(),
                                     [&what, &who, &to](benchmark::State& state) { run(state, what, who, to); })
            ->UseManualTime()
            ->Unit(benchmark::kMicrosecond);
    }
}

}  // namespace dlock::bench
