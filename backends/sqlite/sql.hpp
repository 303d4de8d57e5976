// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Every statement this backend runs. A lock is a transaction that is kept open on a database of its own: SQLite locks the
// whole file, and nothing is ever written in it after its creation; fencing tokens come from another file. https://www.sqlite.org/lockingv3.html
//
// Tables are `main`'s: a temporary one of the same name, made by an extension of the program's, would come first.
#pragma once

#include <dlock/detail/cxx20.hpp>

namespace dlock::sqlite::sql {

/// Of a connection that somebody else has had before: see make_ours(). A connection that keeps its locks after a transaction
/// is none to lock with. https://www.sqlite.org/pragma.html#pragma_locking_mode
inline constexpr const char* ours = "PRAGMA locking_mode = NORMAL; PRAGMA query_only = OFF";

/// An EXCLUSIVE lock at once. While it waits for readers to leave it keeps a PENDING lock, which lets no new ones in; only
/// a process that reads already counts further readers without asking the kernel, so there lock_file asks before.
/// https://www.sqlite.org/lang_transaction.html#deferred_immediate_and_exclusive_transactions
inline constexpr const char* begin_exclusive = "BEGIN EXCLUSIVE";

/// A deferred transaction takes its SHARED lock with its first read; this one reads a field of the file's header.
inline constexpr const char* begin_shared = "BEGIN";
inline constexpr const char* read = "PRAGMA main.user_version";

inline constexpr const char* release = "ROLLBACK";

/// In WAL mode writers do not exclude readers. https://www.sqlite.org/wal.html
inline constexpr const char* journal_mode = "PRAGMA main.journal_mode";

/// A new lock database, made under another name (so it needs no journal): small, and with the name in it for who wonders
/// what the file stands for.
inline constexpr const char* create[] = {
    "PRAGMA journal_mode = OFF",
    "PRAGMA page_size = 512",
    "BEGIN",
    "CREATE TABLE main.dlock (kind TEXT NOT NULL, name TEXT NOT NULL)",
};
inline constexpr const char* insert = "INSERT INTO main.dlock VALUES (:kind, :name)";
inline constexpr const char* commit = "COMMIT";

/// The counter of fence.db. EXTRA: a number that was given out survives the loss of power, and not only the loss of the
/// process. https://www.sqlite.org/pragma.html#pragma_synchronous
inline constexpr const char* create_fence[] = {
    "PRAGMA synchronous = EXTRA",
    "CREATE TABLE IF NOT EXISTS main.fence (id INTEGER PRIMARY KEY, last INTEGER NOT NULL)",
};
/// A transaction of its own. The parameter is what a new counter begins with.
inline constexpr const char* draw =
    "INSERT INTO main.fence VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET last = last + 1 RETURNING last";

}  // namespace dlock::sqlite::sql
