// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Several names at once, all or none, on a memory::server. docs/memory.md
//
//     dlock::memory::multi_lock both{db, {"account/1", "account/2"}};
//     std::scoped_lock held{both};
#pragma once

#include <dlock/keys/each.hpp>
#include <dlock/keys/verbatim_key.hpp>
#include <dlock/lock.hpp>
#include <dlock/memory/backend.hpp>
#include <dlock/one_by_one.hpp>

namespace dlock::memory {

/// Names as those of memory::lock, with which it shares them.
using multi_lock = basic_lock<one_by_one<lock_table>, each<verbatim_key<1024>>>;

static_assert(backend<one_by_one<lock_table>> && shared_backend<one_by_one<lock_table>> && loss_signalling_backend<one_by_one<lock_table>>);

}  // namespace dlock::memory
