// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Every legal combination, from the lists below: the cartesian product, filtered by dlock's own concepts. A policy that is
// added to a list is tested with everything it is legal with; matrix_test.cpp fails when one stands in no list.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <concepts>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/hana/cartesian_product.hpp>
#include <boost/hana/filter.hpp>
#include <boost/hana/for_each.hpp>
#include <boost/hana/integral_constant.hpp>
#include <boost/hana/tuple.hpp>
#include <boost/hana/type.hpp>

#include <dlock/keys/each.hpp>
#include <dlock/keys/hashed_key.hpp>
#include <dlock/keys/hashed_name.hpp>
#include <dlock/keys/in_namespace.hpp>
#include <dlock/keys/integer_key.hpp>
#include <dlock/keys/integer_pair_key.hpp>
#include <dlock/keys/verbatim_key.hpp>
#include <dlock/lock.hpp>

#include "tests/conformance/world.hpp"

namespace dlock::testing {

namespace hana = boost::hana;

// --- the lists

template <class Policy>
struct names_for {  // text
    static std::string number(int n) { return "conformance/" + std::to_string(n); }
};
template <>
struct names_for<integer_key> {
    static std::int64_t number(int n) { return -1000 - n; }
};
template <>
struct names_for<integer_pair_key> {
    static integer_pair number(int n) { return {-7, n}; }
};
template <dlock::detail::fixed_string Namespace>
struct names_for<in_namespace<Namespace, integer_key>> {
    static int number(int n) { return n; }
};

/// Three names in place of one, in another order for each lock, and one of them twice: what is locked must not depend on that.
template <class Policy>
struct names_for<each<Policy>> {
    static auto number(int n) {
        std::vector names{names_for<Policy>::number(3 * n), names_for<Policy>::number(3 * n + 1), names_for<Policy>::number(3 * n + 2)};
        static std::atomic<unsigned> calls = 0;
        std::rotate(names.begin(), names.begin() + calls++ % 3, names.end());
        names.push_back(names[calls % 3]);
        return names;
    }
};

/// How many locks of the server one lock is.
template <class Policy>
inline constexpr int locks_in = 1;
template <class Policy>
inline constexpr int locks_in<each<Policy>> = 3;

using billing_names = in_namespace<"billing", verbatim_key<64>>;
using billing_keys = in_namespace<"billing", hashed_key>;
using billing_numbers = in_namespace<"billing", integer_key>;

inline constexpr auto key_policies = hana::tuple_t<hashed_key, integer_key, integer_pair_key, verbatim_key<64>, hashed_name, billing_names,
                                                   billing_keys, billing_numbers, each<hashed_key>, each<integer_pair_key>,
                                                   each<verbatim_key<64>>>;
inline constexpr auto wait_policies = hana::tuple_t<block, poll>;
inline constexpr auto modes = hana::tuple_c<mode, mode::exclusive, mode::shared>;

template <class Policy>
constexpr const char* title();
template <> constexpr const char* title<hashed_key>() { return "HashedKey"; }
template <> constexpr const char* title<integer_key>() { return "IntegerKey"; }
template <> constexpr const char* title<integer_pair_key>() { return "IntegerPairKey"; }
template <> constexpr const char* title<verbatim_key<64>>() { return "VerbatimKey"; }
template <> constexpr const char* title<hashed_name>() { return "HashedName"; }
template <> constexpr const char* title<billing_names>() { return "NamespacedVerbatimKey"; }
template <> constexpr const char* title<billing_keys>() { return "NamespacedHashedKey"; }
template <> constexpr const char* title<billing_numbers>() { return "NamespacedIntegerKey"; }
template <> constexpr const char* title<each<hashed_key>>() { return "EachHashedKey"; }
template <> constexpr const char* title<each<integer_pair_key>>() { return "EachIntegerPairKey"; }
template <> constexpr const char* title<each<verbatim_key<64>>>() { return "EachVerbatimKey"; }
template <> constexpr const char* title<block>() { return "Block"; }
template <> constexpr const char* title<poll>() { return "Poll"; }

// --- a combination as a world

template <class Wait>
Wait wait_policy() {
    if constexpr (std::same_as<Wait, poll>) return poll{std::chrono::milliseconds{2}};
    else return Wait{};
}

template <class Lock, mode Mode>
class subject_of final : public subject {
public:
    using subject::lock;
    template <class... Args>
    explicit subject_of(Args&&... args) : lock_(std::forward<Args>(args)...) {}

    void lock(std::stop_token stop) override {
        if constexpr (Mode == mode::exclusive) lock_.lock(stop);
        else lock_.lock_shared(stop);
    }
    bool try_lock() override {
        if constexpr (Mode == mode::exclusive) return lock_.try_lock();
        else return lock_.try_lock_shared();
    }
    bool try_lock_for(std::chrono::duration<double> wait, std::stop_token stop) override {
        if constexpr (Mode == mode::exclusive) return lock_.try_lock_for(wait, stop);
        else return lock_.try_lock_shared_for(wait, stop);
    }
    bool try_lock_until(std::chrono::system_clock::time_point when) override {
        if constexpr (Mode == mode::exclusive) return lock_.try_lock_until(when);
        else return lock_.try_lock_shared_until(when);
    }
    void unlock() noexcept override {
        if constexpr (Mode == mode::exclusive) lock_.unlock();
        else lock_.unlock_shared();
    }
    void unlock(std::error_code& ec) noexcept override {
        if constexpr (Mode == mode::exclusive) lock_.unlock(ec);
        else lock_.unlock_shared(ec);
    }
    bool owns_lock() const noexcept override { return lock_.owns_lock(); }
    std::vector<holder> holders() const override { return lock_.holders(); }

private:
    Lock lock_;
};

/// A Server describes one kind of server: backends and owners (hana::tuples: traits, and ways to own a connection), waiters(), held().
template <class Server, class Owner, class Backend, class KeyPolicy, class WaitPolicy, mode Mode>
class world_of final : public world {
    using lock_type = basic_lock<Backend, KeyPolicy, WaitPolicy>;

    class party_of final : public party {
    public:
        std::unique_ptr<subject> lock(int name, limit at_most) override {
            auto wait = wait_policy<WaitPolicy>();
            if (at_most) wait = wait.at_most(*at_most);
            return std::make_unique<subject_of<lock_type, Mode>>(owner_.session(), names_for<KeyPolicy>::number(name), wait);
        }
        std::unique_ptr<subject> writer(int name) override {
            return std::make_unique<subject_of<lock_type, mode::exclusive>>(owner_.session(), names_for<KeyPolicy>::number(name),
                                                                            wait_policy<WaitPolicy>());
        }

    private:
        Owner owner_;
    };

public:
    world_of()
        : world{std::string{Owner::title} + "_" + title<KeyPolicy>() + "_" + title<WaitPolicy>() +
                    (Mode == mode::shared ? "_Shared" : "_Exclusive"),
                Mode == mode::shared} {}

    std::unique_ptr<party> join() override { return std::make_unique<party_of>(); }
    bool session_owns() const override { return !requires { Server::objects_own; }; }
    std::optional<int> waiters() override { return std::same_as<WaitPolicy, block> ? Server::waiters() : std::nullopt; }
    /// -1: one that is locked in part.
    int held() override {
        const int held = Server::held();
        return held % locks_in<KeyPolicy> == 0 ? held / locks_in<KeyPolicy> : -1;
    }
};

// --- the matrix

/// The element at an index of a combination: a hana::type, or a hana::integral_constant.
template <std::size_t Index, class Combination>
using part = std::decay_t<decltype(hana::at_c<Index>(std::declval<Combination>()))>;

template <class Server>
constexpr auto combinations() {
    constexpr auto all = hana::cartesian_product(hana::make_tuple(Server::owners, Server::backends, key_policies, wait_policies, modes));
    return hana::filter(all, [](const auto& combination) {
        using combined = decltype(combination);
        using backend_type = typename part<1, combined>::type;
        return hana::bool_c<key_policy_for<typename part<2, combined>::type, backend_type> &&
                            (part<4, combined>::value == mode::exclusive || shared_backend<backend_type>)>;
    });
}

template <class Server>
std::vector<world_ptr> worlds() {
    std::vector<world_ptr> made;
    hana::for_each(combinations<Server>(), [&](const auto& combination) {
        using combined = decltype(combination);
        made.push_back(
            std::make_shared<world_of<Server, typename part<0, combined>::type, typename part<1, combined>::type, typename part<2, combined>::type,
                                      typename part<3, combined>::type, part<4, combined>::value>>());
    });
    return made;
}

}  // namespace dlock::testing
