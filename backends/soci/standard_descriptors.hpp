// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The descriptors 0, 1 and 2, which a program may have closed, and goes on writing to. For .cpp files.
//
// A connection of a server that has one of these numbers gets what the program prints. SQLite never keeps a database on one of them: where open(2) gives it one it closes it again and opens another, and that
// close drops all POSIX locks that this process has on the file, in whichever session; nothing notices.
// https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_
// https://www.sqlite.org/compile.html#minimum_file_descriptor
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <fcntl.h>
#include <unistd.h>

namespace dlock::soci_support {

/// Opens /dev/null, for children of this process as well, on those of the three that are closed. To be called before each
/// open(2) of SQLite's, and each connection of dlock's own. False: it cannot be opened, and SQLite must open nothing; errno tells. Any thread.
[[nodiscard]] inline bool fill_standard_descriptors() noexcept {
    for (int wanted = STDIN_FILENO; wanted <= STDERR_FILENO; ++wanted) {
        while (::fcntl(wanted, F_GETFD) < 0) {
            const int given = ::open("/dev/null", O_RDWR);  // the lowest that is free: `wanted`, but for other threads
            if (given < 0) return false;
            if (given > STDERR_FILENO) ::close(given);
        }
    }
    return true;
}

}  // namespace dlock::soci_support
