// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The fencing tokens of a lock directory: a counter in a database of its own, fence.db. Internal to this backend.
//
// A number is drawn while the lock is held, and is committed and on the disk before anybody hears of it: in the lock's own
// transaction, which is never committed, it would be given out again.
//
// The file is in SQLite's rollback mode. That needs no more of the file system than the locks do, and leaves one file
// that matters; WAL is faster (a third of a millisecond instead of one and a half) and needs shared memory and two files
// more, the deletion of which would take numbers back. https://www.sqlite.org/wal.html
//
// A new file begins with the time of day, so that a directory that was emptied, as /run is by a reboot, does not begin
// below the numbers that a resource has seen already.
#pragma once

#include <filesystem>
#include <optional>
#include <stop_token>

#include <dlock/deadline.hpp>
#include <dlock/fencing_token.hpp>
#include <dlock/sqlite/database.hpp>
#include <dlock/sqlite/naps.hpp>

namespace dlock::sqlite {

class fence {
public:
    /// Opens the counter. It is made by the first draw().
    /// \throws lock_error  server_error, exhausted: the message names the file and the reason
    explicit fence(const std::filesystem::path& file);

    /// The next number, larger than all that were drawn from the file before. Waits for others to draw theirs.
    /// \throws lock_error  server_error, exhausted. This connection then must be closed; a stop request is one of the reasons
    [[nodiscard]] fencing_token draw(const std::stop_token& stop);

    /// A number that was drawn from another file than that of the path is none.
    [[nodiscard]] bool in_place() const noexcept { return database_.in_place(); }

private:
    /// One wait; SQLite asks it what to do each time it finds the file locked.
    struct wait {
        deadline until;
        std::stop_token stop;
    };

    static int on_busy(void* self, int) noexcept;
    void check(int code) const;

    database database_;
    statement draw_;
    std::optional<wait> wait_;
    naps naps_;
};

}  // namespace dlock::sqlite
