// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Another policy, in a namespace: applications that share a server, and their parts, do not lock each other's names.
//
//   over a policy for text   Inner::key("Namespace:" + name), and Inner's limits hold for the whole. A namespace has no
//                            ':', so the first one ends it, and no name in one namespace equals a name in another.
//   over integer_key         integer_pair{BLAKE2b of the namespace, 4 bytes, little-endian signed; the id, in 32 bits}
//
// Namespaces nest, each one inside of the policy it is built on:
//
//   using billing  = in_namespace<"billing", hashed_key>;  // of "42": hashed_key::key("billing:42")
//   using invoices = in_namespace<"invoices", billing>;    // of "42": hashed_key::key("billing:invoices:42")
#pragma once

#include <concepts>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <vector>

#include <dlock/detail/blake2b.hpp>
#include <dlock/detail/fixed_string.hpp>
#include <dlock/key_policy.hpp>
#include <dlock/keys/integer_key.hpp>
#include <dlock/keys/integer_pair_key.hpp>

namespace dlock {

namespace detail {

template <fixed_string Namespace>
concept namespace_name =
    (!Namespace.view().empty() || unmet<"dlock: a namespace must not be empty">) &&
    (!Namespace.contains(':') || unmet<"dlock: a namespace must not contain ':'">);

template <class P>
concept has_namespaces =
    std::same_as<P, integer_key> || text_key_policy<P> ||
    unmet<"dlock: in_namespace must be over a key policy for text or integer_key; a pair has no room for it">;

}  // namespace detail

template <detail::fixed_string Namespace, class Inner>
    requires detail::namespace_name<Namespace> && detail::has_namespaces<Inner>
struct in_namespace {
    using key_type = std::conditional_t<std::same_as<Inner, integer_key>, integer_pair, typename Inner::key_type>;

    /// \throws lock_error{errc::bad_key} if Inner does for the whole name
    [[nodiscard]] static constexpr key_type key(std::string_view name)
        requires text_key_policy<Inner>
    {
        constexpr std::string_view space = Namespace.view();
        std::vector<char> whole;  // not every compiler has a constexpr std::string yet
        whole.reserve(space.size() + 1 + name.size());
        whole.insert(whole.end(), space.begin(), space.end());
        whole.push_back(':');
        whole.insert(whole.end(), name.begin(), name.end());
        return Inner::key(std::string_view{whole.data(), whole.size()});
    }

    /// \throws lock_error{errc::bad_key} if id does not fit in 32 bits
    [[nodiscard]] static constexpr key_type key(detail::integer_name auto id)
        requires std::same_as<Inner, integer_key>
    {
        constexpr auto high = detail::little_endian<std::int32_t>(detail::blake2b<4>(Namespace.view()));
        return {high, detail::in_range_of<std::int32_t>(id)};
    }
};

}  // namespace dlock
