// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A session of a soci::connection_pool that never goes back with a lock on it.
//
//     dlock::pooled_session db{pool};
//     dlock::postgresql::lock lock{db, "user/001"};
//
// A plain `soci::session db{pool}` works as well, as long as its locks are destroyed before it. This one also covers what
// goes wrong: a lock object that outlives its session, a transaction that was never ended. SOCI's give_back() resets
// nothing, so the next user of the connection would own them.
//
// Threads: as a soci::session, one at a time; the pool itself may be used by many.
#pragma once

#include <cstddef>
#include <string_view>

#include <dlock/deadline.hpp>
#include <dlock/detail/chrono.hpp>
#include <dlock/detail/process.hpp>
#include <dlock/soci/fwd.hpp>

namespace dlock {

class pooled_session {
public:
    /// Waits until a session of the pool is free.
    /// \pre `pool` outlives this object.
    explicit pooled_session(soci::connection_pool& pool) : pooled_session{pool, deadline::never()} {}

    /// \throws lock_error  timed_out: none became free in time
    template <class Rep, class Period>
    pooled_session(soci::connection_pool& pool, std::chrono::duration<Rep, Period> limit)
        : pooled_session{pool, deadline::after(limit)} {}

    pooled_session(soci::connection_pool& pool, deadline until);

    /// Rolls an open transaction back, releases what dlock still holds, and gives the session back. A session that does not
    /// answer is closed and connected anew. No round trip when there is nothing to clean. Does nothing in a forked child.
    ~pooled_session();

    pooled_session(const pooled_session&) = delete;
    pooled_session& operator=(const pooled_session&) = delete;

    [[nodiscard]] soci::session& session() noexcept { return *session_; }
    operator soci::session&() noexcept { return *session_; }

private:
    detail::birthplace made_;
    soci::connection_pool& pool_;
    std::size_t position_;
    soci::session* session_;
};

namespace soci_support {

/// Leaves neither a transaction nor a lock on the session. False: it cannot be done, the session has been severed.
using scrubber = bool (*)(soci::session&) noexcept;

/// Called by each backend once, before main(): how sessions with this SOCI backend name are scrubbed.
bool scrub_with(std::string_view backend, scrubber scrub);

}  // namespace soci_support
}  // namespace dlock
