// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// One connection to one lock database, which holds its lock once or not at all. Internal to this backend.
//
// The file is never unlinked and never opened otherwise. One thread at a time; not in a forked child.
#pragma once

#include <filesystem>
#include <stop_token>

#include <dlock/backend.hpp>
#include <dlock/deadline.hpp>
#include <dlock/sqlite/database.hpp>
#include <dlock/sqlite/home.hpp>
#include <dlock/sqlite/key.hpp>
#include <dlock/sqlite/queue.hpp>

namespace dlock::sqlite {

class lock_file {
public:
    /// Opens the database, and creates it when it is not there.
    /// \param beside  the database that the lock belongs to, which outlives this; null: none
    /// \throws lock_error  server_error, exhausted: the message names the file and the reason
    lock_file(const std::filesystem::path& file, const key& k, const home* beside);

    /// Closes the connection; what it holds is free.
    ~lock_file() = default;
    lock_file(const lock_file&) = delete;
    lock_file& operator=(const lock_file&) = delete;

    /// Whether the lock was granted at once. Otherwise, and when it throws: see unlocked().
    /// \throws lock_error  unsupported in WAL mode; server_error, exhausted
    [[nodiscard]] bool try_acquire(mode m);

    /// The same for the first in line, at the latest when `until` has passed, a stop is requested or the file has lost its
    /// name.
    [[nodiscard]] bool acquire(mode m, queue::place& in_line, deadline until, const std::stop_token& stop);

    /// Whether a writer waits for readers to leave, or holds the lock, as far as the kernel and this process tell. Who
    /// reads in a process that reads already must ask: SQLite counts it without asking the kernel.
    [[nodiscard]] bool writer_is_there() const noexcept;

    void release() noexcept;

    /// Proof that this connection holds nothing: no transaction, and no lock on the file. One that cannot give it must be closed.
    [[nodiscard]] bool unlocked() const noexcept;

    /// Whether the path still names the file that is open here, and the database beside which it is its own. A lock on any other
    /// file excludes nobody.
    [[nodiscard]] bool in_place() const noexcept { return database_.in_place() && (home_ == nullptr || home_->in_place()); }

private:
    /// One wait; SQLite asks it what to do each time it finds the file locked.
    struct wait {
        queue::place& in_line;
        deadline until;
        const std::stop_token& stop;
    };

    static int on_busy(void* self, int) noexcept;
    bool nap(const wait& w) noexcept;
    bool begin(mode m, const wait* w);
    [[nodiscard]] int state() const noexcept;
    [[nodiscard]] bool in_wal_mode() const noexcept;
    void require_grip(mode m) const;

    const home* home_;
    database database_;
    statement begin_exclusive_, begin_shared_, read_, release_;
    const wait* wait_ = nullptr;
};

}  // namespace dlock::sqlite
