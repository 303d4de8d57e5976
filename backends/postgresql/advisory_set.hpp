// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Several session-level advisory locks as one: all or none, in one statement.
//
// Each of the keys is the lock that `advisory` takes. They are locked in the order of the set, by the server, and what it had
// locked when it could not go on is given back: by the statement itself when it was a try, and else by a second one, which
// proves that nothing is left.
#pragma once

#include <optional>
#include <stop_token>
#include <vector>

#include <dlock/backend.hpp>
#include <dlock/deadline.hpp>
#include <dlock/key_set.hpp>
#include <dlock/postgresql/backend.hpp>
#include <dlock/postgresql/key.hpp>
#include <dlock/soci/fwd.hpp>

namespace dlock::postgresql {

struct advisory_set {
    using session_type = soci::session;
    using key_type = key_set<postgresql::key>;
    using grant_type = grant;
    static constexpr bool has_shared = true;

    /// \throws lock_error  bad_key: no keys, or keys of both key spaces
    static void check(session_type& session, const key_type& keys);
    [[nodiscard]] static std::optional<grant_type> try_acquire(session_type& session, const key_type& keys, mode m);
    [[nodiscard]] static std::optional<grant_type> acquire_until(session_type& session, const key_type& keys, mode m, deadline until,
                                                                 const std::stop_token& stop);
    [[nodiscard]] static bool still_held(session_type& session, const key_type& keys, mode m, const grant_type& granted) noexcept;
    [[nodiscard]] static std::stop_token lost(session_type& session, const key_type& keys, mode m, const grant_type& granted);
    [[nodiscard]] static released release(session_type& session, const key_type& keys, mode m, const grant_type& granted) noexcept;
    static void sever(session_type& session, const grant_type& granted) noexcept;
    /// Who holds any of the keys, each session once.
    [[nodiscard]] static std::vector<holder> holders(session_type& session, const key_type& keys);
};

static_assert(backend<advisory_set> && shared_backend<advisory_set> && loss_signalling_backend<advisory_set>);

}  // namespace dlock::postgresql
