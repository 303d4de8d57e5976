// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Locks of a memory::server, exclusive and shared, with a fencing token, which costs nothing here. Takes what any key policy gives.
#pragma once

#include <optional>
#include <stop_token>
#include <vector>

#include <dlock/backend.hpp>
#include <dlock/fencing_token.hpp>
#include <dlock/memory/session.hpp>

namespace dlock::memory {

struct lock_table {
    using session_type = session;
    using key_type = key;
    using grant_type = grant;
    static constexpr bool has_shared = true;

    static void check(session&, const key&) noexcept {}  // any key is as good as any other
    [[nodiscard]] static std::optional<grant> try_acquire(session& s, const key& k, mode m);
    [[nodiscard]] static std::optional<grant> acquire_until(session& s, const key& k, mode m, deadline until, const std::stop_token& stop);
    [[nodiscard]] static bool still_held(session& s, const key& k, mode m, const grant& g) noexcept;
    static released release(session& s, const key& k, mode m, const grant& g) noexcept;
    static void sever(session& s, const grant& g) noexcept;
    [[nodiscard]] static std::vector<holder> holders(session& s, const key& k);
    [[nodiscard]] static fencing_token token(const grant& g) noexcept { return g.token; }
    [[nodiscard]] static std::stop_token lost(session& s, const key& k, mode m, const grant& g);
};

static_assert(shared_backend<lock_table> && backend<lock_table> && fencing_backend<lock_table> && loss_signalling_backend<lock_table>);

}  // namespace dlock::memory
