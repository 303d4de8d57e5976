// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A key policy turns the name a caller writes into the key a server locks. Two processes exclude each other exactly
// when their policies give the same key for their names, so what a policy computes is a wire format: it never changes.
//
// A key policy P is a type without state. With `name…` standing for what P is documented to accept:
//
//   expression     | returns    | throws                    | effect
//   ---------------|------------|---------------------------|------------------------------------------------------
//   P::key_type    | a type     |                           | std::regular: copied, compared, default-constructed
//   P::key(name…)  | P::key_type| lock_error{errc::bad_key} | pure: the same name, the same key, in every process;
//                  |            | if it has no key for name | any thread may call it
//
// P should be constexpr: a bad name in a constant expression is then a compile error. The minimal model:
//
//   struct only_key {
//       using key_type = std::int64_t;
//       static constexpr key_type key() noexcept { return 42; }
//   };
//
// The policies themselves are in dlock/keys/; docs/keys.md says when to use which.
#pragma once

#include <concepts>
#include <string_view>
#include <type_traits>
#include <utility>

#include <dlock/detail/fixed_string.hpp>

namespace dlock {

namespace detail {

template <class T>
concept has_key_type = requires { typename T::key_type; };

}  // namespace detail

/// P is a key policy: see the table above.
template <class P>
concept key_policy =
    (detail::has_key_type<P> || detail::unmet<"dlock: a key policy must have a member type key_type">) &&
    (std::regular<typename P::key_type> || detail::unmet<"dlock: KeyPolicy::key_type must be regular">) &&
    (std::is_empty_v<P> || detail::unmet<"dlock: a key policy must have no state">);

/// P::key(name…) takes names of these types. Write it with the types as they are forwarded.
template <class P, class... Name>
concept accepts_name = key_policy<P> && (requires(Name&&... name) {
    { P::key(std::forward<Name>(name)...) } -> std::same_as<typename P::key_type>;
} || detail::unmet<"dlock: KeyPolicy::key must accept this name and return key_type">);

/// P takes text. What it does to bytes that are not UTF-8 is for it to say.
template <class P>
concept text_key_policy = accepts_name<P, std::string_view>;

/// What P gives is what Backend locks.
template <class P, class Backend>
concept key_policy_for =
    key_policy<P> &&
    (detail::has_key_type<Backend> || detail::unmet<"dlock: a backend must have a member type key_type">) &&
    (std::convertible_to<typename P::key_type, typename Backend::key_type> ||
     detail::unmet<"dlock: KeyPolicy::key_type must convert to Backend::key_type">);

}  // namespace dlock
