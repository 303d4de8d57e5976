// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A lock server inside this process: for unit tests of programs that use dlock, and for dlock's own.
//
// It behaves as a good database does. Waiters queue: first come, first served, and a reader does not overtake a writer
// that waits in front of it. A wait that could never end is refused (errc::deadlock); its session keeps what it holds.
// When a session ends, the server frees what it held. Two servers know nothing of each other.
//
// Any thread may call any member. A server outlives its sessions. A forked child has a copy, not a share, of it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include <dlock/backend.hpp>
#include <dlock/deadline.hpp>
#include <dlock/fencing_token.hpp>
#include <dlock/memory/key.hpp>

namespace dlock::memory {

class session;

/// What must be remembered of a grant.
struct grant {
    std::uint64_t session = 0;  ///< the server's id of the session it was given to
    fencing_token token{};      ///< larger than those of all grants of this server before
};

class server {
public:
    server() = default;
    server(const server&) = delete;
    server& operator=(const server&) = delete;

    /// The server of sessions that name none. It is never destroyed.
    [[nodiscard]] static server& process_wide();

    /// How many sessions wait for the key now: lets a test know that somebody is blocked without sleeping.
    [[nodiscard]] std::size_t waiting(const key& k) const;
    /// The same for all keys.
    [[nodiscard]] std::size_t waiting() const;
    /// How many grants there are now, a reader's and a writer's alike: lets a test know that it left nothing locked.
    [[nodiscard]] std::size_t held() const;

private:
    friend class session;
    friend struct lock_table;

    struct owner {
        std::uint64_t session;
        mode held;
    };
    struct waiter;

    /// One key. The queue advances strictly from the front: what its first waiter cannot have, none behind it can.
    struct slot {
        std::vector<owner> owners;
        std::deque<waiter*> queue;
    };
    using slots = std::map<key, slot>;

    /// Lives on the stack of the thread that waits.
    struct waiter {
        std::uint64_t session;
        mode wanted;
        slots::iterator at;
        enum class outcome : std::uint8_t { none, granted, closed } end = outcome::none;
        fencing_token token{};
        std::condition_variable_any woken{};
    };

    std::uint64_t open(const std::string& description);
    void describe(std::uint64_t session, const std::string& description);
    void close(std::uint64_t session);
    std::optional<grant> acquire(std::uint64_t session, const key& k, mode m, deadline until, const std::stop_token& stop);
    bool release(std::uint64_t session, const key& k);
    std::vector<holder> holders(std::uint64_t session, const key& k) const;

    fencing_token give(slot& s, std::uint64_t session, mode m);
    void require_open(std::uint64_t session) const;
    void leave(const waiter& w);
    void advance(slots::iterator at);
    bool waits_for(const waiter& w, std::uint64_t session, std::set<std::uint64_t>& seen) const;

    mutable std::mutex mutex_;
    std::uint64_t last_session_ = 0;
    std::uint64_t last_token_ = 0;
    std::map<std::uint64_t, std::string> sessions_;  ///< those that are open, and how they describe themselves
    std::map<std::uint64_t, waiter*> waiters_;       ///< by session
    slots slots_;                                    ///< the keys that somebody holds
};

}  // namespace dlock::memory
