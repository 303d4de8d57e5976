// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What a lock can do and what it cannot, as concepts say it. That this file compiles is the test.
#include <dlock/lockable.hpp>

#include <concepts>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

#include <dlock/any_lock.hpp>
#include <dlock/keys/hashed_key.hpp>
#include <dlock/keys/integer_key.hpp>
#include <dlock/keys/integer_pair_key.hpp>
#include <dlock/keys/verbatim_key.hpp>
#include <dlock/lock.hpp>
#include <dlock/transaction_lock.hpp>

#include "tests/core/fake_server.hpp"

namespace dlock::testing {
namespace {

// --- the concepts agree with the standard's own types

template <class L>
constexpr bool is_nothing = !basic_lockable<L> && !lockable<L> && !timed_lockable<L> && !shared_lockable<L> && !shared_timed_lockable<L>;

static_assert(is_nothing<int> && is_nothing<std::string>);
static_assert(lockable<std::mutex> && !timed_lockable<std::mutex> && !shared_lockable<std::mutex>);
static_assert(timed_lockable<std::timed_mutex> && timed_lockable<std::recursive_timed_mutex> && !shared_lockable<std::timed_mutex>);
static_assert(lockable<std::shared_mutex> && shared_lockable<std::shared_mutex>);
static_assert(!timed_lockable<std::shared_mutex> && !shared_timed_lockable<std::shared_mutex>);
static_assert(timed_lockable<std::shared_timed_mutex> && shared_timed_lockable<std::shared_timed_mutex>);
static_assert(timed_lockable<std::unique_lock<std::timed_mutex>>);
static_assert(is_nothing<const std::mutex> && is_nothing<std::scoped_lock<std::mutex>>);

struct try_lock_says_int {
    void lock();
    void unlock();
    int try_lock();
};
static_assert(basic_lockable<try_lock_says_int> && !lockable<try_lock_says_int>);

// --- locks

template <class Wait>
constexpr bool models_timed_lockable =
    timed_lockable<basic_lock<fake, integer_key, Wait>> && timed_lockable<basic_lock<fake_without_shared, integer_key, Wait>>;
static_assert(models_timed_lockable<block> && models_timed_lockable<poll>);

using reader_writer = basic_lock<fake, hashed_key>;
using exclusive_only = basic_lock<fake_without_shared, hashed_key>;
using in_transaction = basic_transaction_lock<fake_in_transaction, hashed_key>;

static_assert(shared_timed_lockable<reader_writer>);
static_assert(!shared_lockable<exclusive_only> && !shared_timed_lockable<exclusive_only>);
static_assert(timed_lockable<any_lock> && shared_timed_lockable<any_lock>, "it refuses at run time");
static_assert(is_nothing<in_transaction>, "no guard can be made of what has no unlock()");
static_assert(is_nothing<const reader_writer> && is_nothing<const any_lock>);

template <class L>
constexpr bool can_unlock = requires(L& lock) { lock.unlock(); };
template <class L>
constexpr bool can_unlock_shared = requires(L& lock) { lock.unlock_shared(); };
template <class L>
constexpr bool can_unlock_and_tell = requires(L& lock, std::error_code& ec) { lock.unlock(ec); };
template <class L>
constexpr bool can_unlock_shared_and_tell = requires(L& lock, std::error_code& ec) { lock.unlock_shared(ec); };
template <class L>
constexpr bool can_try_shared = requires(L& lock) { lock.try_lock_shared(); };
template <class L>
constexpr bool can_try_shared_for = requires(L& lock, std::chrono::hours wait) { lock.try_lock_shared_for(wait); };
template <class L>
constexpr bool can_try_shared_until = requires(L& lock, std::chrono::system_clock::time_point when) { lock.try_lock_shared_until(when); };
template <class L>
constexpr bool can_lock_shared = requires(L& lock) { lock.lock_shared(); };
template <class L>
constexpr bool can_try = requires(L& lock, std::stop_token stop) {
    lock.lock(stop);
    { lock.try_lock() } -> std::same_as<bool>;
    { lock.try_lock_for(std::chrono::hours{1}, stop) } -> std::same_as<bool>;
    { lock.try_lock_until(std::chrono::system_clock::now(), stop) } -> std::same_as<bool>;
    { lock.owns_lock() } -> std::same_as<bool>;
};

template <class L>
constexpr bool can_read = can_lock_shared<L> && can_try_shared<L> && can_try_shared_for<L> && can_try_shared_until<L>;
template <class L>
constexpr bool cannot_read = !can_lock_shared<L> && !can_try_shared<L> && !can_try_shared_for<L> && !can_try_shared_until<L> &&
                             !can_unlock_shared<L> && !can_unlock_shared_and_tell<L>;

static_assert(can_try<reader_writer> && can_try<exclusive_only> && can_try<in_transaction> && can_try<any_lock>);
static_assert(can_read<reader_writer> && can_read<any_lock> && can_read<in_transaction>);
static_assert(cannot_read<exclusive_only> && cannot_read<basic_transaction_lock<fake_transaction_backend<false>, hashed_key>>);
static_assert(can_unlock<reader_writer> && can_unlock_and_tell<reader_writer> && can_unlock_shared_and_tell<reader_writer>);
static_assert(!can_unlock<in_transaction> && !can_unlock_and_tell<in_transaction> && !can_unlock_shared<in_transaction>);

template <class L>
constexpr bool unlocks_without_throwing = noexcept(std::declval<L&>().unlock()) && noexcept(std::declval<L&>().unlock_shared()) &&
                                          noexcept(std::declval<L&>().owns_lock()) && std::is_nothrow_destructible_v<L>;
static_assert(unlocks_without_throwing<reader_writer> && unlocks_without_throwing<any_lock>);

// --- making and moving them

template <class L>
constexpr bool stays_where_it_is = !std::move_constructible<L> && !std::is_move_assignable_v<L> && !std::is_copy_assignable_v<L>;
static_assert(stays_where_it_is<reader_writer> && stays_where_it_is<in_transaction>);
static_assert(std::movable<any_lock> && std::is_nothrow_move_constructible_v<any_lock> && !std::copyable<any_lock>);

template <class L, class... Names>
constexpr bool is_made_of = (std::constructible_from<L, fake_session&, Names> && ...);
template <class L, class... Names>
constexpr bool is_not_made_of = (!std::constructible_from<L, fake_session&, Names> && ...);

static_assert(is_made_of<reader_writer, const char*, const char (&)[5], std::string, std::string_view>);
static_assert(is_not_made_of<reader_writer, int, bool, integer_pair>);
static_assert(is_made_of<in_transaction, std::string_view> && is_not_made_of<in_transaction, int>);
static_assert(is_made_of<basic_lock<fake, integer_key>, int, unsigned long long>);
static_assert(is_not_made_of<basic_lock<fake, integer_key>, const char*, double, bool, char>);
static_assert(std::constructible_from<reader_writer, fake_session&, const char*, block>);
static_assert(!std::constructible_from<reader_writer, fake_session&, const char*, poll>, "the wait policy is part of the type");
static_assert(!std::constructible_from<reader_writer, fake_session, const char*>, "the session must outlive the lock");
static_assert(!std::constructible_from<reader_writer, const fake_session&, const char*>);
static_assert(!std::default_initializable<reader_writer> && !std::default_initializable<any_lock>);
static_assert(!std::constructible_from<reader_writer, fake_session&>);

template <class L>
constexpr bool any_lock_of = requires(fake_session& s) { any_lock::of<L>(s, "name"); };
static_assert(any_lock_of<reader_writer> && any_lock_of<exclusive_only> && !any_lock_of<in_transaction>);

// --- policies fit together or not

template <class B, class K, class W = block>
constexpr bool can_lock = requires { typename basic_lock<B, K, W>; };
template <class B, class K, class W = block>
constexpr bool can_transaction_lock = requires { typename basic_transaction_lock<B, K, W>; };

static_assert(can_lock<fake, integer_key> && can_lock<fake, hashed_key, poll>);
static_assert(!can_lock<fake, verbatim_key<64>> && !can_lock<fake, integer_pair_key>, "the server locks integers");
static_assert(!can_lock<fake, int> && !can_lock<int, integer_key> && !can_lock<fake, integer_key, int>);
static_assert(!can_lock<fake_in_transaction, integer_key>, "it cannot release");
static_assert(can_transaction_lock<fake_in_transaction, integer_key> && !can_transaction_lock<fake, integer_key>);
static_assert(!can_transaction_lock<fake_in_transaction, verbatim_key<64>> && !can_transaction_lock<int, integer_key>);

static_assert(backend<fake> && backend<fake_without_shared> && !backend<fake_in_transaction> && !backend<int>);
static_assert(transaction_backend<fake_in_transaction> && !transaction_backend<fake> && !transaction_backend<int>);
static_assert(shared_backend<fake> && shared_backend<fake_in_transaction> && !shared_backend<fake_without_shared> && !shared_backend<int>);

// every expression of the table in dlock/backend.hpp is asked for
struct release_may_throw : fake {
    static released release(fake_session&, std::int64_t, mode, fake_grant);
};
struct release_says_nothing : fake {
    static void release(fake_session&, std::int64_t, mode, fake_grant) noexcept;
};
struct sever_may_throw : fake {
    static void sever(fake_session&, fake_grant);
};
struct still_held_may_throw : fake {
    static bool still_held(fake_session&, std::int64_t, mode, fake_grant);
};
struct try_acquire_says_bool : fake {
    static bool try_acquire(fake_session&, std::int64_t, mode);
};
struct acquire_until_cannot_be_stopped : fake {
    static std::optional<fake_grant> acquire_until(fake_session&, std::int64_t, mode, deadline);
};
struct nobody_holds : fake {
    static void holders(fake_session&, std::int64_t);
};
struct checks_nothing : fake {
    static void check();
};
template <class... Bs>
constexpr bool no_backends = (!backend<Bs> && ...);
static_assert(no_backends<release_may_throw, release_says_nothing, sever_may_throw, still_held_may_throw, try_acquire_says_bool,
                          acquire_until_cannot_be_stopped, nobody_holds, checks_nothing>);

struct waits_for_nothing {
    [[nodiscard]] deadline limit() const { return deadline::never(); }
};
struct has_no_limit : block {
    void limit() const;
};
struct cannot_be_copied : block {
    cannot_be_copied(const cannot_be_copied&) = delete;
};
static_assert(wait_policy_for<block, fake> && wait_policy_for<poll, fake> && wait_policy_for<poll, fake_in_transaction>);
static_assert(!wait_policy_for<waits_for_nothing, fake> && !wait_policy_for<has_no_limit, fake> && !wait_policy_for<cannot_be_copied, fake>);

}  // namespace
}  // namespace dlock::testing
