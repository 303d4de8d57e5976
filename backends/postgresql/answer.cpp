// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/postgresql/answer.hpp>

#include <array>
#include <cstdint>
#include <memory>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <dlock/error.hpp>

namespace dlock::postgresql {
namespace {

/// A stop request as something that poll(2) can wait for.
class stop_event {
public:
    explicit stop_event(const std::stop_token& stop) : fd_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)}, on_stop_{stop, raise{fd_}} {}
    ~stop_event() {
        if (fd_ >= 0) ::close(fd_);
    }
    stop_event(const stop_event&) = delete;
    stop_event& operator=(const stop_event&) = delete;

    [[nodiscard]] int fd() const noexcept { return fd_; }

private:
    struct raise {
        int fd;
        void operator()() const noexcept {
            const std::uint64_t one = 1;
            (void)!::write(fd, &one, sizeof one);
        }
    };

    int fd_;
    std::stop_callback<raise> on_stop_;
};

void send_cancel_request(PGconn* connection) {
    struct free_cancel {
        void operator()(PGcancel* c) const noexcept { PQfreeCancel(c); }
    };
    std::array<char, 256> why{};
    const std::unique_ptr<PGcancel, free_cancel> request{PQgetCancel(connection)};
    if (request) (void)PQcancel(request.get(), why.data(), static_cast<int>(why.size()));
}

/// Returns when PQgetResult() would not block, or the connection has ended.
void wait_or_cancel(PGconn* connection, const std::stop_token& stop) {
    constexpr int again_ms = 20;
    const stop_event event{stop};
    std::array<pollfd, 2> sources{pollfd{PQsocket(connection), POLLIN, 0}, pollfd{event.fd(), POLLIN, 0}};
    while (PQisBusy(connection) != 0) {
        const bool stopping = stop.stop_requested();
        if (stopping) send_cancel_request(connection);
        // without an eventfd (no more descriptors) the stop request is looked for now and then
        const int patience = stopping || event.fd() < 0 ? again_ms : -1;
        (void)::poll(sources.data(), stopping ? 1 : 2, patience);
        if (sources[0].revents != 0 && PQconsumeInput(connection) == 0) return;
    }
}

}  // namespace

result await_answer(PGconn* connection, const std::stop_token& stop) {
    result best;
    bool failed = false;
    for (;;) {
        if (stop.stop_possible()) {
            while (PQflush(connection) > 0) {  // a statement is a few hundred bytes: it never waits here in practice
                pollfd socket{PQsocket(connection), POLLOUT, 0};
                (void)::poll(&socket, 1, -1);
            }
            wait_or_cancel(connection, stop);
        }
        result next{PQgetResult(connection)};
        if (!next) return best;
        if (failed) continue;
        failed = !next.ok();
        if (failed || next.columns() > 0 || best.columns() == 0) best = std::move(next);
    }
}

}  // namespace dlock::postgresql
