// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Who competes with dlock on each kind of server: the raw driver, and plain SOCI statements. dlock works on SOCI's
// connection; that it need not pay for SOCI's statements is part of what is measured.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "bench/contest.hpp"

namespace dlock::bench {

/// How a lock is asked for. With a limit: of an hour, so that a free lock is granted in any case.
enum class how { lock, try_lock, try_lock_for };

/// A contender whose turns are cycles of one lock.
struct locker {
    std::string name, id;
    rival_maker make;

    operator contender() const { return {name, id, make}; }  // NOLINT: that is what it is
};

/// How the clients of one server lock. A rival has a connection of its own unless said otherwise, and all want one key.
class server_rivals {
public:
    server_rivals() = default;
    virtual ~server_rivals() = default;
    server_rivals(const server_rivals&) = delete;
    server_rivals& operator=(const server_rivals&) = delete;

    [[nodiscard]] virtual std::string id() const = 0;     ///< "postgresql"
    [[nodiscard]] virtual std::string where() const = 0;  ///< "PostgreSQL 15.8"
    [[nodiscard]] virtual std::string url() const = 0;    ///< as SOCI takes it

    // The others.

    /// A statement that locks nothing, once in acquire() and once in release(): the floor.
    [[nodiscard]] virtual locker round_trip() const = 0;

    /// The driver, with statements written by hand and nothing around them: two round trips. The yardstick.
    /// \param others  how many other locks the session holds meanwhile
    [[nodiscard]] virtual locker raw(how way, std::size_t others = 0) const = 0;

    /// As the documentation of SOCI has it: prepared once, executed often.
    [[nodiscard]] virtual locker soci_prepared(how way) const = 0;

    /// As most programs do: written out where it is needed.
    [[nodiscard]] virtual locker soci_one_time(how way) const = 0;

    // dlock.

    [[nodiscard]] virtual rival_maker on_a_session(how way, std::size_t others = 0) const = 0;
    [[nodiscard]] virtual rival_maker through_a_manager(how way, std::size_t connections = 1, std::size_t others = 0) const = 0;

    /// Rivals that share one manager with one connection, those that live at the same time. Not made in two threads at once.
    [[nodiscard]] virtual rival_maker through_one_manager(how way) const = 0;

    /// Many names at once, and as many locks one after the other.
    [[nodiscard]] virtual rival_maker multi_lock(how way, std::size_t names) const = 0;
    [[nodiscard]] virtual rival_maker single_locks(std::size_t names) const = 0;

    /// Keys that one process holds at once, over a manager of the usual number of connections.
    enum class of_many { connections, memory, memory_when_listening, loss };

    /// Its turns end the connections that hold the keys. \pre the server is ours, and nobody else locks there
    [[nodiscard]] virtual competitor_maker many_keys(std::size_t keys, of_many what) const = 0;
};

/// \param url  as SOCI takes it
[[nodiscard]] std::unique_ptr<server_rivals> postgresql_rivals(const std::string& url);
[[nodiscard]] std::unique_ptr<server_rivals> mysql_rivals(const std::string& url);

/// The multi-statement form of a wait with a limit: `SET LOCAL lock_timeout = …; SELECT pg_advisory_lock(…)`.
[[nodiscard]] locker postgresql_set_local(const std::string& url);

namespace sqlite_rivals {

[[nodiscard]] std::string where();
[[nodiscard]] locker raw(const std::string& folder);  ///< who finds it locked waits as sqlite3_busy_timeout() does
[[nodiscard]] locker soci_prepared(const std::string& folder);
[[nodiscard]] locker soci_one_time(const std::string& folder);
[[nodiscard]] locker flock(const std::string& folder);
[[nodiscard]] rival_maker dlock(const std::string& folder, how way);

}  // namespace sqlite_rivals

namespace memory_rivals {

[[nodiscard]] locker standard_mutex();  ///< what threads of one process should use
/// All that it makes share one mutex, which serves in the order of arrival: what that costs on this machine, whoever does it.
[[nodiscard]] locker one_fair_mutex();
[[nodiscard]] rival_maker dlock();

}  // namespace memory_rivals

}  // namespace dlock::bench
