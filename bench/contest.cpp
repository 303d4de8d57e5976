// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "bench/contest.hpp"

#include <benchmark/benchmark.h>

#include <chrono>
#include <exception>
#include <utility>

namespace dlock::bench {
namespace {

using clock = std::chrono::steady_clock;

const samples& figure_of(const turn& t, figure f) noexcept {
    return f == figure::whole ? t.whole : f == figure::acquire ? t.acquire : t.release;
}

/// One contender and the yardstick, each with a connection of its own.
class pairing {
public:
    pairing(const contest& what, const contender& who, measurement& to)
        : what_{what}, to_{to}, yardstick_{what.has_yardstick ? what.contenders.front().make() : nullptr}, rival_{who.make()} {}

    /// Both take a turn, now the one first, now the other. What the rival's took.
    nanoseconds take_turns() {
        turn rivals, yardsticks;
        const auto measure_yardstick = [&] {
            if (yardstick_) yardsticks = yardstick_->take_turn(what_.pace);
        };
        const bool yardstick_first = ++turns_ % 2 == 0;
        if (yardstick_first) measure_yardstick();
        rivals = rival_->take_turn(what_.pace);
        if (!yardstick_first) measure_yardstick();
        to_.acquire.add(rivals.acquire);
        to_.release.add(rivals.release);
        to_.whole.add(rivals.whole);
        ++to_.turns;
        if (yardstick_) to_.ratios.push_back(figure_of(rivals, what_.figure).p50() / figure_of(yardsticks, what_.figure).p50());
        return rivals.took;
    }

    [[nodiscard]] bool used_up() const noexcept { return turns_ == what_.pace.turns; }

private:
    const contest& what_;
    measurement& to_;
    std::unique_ptr<competitor> yardstick_, rival_;
    int turns_ = 0;
};

double seconds(double ns) { return ns / 1e9; }

void show(benchmark::State& state, const contest& what, const measurement& m) {
    const bool is_time = what.unit == unit::microseconds || what.unit == unit::milliseconds;
    const auto add = [&](const std::string& name, const samples& of) {
        if (of.empty()) return;
        state.counters[name + "p50"] = is_time ? seconds(of.p50()) : in_unit(what.unit, of.p50());
        state.counters[name + "p99"] = is_time ? seconds(of.p99()) : in_unit(what.unit, of.p99());
    };
    add("acquire_", m.acquire);
    add("release_", m.release);
    add("", m.whole);
    if (!m.ratios.empty()) state.counters["ratio"] = percentile(m.ratios, 0.5);
}

void run(benchmark::State& state, const contest& what, const contender& who, measurement& to) {
    measurement now;
    try {
        std::unique_ptr<pairing> pair;
        while (state.KeepRunningBatch(what.pace.cycles)) {
            if (!pair) pair = std::make_unique<pairing>(what, who, now);
            state.SetIterationTime(seconds(pair->take_turns().count()));
            if (pair->used_up()) pair.reset();
        }
    } catch (const std::exception& error) {
        to.error = error.what();
        state.SkipWithError(error.what());
        return;
    }
    show(state, what, now);
    // Google Benchmark calls this with more and more iterations until the time is enough; the short runs are dropped.
    if (to.turns * 2 < now.turns) to = {};
    to.acquire.add(now.acquire);
    to.release.add(now.release);
    to.whole.add(now.whole);
    to.ratios.insert(to.ratios.end(), now.ratios.begin(), now.ratios.end());
    to.turns += now.turns;
}

}  // namespace

turn rival::take_turn(const pace& how) {
    for (int i = 0; i < how.warm_up; ++i) {
        acquire();
        release();
    }
    turn measured;
    for (int i = 0; i < how.cycles; ++i) {
        const auto begin = clock::now();
        acquire();
        const auto held = clock::now();
        release();
        const auto end = clock::now();
        measured.acquire.add(held - begin);
        measured.release.add(end - held);
        measured.whole.add(end - begin);
        measured.took += end - begin;
    }
    return measured;
}

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

std::vector<result> results(const contest& what, const std::vector<measurement>& measured) {
    const auto both = [](const samples& of) { return of.empty() ? percentiles{} : percentiles{of.p50(), of.p99()}; };
    std::vector<result> all;
    for (std::size_t i = 0; i < measured.size(); ++i) {
        const auto& m = measured[i];
        if (m.turns == 0 && m.error.empty()) continue;
        const auto& who = what.contenders[i];
        result r{.contest = what.id, .where = what.where, .what = what.what, .name = who.name, .id = who.id, .unit = what.unit,
                 .is_yardstick = what.has_yardstick && i == 0, .goal = who.goal, .plot = what.plot, .x = what.x, .error = m.error};
        if (m.turns > 0) {
            r.error.clear();
            const auto& compared = m.of(what.figure);
            r.figure = both(compared);
            r.largest = compared.largest();
            if (what.figure == figure::whole) {
                r.acquire = both(m.acquire);
                r.release = both(m.release);
            }
            if (!m.ratios.empty()) {
                r.ratio = percentile(m.ratios, 0.5);
                r.ratio_low = percentile(m.ratios, 0.25);
                r.ratio_high = percentile(m.ratios, 0.75);
            }
            constexpr std::size_t points_of_a_curve = 201;
            if (!what.plot.empty() && !what.x) r.distribution = compared.distribution(points_of_a_curve);
        }
        all.push_back(std::move(r));
    }
    return all;
}

}  // namespace dlock::bench
