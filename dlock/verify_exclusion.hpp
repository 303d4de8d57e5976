// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Whether the locks of a server exclude anybody, found out by trying.
//
//     dlock::verify_exclusion<dlock::postgresql::advisory>([] { return dlock::postgresql::open_session(url); });
//
// What speaks a server's protocol need not keep its promises: a stand-in whose clients all share one session, a pooler that does the
// same, a server whose locks are switched off. No list of such servers is complete. So two sessions want the same lock, under a name
// that nobody else has: the first gets it, the second does not, and does once the first has given it back.
//
// lock_manager and leased_lock, which own their connections, do so before they grant anything, once per process and connection
// string. A program whose sessions are its own may call this when it starts.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>

#include <dlock/backend.hpp>

namespace dlock {
namespace detail {

/// Lower-case ASCII, which every server takes.
[[nodiscard]] std::string random_name();
[[nodiscard]] std::int64_t random_number();

template <class B>
concept randomly_keyed = std::constructible_from<typename B::key_type, std::string> || std::constructible_from<typename B::key_type, std::int64_t>;

template <randomly_keyed B>
typename B::key_type random_key() {
    using key = typename B::key_type;
    if constexpr (std::constructible_from<key, std::string>) return key{random_name()};
    else return key{random_number()};
}

enum class exclusion : std::uint8_t {
    proven,
    free_lock_refused,
    granted_twice,
    kept_after_release,
};

/// \throws lock_error  unsupported, unless proven
void require(exclusion seen);

/// \throws lock_error  unsupported: a connector that gives the same session twice
[[noreturn]] void refuse_one_session();
/// \throws std::invalid_argument  a connector that gives none
[[noreturn]] void refuse_no_session();

/// The session, if there is one. \throws std::invalid_argument  there is none; also what `connect` throws
template <std::invocable Connector>
[[nodiscard]] auto opened(const Connector& connect) {
    auto session = connect();
    if (!session) refuse_no_session();
    return session;
}

/// What was proven in this process; thread-safe.
/// \param kind  tells one backend from another
[[nodiscard]] bool is_proven(const void* kind, const std::string& connection);
void set_proven(const void* kind, const std::string& connection);

template <class Backend>
inline constexpr char kind_of = 0;

/// One of the two who want the lock.
template <backend Backend>
struct contender {
    typename Backend::session_type& session;
    const typename Backend::key_type& key;
    std::optional<typename Backend::grant_type> grant{};

    bool try_acquire() {
        grant = Backend::try_acquire(session, key, mode::exclusive);
        return grant.has_value();
    }
    void release() noexcept {
        (void)Backend::release(session, key, mode::exclusive, *grant);
        grant.reset();
    }
    /// One round trip. Throws when the session has ended.
    void ask() { (void)Backend::holders(session, key); }
};

template <class Contender>
struct released_at_last {
    Contender& who;
    bool holds;
    bool take() { return holds = who.try_acquire(); }
    void give_back() noexcept {
        if (holds) who.release();
        holds = false;
    }
    ~released_at_last() { give_back(); }
};

/// Leaves nothing locked, also when a contender throws. Round trips: two of the first, three of the second. The first may have lost the
/// lock with its session meanwhile, and then nothing was seen: so it is asked before anybody is accused, and throws.
template <class First, class Second>
exclusion exclude_each_other(First first, Second second) {
    released_at_last<First> one{first, false};
    released_at_last<Second> two{second, false};
    if (!one.take()) return exclusion::free_lock_refused;
    if (two.take()) {
        first.ask();
        return exclusion::granted_twice;
    }
    one.give_back();
    if (two.take()) return exclusion::proven;
    first.ask();
    return exclusion::kept_after_release;
}

}  // namespace detail

/// Proves that two sessions exclude each other.
/// \param connect  makes a session that nobody else uses, and returns a pointer of some kind; is called twice
/// \throws lock_error  unsupported: they do not, in a sentence that says what was seen; also what `connect` and the locks throw.
/// \throws std::invalid_argument  `connect` gives no session
///                     Nothing is locked afterwards, and the two sessions are closed with their pointers
/// Round trips: five, and those of two connections and of the first lock on each.
template <backend Backend, std::invocable Connector>
    requires detail::randomly_keyed<Backend>
void verify_exclusion(Connector connect) {
    const auto one = detail::opened(connect);
    const auto two = detail::opened(connect);
    if (&*one == &*two) detail::refuse_one_session();
    const auto key = detail::random_key<Backend>();
    detail::require(detail::exclude_each_other(detail::contender<Backend>{*one, key}, detail::contender<Backend>{*two, key}));
}

}  // namespace dlock
