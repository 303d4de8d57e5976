// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Locks between the processes and threads of one machine, on SQLite: no server. docs/sqlite.md
//
//     #include <dlock/sqlite.hpp>
//
//     dlock::sqlite::session db{"/var/lib/app/locks"};  // a directory, made if need be; one session per thread
//     dlock::sqlite::lock lock{db, "user/001"};         // not locked yet
//
//     { std::scoped_lock held{lock};  /* only here */ }
//     if (std::unique_lock held{lock, 500ms})          { … }
//     if (std::unique_lock held{lock, std::try_to_lock}) { … }
//     std::shared_lock reading{lock};
//
// Guaranteed: among all sessions of the directory at most one holds a lock exclusively. A process that dies, also by
// SIGKILL, has freed its locks. owns_lock() is false once the lock's file was deleted or replaced.
//
// Not guaranteed: that whichever process waits longest is next (in one process it is first come, first served); that a deadlock is found (give lock() a limit: block{}.at_most());
// anything on a network file system, or after somebody opened and closed a lock file in a process that holds its lock.
#pragma once

#include <dlock/keys/in_namespace.hpp>
#include <dlock/keys/verbatim_key.hpp>
#include <dlock/lock.hpp>
#include <dlock/sqlite/backend.hpp>
#include <dlock/sqlite/session.hpp>

namespace dlock::sqlite {

/// Names are UTF-8 of 1 to 1024 characters without NUL, every byte of which matters. For other names, write
/// basic_lock<sqlite::lock_database, another key policy>.
using lock = basic_lock<lock_database, verbatim_key<1024>>;
using fenced_lock = basic_lock<fenced_lock_database, verbatim_key<1024>>;

}  // namespace dlock::sqlite
