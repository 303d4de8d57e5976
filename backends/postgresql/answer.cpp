// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/postgresql/answer.hpp>

#include <array>
#include <chrono>
#include <exception>
#include <future>
#include <memory>
#include <utility>

#include <poll.h>
#include <sys/socket.h>

#include <dlock/detail/background_thread.hpp>
#include <dlock/soci/stop_event.hpp>

namespace dlock::postgresql {
namespace {

/// Requests to cancel what a connection is doing, one after the other. Each connects anew, which may take minutes where the
/// network drops it, and libpq knows no limit for it: so a thread of its own sends it, and nobody waits for that one for long.
/// https://www.postgresql.org/docs/current/libpq-cancel.html
class cancelling {
public:
    explicit cancelling(PGconn* connection) noexcept : connection_{connection} {}

    /// One that is still on its way would hit whatever the connection does next: then there is no next.
    ~cancelling() {
        constexpr std::chrono::seconds patience{1};
        if (!sent_.valid() || sent_.wait_for(patience) == std::future_status::ready) return;
        ::shutdown(PQsocket(connection_), SHUT_RDWR);
    }
    cancelling(const cancelling&) = delete;
    cancelling& operator=(const cancelling&) = delete;

    /// Unless one is on its way, or there is no memory for it now.
    void request() noexcept {
        if (sent_.valid() && sent_.wait_for(std::chrono::seconds{0}) != std::future_status::ready) return;
        try {
            send();
        } catch (const std::exception&) {
            sent_ = {};
        }
    }

private:
    struct free_cancel {
        void operator()(PGcancel* c) const noexcept { PQfreeCancel(c); }
    };
    using handle = std::unique_ptr<PGcancel, free_cancel>;

    void send() {
        std::promise<void> done;
        sent_ = done.get_future();
        auto send = [done = std::move(done), what = handle{PQgetCancel(connection_)}](const std::stop_token&) mutable {
            std::array<char, 256> why{};
            if (what) (void)PQcancel(what.get(), why.data(), static_cast<int>(why.size()));
            done.set_value();
        };
        detail::background_thread{"dlock-cancel", std::move(send)}.detach();
    }

    PGconn* connection_;
    std::future<void> sent_;
};

/// Returns when PQgetResult() would not block, or the connection has ended.
void wait_or_cancel(PGconn* connection, const soci_support::stop_event& stop, cancelling& cancel) {
    constexpr std::chrono::milliseconds again{20};
    while (PQisBusy(connection) != 0) {
        bool readable = false;
        if (stop.requested()) {
            cancel.request();
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
    cancelling cancel{connection};
    return read_answer(connection, [&] {
        while (PQflush(connection) > 0) {  // a statement is a few hundred bytes: it never waits here in practice
            pollfd socket{PQsocket(connection), POLLOUT, 0};
            (void)::poll(&socket, 1, -1);
        }
        wait_or_cancel(connection, request, cancel);
    });
}

std::vector<holder> holders_of(const result& rows) {
    std::vector<holder> found;
    found.reserve(static_cast<std::size_t>(rows.rows()));
    for (int row = 0; row < rows.rows(); ++row) found.push_back({rows.text(row, 0), rows.text(row, 1)});
    return found;
}

}  // namespace dlock::postgresql
