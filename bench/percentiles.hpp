// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Samples of a latency, and their percentiles.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace dlock::bench {

/// The smallest value that is larger than `part` of all values; 0.5 is the median. \pre !values.empty()
template <class Value>
[[nodiscard]] Value percentile(std::vector<Value> values, double part) {
    const auto at = std::min(values.size() - 1, static_cast<std::size_t>(part * static_cast<double>(values.size())));
    const auto nth = values.begin() + static_cast<std::ptrdiff_t>(at);
    std::nth_element(values.begin(), nth, values.end());
    return *nth;
}

using nanoseconds = std::chrono::duration<double, std::nano>;

class samples {
public:
    /// Beyond half a million they tell nothing new, and are not kept.
    void add(nanoseconds one) {
        constexpr std::size_t enough = 500'000;
        if (kept_.size() < enough) kept_.push_back(one);
    }

    void add(const samples& more) {
        for (const auto one : more.kept_) add(one);
    }

    [[nodiscard]] std::size_t size() const noexcept { return kept_.size(); }

    [[nodiscard]] nanoseconds p50() const { return percentile(kept_, 0.50); }
    [[nodiscard]] nanoseconds p99() const { return percentile(kept_, 0.99); }

private:
    std::vector<nanoseconds> kept_;
};

}  // namespace dlock::bench
