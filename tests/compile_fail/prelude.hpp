// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What every case sees: all of dlock that needs no client library, and the smallest backends there can be.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string_view>
#include <vector>

#include <dlock/any_lock.hpp>
#include <dlock/keys/each.hpp>
#include <dlock/keys/hashed_key.hpp>
#include <dlock/keys/hashed_name.hpp>
#include <dlock/keys/in_namespace.hpp>
#include <dlock/keys/integer_key.hpp>
#include <dlock/keys/integer_pair_key.hpp>
#include <dlock/keys/verbatim_key.hpp>
#include <dlock/lock.hpp>
#include <dlock/one_by_one.hpp>
#include <dlock/postgresql.hpp>
#include <dlock/registry.hpp>
#include <dlock/transaction_lock.hpp>

struct session {};
inline session db;

/// Locks until the end of the transaction.
struct transactional {
    using session_type = session;
    using key_type = std::int64_t;
    using grant_type = int;
    static constexpr bool has_shared = false;
    static void check(session&, key_type);
    static std::optional<int> try_acquire(session&, key_type, dlock::mode);
    static std::optional<int> acquire_until(session&, key_type, dlock::mode, dlock::deadline, std::stop_token);
    static bool still_held(session&, key_type, dlock::mode, int) noexcept;
    static std::vector<dlock::holder> holders(session&, key_type);
};

/// Locks until it releases.
struct exclusive : transactional {
    static dlock::released release(session&, key_type, dlock::mode, int) noexcept;
    static void sever(session&, int) noexcept;
};

/// The same with readers.
struct shared : exclusive {
    static constexpr bool has_shared = true;
};
