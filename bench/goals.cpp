// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "bench/goals.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace dlock::bench {
namespace {

using enum goal::figure;

constexpr goal all[]{
    {"postgresql/cycle", "PostgreSQL: cycle on the caller's session ÷ raw prepared libpq cycle", ratio, 1.05},
    {"postgresql/timed", "PostgreSQL: timed `try_lock_for` on a free lock ÷ raw prepared `SELECT 1`", ratio, 1.10},
    {"postgresql/managed", "PostgreSQL: cycle through lock_manager ÷ raw two-trip cycle", ratio, 0.65},
    {"mysql/cycle", "MariaDB: cycle on the caller's session ÷ raw text-protocol cycle", ratio, 1.05},
    {"mysql/managed", "MariaDB: cycle through lock_manager ÷ raw text-protocol cycle", ratio, 0.90},
    {"postgresql/unlock", "PostgreSQL: time that `unlock()` through lock_manager keeps its caller ÷ one round trip", ratio, 0.25},
    {"mysql/unlock", "MariaDB: time that `unlock()` through lock_manager keeps its caller ÷ one round trip", ratio, 0.25},
    {"sqlite/cycle", "SQLite: cycle ÷ raw BEGIN EXCLUSIVE + ROLLBACK", ratio, 1.10},
    {"sqlite/hand_off", "SQLite: hand-off between two processes, median", median, 0.8, unit::milliseconds},
    {"sqlite/longest_wait", "SQLite: longest wait of 3 saturating processes", largest, 200, unit::milliseconds},
    {"postgresql/instructions", "PostgreSQL: instructions of the client per cycle", median, 10'500, unit::instructions},
    {"threads", "16 threads, one key, in one process: acquisitions/s ÷ the same with a connection per thread", speed_up, 20, {},
     "over one connection",
     "Served in order, with more threads than processors, every acquisition wakes a thread and switches to it, mostly on another\n"
     "processor. A profile of managed locks in memory, without any server: 36 % in the switch (`finish_task_switch`), 33 % in the\n"
     "wake (`try_to_wake_up`), 12 % looking for a moment before sleeping, 6 % entering and leaving the kernel, 2 % in the rest of\n"
     "dlock. A mutex with a queue, which has no server at all, is in the table of 16 threads: what it gets is the bound."},
    {"threads/hand_over", "local hand-over from thread to thread, median", median, 10, unit::microseconds},
    {"postgresql/multi_lock/8", "PostgreSQL: `multi_lock` of 8 names ÷ 8 single locks", ratio, 0.30},
    {"postgresql/multi_lock/8_timed", "PostgreSQL: `multi_lock` of 8 names with a total deadline ÷ 8 single locks", ratio, 0.40},
    {"postgresql/multi_lock/1000", "PostgreSQL: `multi_lock` of 1,000 names ÷ 1,000 single locks", ratio, 0.15},
    {"mysql/multi_lock/8", "MariaDB: `multi_lock` of 8 names ÷ 8 single locks", ratio, 0.30},
    {"mysql/multi_lock/8_timed", "MariaDB: `multi_lock` of 8 names with a total deadline ÷ 8 single locks", ratio, 0.40},
    {"mysql/multi_lock/1000", "MariaDB: `multi_lock` of 1,000 names ÷ 1,000 single locks", ratio, 0.15},
    {"postgresql/keys/connections", "PostgreSQL: 10,000 keys held at once by one process: connections", largest, 4, unit::connections},
    {"postgresql/keys/memory", "PostgreSQL: 10,000 keys held at once: client memory of each, with lost() listened to", largest, 1024, unit::bytes},
    {"postgresql/keys/loss", "PostgreSQL: 10,000 keys held at once: until the loss of all is told", largest, 100, unit::milliseconds},
    {"mysql/keys/connections", "MariaDB: 10,000 keys held at once by one process: connections", largest, 4, unit::connections},
    {"mysql/keys/memory", "MariaDB: 10,000 keys held at once: client memory of each, with lost() listened to", largest, 1024, unit::bytes},
    {"mysql/keys/loss", "MariaDB: 10,000 keys held at once: until the loss of all is told", largest, 100, unit::milliseconds},
    {"postgresql/hand_off", "PostgreSQL: two processes hand over one key ÷ raw libpq blocking wait", ratio, 1.10},
    {"compile/postgresql", "a file including `<dlock/postgresql.hpp>` ÷ one including SOCI's", ratio, 0.6, {}, {},
     "Seven eighths of it are the standard headers that our signatures name: `<stop_token>`, `<string>`, `<vector>`, `<optional>`,\n"
     "`<system_error>` and `<chrono>` alone are 0.5 to 0.57 of what SOCI's header costs. On an idle machine it was 0.55 to 0.57, and\n"
     "more while something else was at work: the two do not suffer alike."},
};

std::string number(double value) {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), value == std::floor(value) || value >= 1000 ? "%.0f" : value >= 100 ? "%.1f" : "%.2f", value);
    return text.data();
}

std::string with_unit(const goal& g, double value) {
    const bool has_unit = g.of == median || g.of == largest;
    return number(value) + (has_unit ? ' ' + symbol(g.unit) : "");
}

}  // namespace

std::span<const goal> goals() { return all; }

const goal* find_goal(std::string_view id) {
    const auto* const found = std::find_if(std::begin(all), std::end(all), [&](const goal& g) { return g.id == id; });
    return found == std::end(all) ? nullptr : found;
}

double measured(const goal& g, const result& r) {
    switch (g.of) {
        case ratio: return r.ratio;
        case speed_up: return 1 / r.ratio;
        case median: return in_unit(g.unit, r.figure.p50);
        case largest: return in_unit(g.unit, r.largest);
    }
    return 0;
}

bool is_met(const goal& g, const result& r) { return g.of == speed_up ? measured(g, r) >= g.bound : measured(g, r) <= g.bound; }

std::string bound(const goal& g) { return (g.of == speed_up ? "≥ " : "≤ ") + with_unit(g, g.bound); }

std::string shown(const goal& g, const result& r) { return with_unit(g, measured(g, r)); }

std::string verdict(const goal& g, const result& r) {
    return r.error.empty() ? (is_met(g, r) ? "met" : "**missed**") : "not measured: " + r.error;
}

const result* about(const goal& g, const std::vector<result>& all_results) {
    const auto found = std::find_if(all_results.begin(), all_results.end(), [&](const result& r) { return r.goal == g.id; });
    return found == all_results.end() ? nullptr : &*found;
}

}  // namespace dlock::bench
