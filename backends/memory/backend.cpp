// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/memory/backend.hpp>

#include <chrono>

namespace dlock::memory {

std::optional<grant> lock_table::try_acquire(session& s, const key& k, mode m) {
    return acquire_until(s, k, m, deadline::after(std::chrono::nanoseconds::zero()), {});
}

std::optional<grant> lock_table::acquire_until(session& s, const key& k, mode m, deadline until, const std::stop_token& stop) {
    return s.server_.acquire(s.id_, k, m, until, stop);
}

bool lock_table::still_held(session& s, const key&, mode, const grant& g) noexcept { return s.id_ == g.session; }

released lock_table::release(session& s, const key& k, mode, const grant& g) noexcept {
    const bool was_held = s.server_.release(g.session, k);
    if (was_held) s.forget(g);
    return was_held ? released::yes : released::lost;
}

std::stop_token lock_table::lost(session& s, const key&, mode, const grant& g) { return s.lost(g); }

void lock_table::sever(session& s, const grant& g) noexcept {
    if (s.id_ == g.session) s.close();
}

std::vector<holder> lock_table::holders(session& s, const key& k) { return s.server_.holders(s.id_, k); }

}  // namespace dlock::memory
