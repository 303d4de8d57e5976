// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A number that is larger than that of every earlier holder of any key in the same place: on one server (MySQL, MariaDB), in
// one database (PostgreSQL), in one lock directory (SQLite).
//
// A lock cannot stop a holder that was paused, lost its session and runs on. The resource can: it remembers the largest
// token it has seen and refuses smaller ones. Write the guard into the statement that does the work:
//
//     UPDATE account SET balance = :new, fence = :token WHERE id = :id AND fence < :token
//
// and treat "no row" as a lost lock (<= for a holder that writes more than once): examples/fencing.cpp. A lock that is lost
// keeps its token, with which the resource refuses what is late. Each fencing backend documents where its numbers stop increasing (failover).
#pragma once

#include <compare>
#include <concepts>
#include <cstdint>

#include <dlock/backend.hpp>

namespace dlock {

struct fencing_token {
    std::uint64_t value = 0;

    friend constexpr auto operator<=>(fencing_token, fencing_token) noexcept = default;
};

/// A backend whose grants come with a token, minted after the grant: by a server in the same statement, by SQLite from a file of
/// its own while the lock is held. `B::token(grant)` gives it, noexcept.
template <class B>
concept fencing_backend = detail::acquires<B> && (requires(const typename B::grant_type& grant) {
    { B::token(grant) } noexcept -> std::same_as<fencing_token>;
} || detail::unmet<"dlock: this Backend mints no fencing tokens; use a fenced one">);

}  // namespace dlock
