// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/postgresql/answer.hpp>

#include <array>
#include <chrono>
#include <memory>
#include <utility>

#include <poll.h>

#include <dlock/soci/stop_event.hpp>

namespace dlock::postgresql {
namespace {

void send_cancel_request(PGconn* connection) {
    struct free_cancel {
        void operator()(PGcancel* c) const noexcept { PQfreeCancel(c); }
    };
    std::array<char, 256> why{};
    const std::unique_ptr<PGcancel, free_cancel> request{PQgetCancel(connection)};
    if (request) (void)PQcancel(request.get(), why.data(), static_cast<int>(why.size()));
}

/// Returns when PQgetResult() would not block, or the connection has ended.
void wait_or_cancel(PGconn* connection, const soci_support::stop_event& stop) {
    constexpr std::chrono::milliseconds again{20};
    while (PQisBusy(connection) != 0) {
        bool readable = false;
        if (stop.requested()) {
            send_cancel_request(connection);
            readable = stop.wait_for(PQsocket(connection), again);
        } else {
            readable = stop.wait_for(PQsocket(connection));
        }
        if (readable && PQconsumeInput(connection) == 0) return;
    }
}

/// \param before_each  waits until the next result can be read without blocking
template <class Wait>
result read_answer(PGconn* connection, const Wait& before_each) {
    result best;
    for (bool failed = false;;) {
        before_each();
        result next{PQgetResult(connection)};
        if (!next) return best;
        if (failed) continue;
        failed = !next.ok();
        if (!best || failed || next.columns() > 0 || best.columns() == 0) best = std::move(next);
    }
}

}  // namespace

result await_answer(PGconn* connection, const std::stop_token& stop) {
    if (!stop.stop_possible()) return read_answer(connection, [] {});
    const soci_support::stop_event request{stop};
    return read_answer(connection, [&] {
        while (PQflush(connection) > 0) {  // a statement is a few hundred bytes: it never waits here in practice
            pollfd socket{PQsocket(connection), POLLOUT, 0};
            (void)::poll(&socket, 1, -1);
        }
        wait_or_cancel(connection, request);
    });
}

std::vector<holder> holders_of(const result& rows) {
    std::vector<holder> found;
    found.reserve(static_cast<std::size_t>(rows.rows()));
    for (int row = 0; row < rows.rows(); ++row) found.push_back({rows.text(row, 0), rows.text(row, 1)});
    return found;
}

}  // namespace dlock::postgresql
