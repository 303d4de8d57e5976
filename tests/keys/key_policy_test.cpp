// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The concepts of dlock/key_policy.hpp, in both directions. That this file compiles is the test.
#include <dlock/key_policy.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <dlock/keys/hashed_key.hpp>
#include <dlock/keys/hashed_name.hpp>
#include <dlock/keys/in_namespace.hpp>
#include <dlock/keys/integer_key.hpp>
#include <dlock/keys/integer_pair_key.hpp>
#include <dlock/keys/verbatim_key.hpp>

namespace {

using namespace dlock;

// --- key_policy -----------------------------------------------------------------------------------------------------

struct only_key {  // the minimal model, as in the header's preamble
    using key_type = std::int64_t;
    static constexpr key_type key() noexcept { return 42; }
};
struct no_key_type {
    static int key() { return 1; }
};
struct irregular {
    using key_type = std::unique_ptr<int>;
};
struct with_state {
    using key_type = int;
    int seed;
};

static_assert(key_policy<only_key>);
static_assert(!key_policy<no_key_type>);
static_assert(!key_policy<irregular>);
static_assert(!key_policy<with_state>);
static_assert(!key_policy<int>);

template <class... Ps>
constexpr bool all_key_policies = (key_policy<Ps> && ...);
static_assert(all_key_policies<hashed_key, hashed_name, integer_key, integer_pair_key, verbatim_key<64>,
                               in_namespace<"a", hashed_key>, in_namespace<"a", integer_key>>);

// --- accepts_name ---------------------------------------------------------------------------------------------------

static_assert(accepts_name<only_key>);
static_assert(!accepts_name<only_key, int>);

template <class P, class... Names>
constexpr bool accepts_each = (accepts_name<P, Names> && ...);
template <class P, class... Names>
constexpr bool accepts_none = (!accepts_name<P, Names> && ...);

template <class P>
constexpr bool accepts_text =
    accepts_each<P, const char*, const char (&)[5], std::string, const std::string&, std::string_view>;
static_assert(accepts_text<hashed_key>);
static_assert(accepts_text<hashed_name>);
static_assert(accepts_text<verbatim_key<64>>);
static_assert(accepts_text<in_namespace<"a", hashed_key>>);
static_assert(accepts_none<hashed_key, int, bool, char, std::byte>);
static_assert(!accepts_name<hashed_key>);
static_assert(!accepts_name<hashed_key, std::string, std::string>);

static_assert(accepts_each<hashed_key, std::span<const std::byte>, const std::vector<std::byte>&>);
static_assert(accepts_none<hashed_name, std::span<const std::byte>, const std::vector<std::byte>&>);

template <class P>
constexpr bool accepts_integers =
    accepts_each<P, int, const long&, unsigned long long, std::int8_t, std::uint8_t, const std::uint16_t&>;
static_assert(accepts_integers<integer_key>);
static_assert(accepts_integers<in_namespace<"a", integer_key>>);

template <class P>
constexpr bool accepts_no_lookalike = accepts_none<P, bool, char, const char&, wchar_t, char8_t, char16_t, char32_t,
                                                   double, std::byte, const char*, integer_pair>;
static_assert(accepts_no_lookalike<integer_key>);
static_assert(accepts_no_lookalike<in_namespace<"a", integer_key>>);
static_assert(!accepts_name<integer_key, int, int>);

static_assert(accepts_name<integer_pair_key, int, long long>);
static_assert(accepts_name<integer_pair_key, const integer_pair&>);
static_assert(!accepts_name<integer_pair_key, int>);
static_assert(!accepts_name<integer_pair_key, int, char>);
static_assert(!accepts_name<integer_pair_key, bool, int>);

struct returns_something_else {
    using key_type = std::int64_t;
    static int key(std::string_view) { return 0; }  // converts to key_type, but is not key_type
};
static_assert(key_policy<returns_something_else>);
static_assert(!accepts_name<returns_something_else, std::string_view>);

// --- text_key_policy ------------------------------------------------------------------------------------------------

static_assert(text_key_policy<hashed_key>);
static_assert(text_key_policy<hashed_name>);
static_assert(text_key_policy<verbatim_key<64>>);
static_assert(text_key_policy<in_namespace<"a", hashed_key>>);
static_assert(!text_key_policy<only_key>);
static_assert(!text_key_policy<integer_key>);
static_assert(!text_key_policy<integer_pair_key>);
static_assert(!text_key_policy<in_namespace<"a", integer_key>>);
static_assert(!text_key_policy<std::string>);

// --- key_policy_for -------------------------------------------------------------------------------------------------

struct locks_int64 {
    using key_type = std::int64_t;
};
struct locks_text {
    using key_type = std::string;
};
struct locks_either {  // a backend with two key spaces
    struct key_type {
        key_type(std::int64_t) {}
        key_type(integer_pair) {}
    };
};
struct no_backend {};

static_assert(key_policy_for<hashed_key, locks_int64>);
static_assert(key_policy_for<integer_key, locks_int64>);
static_assert(!key_policy_for<integer_pair_key, locks_int64>);
static_assert(!key_policy_for<hashed_name, locks_int64>);

static_assert(key_policy_for<verbatim_key<64>, locks_text>);
static_assert(key_policy_for<in_namespace<"a", hashed_name>, locks_text>);
static_assert(!key_policy_for<integer_pair_key, locks_text>);
static_assert(!key_policy_for<hashed_key, locks_text>);

static_assert(key_policy_for<hashed_key, locks_either>);
static_assert(key_policy_for<integer_pair_key, locks_either>);
static_assert(key_policy_for<in_namespace<"a", integer_key>, locks_either>);
static_assert(!key_policy_for<hashed_name, locks_either>);

static_assert(!key_policy_for<hashed_key, no_backend>);
static_assert(!key_policy_for<no_key_type, locks_int64>);

// --- in_namespace's own constraints ---------------------------------------------------------------------------------

template <detail::fixed_string Namespace, class Inner>
constexpr bool can_be_namespaced = requires {
    typename in_namespace<Namespace, Inner>;
};

static_assert(can_be_namespaced<"a", hashed_key>);
static_assert(can_be_namespaced<"a b/c.d", hashed_key>);
static_assert(can_be_namespaced<"中", hashed_key>);
static_assert(can_be_namespaced<"b", in_namespace<"a", verbatim_key<64>>>);
static_assert(can_be_namespaced<"a", integer_key>);
static_assert(!can_be_namespaced<"", hashed_key>);
static_assert(!can_be_namespaced<":", hashed_key>);
static_assert(!can_be_namespaced<"a:", hashed_key>);
static_assert(!can_be_namespaced<"a:b", integer_key>);
static_assert(!can_be_namespaced<"a", integer_pair_key>);
static_assert(!can_be_namespaced<"b", in_namespace<"a", integer_key>>);
static_assert(!can_be_namespaced<"a", only_key>);

TEST(KeyPolicy, TheMinimalModelGivesItsKey) { EXPECT_EQ(only_key::key(), 42); }

}  // namespace
