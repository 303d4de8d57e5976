// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// One legal combination of backend, key policy, wait policy, mode and way of owning the connection, as the suite sees it.
// The suite is compiled once; matrix.hpp makes a world of every combination.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <ostream>
#include <stop_token>
#include <string>
#include <system_error>
#include <vector>

#include <dlock/backend.hpp>

namespace dlock::testing {

/// A lock under test. A model of TimedLockable: whichever members the mode of the world calls for.
class subject {
public:
    virtual ~subject() = default;
    virtual void lock(std::stop_token stop) = 0;
    virtual bool try_lock() = 0;
    virtual bool try_lock_for(std::chrono::duration<double> wait, std::stop_token stop) = 0;
    virtual bool try_lock_until(std::chrono::system_clock::time_point when) = 0;
    virtual void unlock() noexcept = 0;
    virtual void unlock(std::error_code& ec) noexcept = 0;
    [[nodiscard]] virtual bool owns_lock() const noexcept = 0;
    [[nodiscard]] virtual std::vector<holder> holders() const = 0;

    void lock() { lock(std::stop_token{}); }
    template <class Rep, class Period>
    bool try_lock_for(std::chrono::duration<Rep, Period> wait) {
        return try_lock_for(std::chrono::duration<double>{wait}, {});
    }
};

/// A session, and the locks made on it.
class party {
public:
    using limit = std::optional<std::chrono::duration<double>>;

    virtual ~party() = default;
    /// A lock with the world's policies and mode, on name number `name`.
    virtual std::unique_ptr<subject> lock(int name = 0, limit at_most = {}) = 0;
    /// The same, always exclusive.
    virtual std::unique_ptr<subject> writer(int name = 0) = 0;
};

class world {
public:
    explicit world(std::string name, bool shared) : name_{std::move(name)}, shared_{shared} {}
    virtual ~world() = default;

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    /// The locks of this world are readers'.
    [[nodiscard]] bool shared() const noexcept { return shared_; }

    /// A session that nobody else has.
    virtual std::unique_ptr<party> join() = 0;
    /// The session owns its locks, as the server says; otherwise each lock object does, as a lock_manager says.
    [[nodiscard]] virtual bool session_owns() const = 0;
    /// How many sessions wait in the server's queue, as the server says; nullopt where waiting leaves no trace there.
    virtual std::optional<int> waiters() = 0;
    /// How many locks the server says are held, by anybody; it may count readers of the same key as one.
    virtual int held() = 0;

private:
    std::string name_;
    bool shared_;
};

using world_ptr = std::shared_ptr<world>;

inline void PrintTo(const world_ptr& w, std::ostream* out) { *out << w->name(); }

}  // namespace dlock::testing
