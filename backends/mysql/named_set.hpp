// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Several named locks as one: all or none, in one statement.
//
// Each of the keys is the lock that `named` takes. They are locked in the order of the set, by the server; what it had locked
// when it could not go on is given back by the next statement, which proves that nothing is left.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <dlock/backend.hpp>
#include <dlock/deadline.hpp>
#include <dlock/key_set.hpp>
#include <dlock/mysql/backend.hpp>
#include <dlock/soci/fwd.hpp>

namespace dlock::mysql {

struct named_set {
    using session_type = soci::session;
    using key_type = key_set<std::string>;
    using grant_type = grant;
    static constexpr bool has_shared = false;

    /// \throws lock_error  bad_key: no keys, or one of them as named::check(); lost, unsupported as that
    static void check(session_type& session, const key_type& keys);
    [[nodiscard]] static std::optional<grant_type> try_acquire(session_type& session, const key_type& keys, mode m);
    [[nodiscard]] static std::optional<grant_type> acquire_until(session_type& session, const key_type& keys, mode m, deadline until,
                                                                 const std::stop_token& stop);
    [[nodiscard]] static bool still_held(session_type& session, const key_type& keys, mode m, const grant_type& granted) noexcept;
    [[nodiscard]] static std::stop_token lost(session_type& session, const key_type& keys, mode m, const grant_type& granted);
    [[nodiscard]] static released release(session_type& session, const key_type& keys, mode m, const grant_type& granted) noexcept;
    static void sever(session_type& session, const grant_type& granted) noexcept;
    /// Who holds any of the keys, each session once. Round trips: one, and one more if somebody does.
    [[nodiscard]] static std::vector<holder> holders(session_type& session, const key_type& keys);
};

static_assert(backend<named_set> && loss_signalling_backend<named_set>);

}  // namespace dlock::mysql
