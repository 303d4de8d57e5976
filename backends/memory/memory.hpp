// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Locks of this process, for unit tests without a database. docs/memory.md
//
//     #include <dlock/memory.hpp>
//
//     dlock::memory::session db;                        // of a server that this process shares
//     dlock::memory::lock lock{db, "user/001"};         // not locked yet
//
//     { std::scoped_lock held{lock};  /* only here */ }
//     db.close();                                       // as if the connection had broken: every lock on it is lost, and told so
//
// A program whose code takes its lock type as a parameter runs in a test on memory::lock as it does on postgresql::lock.
// Not a mutex: std::mutex and std::shared_mutex are what threads of one process should use.
#pragma once

#include <dlock/keys/in_namespace.hpp>
#include <dlock/keys/verbatim_key.hpp>
#include <dlock/lock.hpp>
#include <dlock/memory/backend.hpp>
#include <dlock/memory/server.hpp>
#include <dlock/memory/session.hpp>

namespace dlock::memory {

/// Names are UTF-8 of 1 to 1024 characters without NUL. To test with the names of another database, write
/// basic_lock<memory::lock_table, the key policy you use there>.
using lock = basic_lock<lock_table, verbatim_key<1024>>;
using fenced_lock = lock;  // every lock has a token() here; the name is that of the other backends

}  // namespace dlock::memory
