// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Locks of SQLite, exclusive and shared: a transaction that is kept open on a database of its own.
//
// SQLite has no queue and no deadlock detection. In a process the waiters stand in line (queue.hpp); between processes who
// comes at the right moment is next, and a process whose turn has lasted lets others in. A writer that waits for readers to
// leave lets no new ones in.
#pragma once

#include <optional>
#include <stop_token>
#include <vector>

#include <dlock/backend.hpp>
#include <dlock/deadline.hpp>
#include <dlock/fencing_token.hpp>
#include <dlock/sqlite/key.hpp>
#include <dlock/sqlite/session.hpp>

namespace dlock::sqlite {

struct lock_database {
    using session_type = session;
    using key_type = key;
    using grant_type = grant;
    static constexpr bool has_shared = true;

    static void check(session&, const key&) noexcept {}  // any key has a file
    [[nodiscard]] static std::optional<grant> try_acquire(session& s, const key& k, mode m);
    [[nodiscard]] static std::optional<grant> acquire_until(session& s, const key& k, mode m, deadline until, const std::stop_token& stop);

    /// False also when the lock's file was deleted, replaced or moved: a file without its name excludes nobody.
    [[nodiscard]] static bool still_held(session& s, const key& k, mode m, const grant& g) noexcept;
    static released release(session& s, const key& k, mode m, const grant& g) noexcept;
    static void sever(session& s, const grant& g) noexcept;

    /// Processes, from /proc/locks: see holders.hpp. Empty where there is no such file.
    [[nodiscard]] static std::vector<holder> holders(session& s, const key& k);
};

/// With a fencing token: a number from fence.db in the lock directory, drawn while the lock is held, and on the disk before
/// it is given out. Costs a commit.
///
/// The numbers increase across keys, modes, holders, sessions, processes, and through a SIGKILL and a loss of power. They
/// go on increasing after fence.db was deleted, unless the clock was set back; they can repeat after a restore of an
/// older one. When no number can be had (the disk is full, the directory is read-only) the lock throws and is not held.
struct fenced_lock_database : lock_database {
    [[nodiscard]] static std::optional<grant> try_acquire(session& s, const key& k, mode m);
    [[nodiscard]] static std::optional<grant> acquire_until(session& s, const key& k, mode m, deadline until, const std::stop_token& stop);
    [[nodiscard]] static fencing_token token(const grant& g) noexcept { return g.token; }

private:
    static std::optional<grant> numbered(session& s, const key& k, mode m, std::optional<grant> taken,
                                         const std::stop_token& stop);
};

static_assert(backend<lock_database> && shared_backend<lock_database>);
static_assert(shared_backend<fenced_lock_database> && fencing_backend<fenced_lock_database>);

}  // namespace dlock::sqlite
