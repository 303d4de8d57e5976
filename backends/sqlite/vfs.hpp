// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The way to the disk for lock databases: SQLite's own "unix", whatever the program has made the default, minus three
// questions. Each time a lock is taken SQLite asks the file system whether somebody died while writing in the file (a
// journal is left over), whether it was put in WAL mode (a log is beside it), and how large it is. Nobody writes in a lock
// database, WAL shows in its header too, and its size is that of the day it was made. The time goes into asking, twice
// per lock, whether the locked file still has its name: lock_file.
//
// And one answer of "unix" is another: a file system without locks (ENOLCK: NFS without a lock daemon, a kernel without
// memory for one) is an error, and not a lock that somebody else has.
//
// And it has no WAL mode, in which writers do not exclude readers, whatever the program sets for all connections.
//
// And no way makes the file of a key or fence.db: see draft.hpp.
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <cstddef>

namespace dlock::sqlite {

/// Its name, for SOCI's `vfs=`; empty where SQLite has no "unix".
[[nodiscard]] const char* lock_vfs();

/// That for fence.db: "unix", which makes no file. Empty where SQLite has no "unix".
[[nodiscard]] const char* fence_vfs();

/// How long a path may be that SQLite opens as a database, in bytes.
[[nodiscard]] std::size_t longest_path();

/// That for a file which nobody else knows, and nobody locks.
[[nodiscard]] const char* draft_vfs();

}  // namespace dlock::sqlite
