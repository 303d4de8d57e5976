// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Locks for the threads of one process, over a few connections that dlock owns.
//
//     dlock::postgresql::lock_manager locks{"postgresql://dbname=app"};
//
//     dlock::postgresql::managed_lock lock{locks, "user/001"};  // in any thread, any number of them
//     std::scoped_lock held{lock};
//
// When to use: when many threads lock, or one thread holds many locks. A basic_lock on a session of yours costs two round
// trips a cycle and a connection per thread. Here
//
//  - threads of this process that want the same key queue in memory, first come, first served, and only one of them asks the
//    server. A lock that goes from one to the next sends nothing, for a bounded number of times and a bounded time; then it
//    goes through the server's queue, so that other processes get their turn (lock_manager_options);
//  - what is held shares connections. Who waits in the server's queue has a connection to itself meanwhile, on which nothing
//    is held, so that no wait delays another wait or a release. While no connection can be spared, who waits looks again and
//    again instead, after 1 to 20 ms;
//  - unlock() sends and does not await the answer, which is checked when it comes: one that is not "released" ends the connection.
//
// A lock object is an owner: make one per thread, as you would make a std::unique_lock. Two objects exclude each other also in
// one thread, which then waits for itself.
//
// Deadlocks are not found: a wait has another connection than what its process holds, so no server sees the circle. Lock in one
// order, or give lock() a limit.
//
// Loss: a connection that ends takes its locks with it, and all of them are told (lost(), state()). New locks connect anew:
// try_lock() tries once; who may wait tries again with pauses of 25 ms to 2 s, for reconnect_for at most, then throws
// not_connected. What time does not cure (a wrong password, no such database) is thrown at once.
//
// Threads: any thread may call any member of the manager, and of different lock objects at once. A forked child makes one of its
// own: there the inherited one holds nothing and says nothing, its locks are lost, and its destructor leaves it to the parent.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <dlock/backend.hpp>
#include <dlock/deadline.hpp>
#include <dlock/detail/lock_manager_state.hpp>
#include <dlock/detail/process.hpp>
#include <dlock/error.hpp>
#include <dlock/lock.hpp>
#include <dlock/lock_manager_options.hpp>
#include <dlock/pipeline.hpp>

namespace dlock {

template <pipelining_backend Backend>
class lock_manager {
    using state = detail::lock_manager_state<Backend>;

public:
    using key_type = typename Backend::key_type;
    using grant_type = detail::managed_grant;
    using connector = typename state::connector;

    /// Connects. The first of a process with this text also proves that the server's locks exclude anybody: it opens a second
    /// connection and closes it again, for five round trips (dlock/verify_exclusion.hpp). Where there is no second connection, or one of the
    /// two breaks, nothing is proven and the next one tries again.
    /// \throws lock_error  not_connected; unsupported: a server or pooler whose locks would exclude nobody; lost
    /// \throws std::invalid_argument  no connections, a negative time
    explicit lock_manager(const std::string& connection, lock_manager_options options = {})
        : state_{[text = connection] { return Backend::connect(text); }, options, &connection} {}

    /// As above, and proves each time, since nobody knows where `connect` leads; but not with one connection, which is then the most.
    /// \param connect  makes a session that nobody else uses, in any thread; what it throws goes through
    /// \throws std::invalid_argument  `connect` gives no session
    explicit lock_manager(connector connect, lock_manager_options options = {}) : state_{std::move(connect), options, nullptr} {}

    /// As close(). \pre no thread is in a member, and no lock object that has a grant lives on
    ~lock_manager() = default;
    lock_manager(const lock_manager&) = delete;
    lock_manager& operator=(const lock_manager&) = delete;

    /// Releases everything: what is held is lost, who waits gets errc::cancelled, and so does who locks from now on. Returns
    /// when the connections are closed. What is on its way to a server that does not answer is given up after the grace; a connection
    /// that is just being opened, when the driver gives it up (connect_timeout in the connection string).
    void close() noexcept { (void)close(std::chrono::milliseconds::zero()); }

    /// As close(), but first waits, `longest` at most, until what is held has been given back. False: something was not. What is
    /// on its way to the server or opens a connection then is still waited for. Another thread that closes cuts it short.
    /// \throws std::invalid_argument  not a number
    template <class Rep, class Period>
    bool close(std::chrono::duration<Rep, Period> longest) {
        const auto until = deadline::after(longest);
        return !state_.is_here() || state_->shut(until);
    }

    /// How many connections are open.
    [[nodiscard]] std::size_t connections() const { return state_.is_here() ? state_->connections() : 0; }

    /// How many locks the server has granted to this process and not got back. One that several threads share counts once.
    [[nodiscard]] std::size_t held() const { return state_.is_here() ? state_->held() : 0; }

    /// How many threads wait for another thread of this process, or for the one among them that asks the server.
    [[nodiscard]] std::size_t waiters() const { return state_.is_here() ? state_->waiters() : 0; }

private:
    template <pipelining_backend>
    friend struct managed;

    state& here() const {
        if (state_.is_here()) return *state_;
        throw lock_error{errc::lost, "dlock: this lock_manager belongs to the process that has forked this one: make one after the fork"};
    }

    detail::own_process<state> state_;
};

/// The backend of the locks that a lock_manager gives: its session_type is the manager. unlock() says "released" when the
/// release was sent, or the lock went to another thread here.
template <pipelining_backend Backend>
struct managed {
    using session_type = lock_manager<Backend>;
    using key_type = typename Backend::key_type;
    using grant_type = detail::managed_grant;
    static constexpr bool has_shared = Backend::has_shared;

    static void check(session_type& manager, const key_type& k) { manager.here().check(k); }
    [[nodiscard]] static std::optional<grant_type> try_acquire(session_type& manager, const key_type& k, mode m) {
        return manager.here().acquire(k, m, std::nullopt, {});
    }
    [[nodiscard]] static std::optional<grant_type> acquire_until(session_type& manager, const key_type& k, mode m, deadline until,
                                                                 const std::stop_token& stop) {
        return manager.here().acquire(k, m, until, stop);
    }
    [[nodiscard]] static bool still_held(session_type& manager, const key_type& k, mode, const grant_type& g) noexcept {
        return manager.state_.is_here() && manager.state_->holds(k, g);
    }
    [[nodiscard]] static std::stop_token lost(session_type& manager, const key_type& k, mode, const grant_type& g) {
        return manager.here().lost(k, g);
    }
    [[nodiscard]] static released release(session_type& manager, const key_type& k, mode, const grant_type& g) noexcept {
        return manager.state_.is_here() ? manager.state_->release(k, g) : released::lost;
    }
    static void sever(session_type& manager, const grant_type& g) noexcept {
        if (manager.state_.is_here()) manager.state_->sever(g);
    }
    [[nodiscard]] static std::vector<holder> holders(session_type& manager, const key_type& k) { return manager.here().holders(k); }
};

}  // namespace dlock
