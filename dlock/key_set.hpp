// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Several keys that are locked together: sorted, without duplicates.
//
// Everybody who locks several keys takes them in the order of this set, and so nobody waits for who waits for him: two sets
// that overlap never end in a deadlock, whichever way their names were written.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include <dlock/detail/fixed_string.hpp>

namespace dlock {

/// Keys have an order: the same in every process.
template <class Key>
concept ordered_key = (std::regular<Key> && std::totally_ordered<Key>) ||
                      detail::unmet<"dlock: a key that is locked together with others must have operator<">;

/// A regular type. Only the default constructor makes an empty one.
template <ordered_key Key>
class key_set {
public:
    using value_type = Key;

    constexpr key_set() = default;

    constexpr explicit key_set(std::vector<Key> keys) : keys_{std::move(keys)} {
        std::sort(keys_.begin(), keys_.end());
        keys_.erase(std::unique(keys_.begin(), keys_.end()), keys_.end());
    }

    /// The keys that a key policy gives, as the keys of a backend, which may order them differently.
    template <class Other>
        requires(!std::same_as<Other, Key> && std::convertible_to<const Other&, Key>)
    constexpr key_set(const key_set<Other>& others) : key_set{std::vector<Key>(others.begin(), others.end())} {}

    [[nodiscard]] constexpr auto begin() const noexcept { return keys_.begin(); }
    [[nodiscard]] constexpr auto end() const noexcept { return keys_.end(); }
    [[nodiscard]] constexpr const Key* data() const noexcept { return keys_.data(); }
    [[nodiscard]] constexpr std::size_t size() const noexcept { return keys_.size(); }
    [[nodiscard]] constexpr bool empty() const noexcept { return keys_.empty(); }
    /// \pre !empty()
    [[nodiscard]] constexpr const Key& front() const noexcept { return keys_.front(); }

    friend constexpr bool operator==(const key_set&, const key_set&) = default;

private:
    std::vector<Key> keys_;
};

}  // namespace dlock
