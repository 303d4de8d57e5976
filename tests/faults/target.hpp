// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What can be done to a server while workers (worker.cpp) lock on it. One of them, for all histories of a test.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dlock::testing {

class target {
public:
    virtual ~target() = default;
    target(const target&) = delete;
    target& operator=(const target&) = delete;

    [[nodiscard]] virtual std::string where() const = 0;              ///< the worker's second argument
    [[nodiscard]] virtual std::vector<std::string> kinds() const = 0;  ///< the worker's first, any of them
    [[nodiscard]] virtual bool is_server() const { return true; }     ///< false: there is nothing but processes
    [[nodiscard]] virtual int keys() const { return 2; }              ///< how many a session can hold at once

    enum class victim { holder, waiter };
    /// The session of one who holds or waits now, if there is one.
    virtual std::optional<std::uint64_t> find_session(victim) { return std::nullopt; }
    /// Ends it. False: it had ended meanwhile.
    virtual bool kill_session(std::uint64_t) { return false; }
    /// Cancels what it is waiting for, as an administrator would.
    virtual bool cancel(std::uint64_t) { return false; }

    /// Takes away the files that are the locks, where they are files. False: they are not.
    virtual bool take_files_away() { return false; }

    /// Ends the server without notice; returns when it is gone.
    virtual void crash() {}
    virtual void restart() {}

    /// Whether anybody holds one of the keys, or waits.
    [[nodiscard]] virtual bool in_use() = 0;

protected:
    target() = default;
};

[[nodiscard]] std::unique_ptr<target> postgresql_target();
[[nodiscard]] std::unique_ptr<target> postgresql_tcp_target();
[[nodiscard]] std::unique_ptr<target> postgresql_managed_target();  ///< some workers with a lock_manager
[[nodiscard]] std::unique_ptr<target> pgbouncer_target();  ///< in front of a PostgreSQL, in session mode
[[nodiscard]] std::unique_ptr<target> mariadb_target();
[[nodiscard]] std::unique_ptr<target> mariadb_tcp_target();
[[nodiscard]] std::unique_ptr<target> mariadb_managed_target();
[[nodiscard]] std::unique_ptr<target> mysql56_target();
[[nodiscard]] std::unique_ptr<target> sqlite_target();

}  // namespace dlock::testing
