// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Another policy, for several names at once: what a multi_lock locks.
//
//     each<hashed_key>::key(std::vector<std::string>{"account/2", "account/1", "account/2"})   // a key_set of two
//
// Any range of names that the policy takes: a vector, an array, a span, a view, an initializer_list. The order and the
// repetitions of the names do not matter. To put all of them in a namespace: each<in_namespace<"billing", hashed_key>>.
#pragma once

#include <concepts>
#include <ranges>
#include <utility>
#include <vector>

#include <dlock/error.hpp>
#include <dlock/key_policy.hpp>
#include <dlock/key_set.hpp>

namespace dlock {

template <key_policy Inner>
    requires ordered_key<typename Inner::key_type>
struct each {
    using key_type = key_set<typename Inner::key_type>;

    /// \throws lock_error{errc::bad_key} if there are no names, since a lock on nothing excludes nobody; or if Inner does for one
    template <std::ranges::input_range Names>
        requires accepts_name<Inner, std::ranges::range_reference_t<const Names>>
    [[nodiscard]] static constexpr key_type key(const Names& names) {
        std::vector<typename Inner::key_type> keys;
        if constexpr (std::ranges::sized_range<const Names>) keys.reserve(std::ranges::size(names));
        for (auto&& name : names) keys.push_back(Inner::key(std::forward<decltype(name)>(name)));
        if (keys.empty()) throw lock_error{errc::bad_key, "dlock: a multi_lock needs a name at least: without one it would exclude nobody"};
        return key_type{std::move(keys)};
    }
};

}  // namespace dlock
