// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/soci/pooled_session.hpp>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <soci/soci.h>

#include <dlock/error.hpp>

namespace dlock {
namespace {

std::vector<std::pair<std::string, soci_support::scrubber>>& scrubbers() {
    static std::vector<std::pair<std::string, soci_support::scrubber>> all;
    return all;
}

bool scrub(soci::session& session) noexcept {
    auto* const native = session.get_backend();
    if (native == nullptr) return true;
    for (const auto& [backend, scrub_session] : scrubbers()) {
        if (backend == native->get_backend_name()) return scrub_session(session);
    }
    return true;
}

std::size_t lease(soci::connection_pool& pool, deadline until) {
    if (until.is_never()) return pool.lease();
    using std::chrono::milliseconds;
    constexpr milliseconds longest{std::numeric_limits<int>::max()};
    for (std::size_t position = 0;;) {
        if (pool.try_lease(position, static_cast<int>(std::min(longest, until.remaining<milliseconds>()).count()))) return position;
        if (until.expired()) throw lock_error{errc::timed_out, "dlock: no session of the connection pool became free in time"};
    }
}

}  // namespace

bool soci_support::scrub_with(std::string_view backend, scrubber scrub) {
    scrubbers().emplace_back(backend, scrub);
    return true;
}

pooled_session::pooled_session(soci::connection_pool& pool, deadline until)
    : pool_{pool}, position_{lease(pool, until)}, session_{&pool.at(position_)} {}

pooled_session::~pooled_session() {
    if (!made_.is_here()) return;  // the connection is the parent's, and the pool's mutex may be locked for ever
    if (!scrub(*session_)) {
        try {
            session_->reconnect();
        } catch (const std::exception&) {
            // the server is out of reach; the next user of the session is told so by its first statement
        }
    }
    pool_.give_back(position_);
}

}  // namespace dlock
