// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Samples of a figure, and their percentiles.
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

/// Times in nanoseconds, or whatever else a contest counts.
class samples {
public:
    void add(nanoseconds one) { add(one.count()); }

    /// Beyond half a million they tell nothing new, and only the largest is kept.
    void add(double one) {
        constexpr std::size_t enough = 500'000;
        if (kept_.size() < enough) kept_.push_back(one);
        largest_ = std::max(largest_, one);
    }

    void add(const samples& more) {
        for (const auto one : more.kept_) add(one);
        largest_ = std::max(largest_, more.largest_);
    }

    [[nodiscard]] bool empty() const noexcept { return kept_.empty(); }

    /// \pre !empty()
    [[nodiscard]] double p50() const { return percentile(kept_, 0.50); }
    [[nodiscard]] double p99() const { return percentile(kept_, 0.99); }
    [[nodiscard]] double largest() const noexcept { return largest_; }

    /// As many percentiles as asked for, from the 0th to the 100th. \pre !empty()
    [[nodiscard]] std::vector<double> distribution(std::size_t points) const {
        auto sorted = kept_;
        std::sort(sorted.begin(), sorted.end());
        std::vector<double> found;
        for (std::size_t i = 0; i < points; ++i) found.push_back(sorted[i * (sorted.size() - 1) / (points - 1)]);
        return found;
    }

private:
    std::vector<double> kept_;
    double largest_ = 0;
};

}  // namespace dlock::bench
