// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/postgresql/answer.hpp>

#include <array>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <poll.h>

#include <dlock/postgresql/error.hpp>
#include <dlock/soci/errand.hpp>

namespace dlock::postgresql {
namespace {

using soci_support::patience;

/// Requests to cancel what a connection is doing, one after the other. Each connects anew, which may take minutes where the
/// network drops it, and libpq knows no limit for it: so a thread of its own sends it, and nobody waits for that one for long.
/// https://www.postgresql.org/docs/current/libpq-cancel.html
class cancelling {
public:
    /// Unless one is on its way.
    void request(PGconn* connection) noexcept {
        if (errand_.runs()) return;
        try {
            errand_.start([what = std::shared_ptr<PGcancel>{PQgetCancel(connection), PQfreeCancel}] {
                std::array<char, 256> why{};
                if (!what || PQcancel(what.get(), why.data(), static_cast<int>(why.size())) != 0) return std::string{};
                std::string text{why.data()};
                while (text.ends_with('\n')) text.pop_back();
                return text;
            });
            ++sent_;
        } catch (const std::exception&) {
            // no memory for it now: the next one may find some
        }
    }
    [[nodiscard]] const soci_support::errand& errand() const noexcept { return errand_; }

    /// Whether none of them can come for the next statement. One that was sent alone has done its work when the statement has ended by
    /// a request to cancel it; a proxy may keep its connection open for a second after that.
    [[nodiscard]] bool has_arrived(const result& answer, std::chrono::milliseconds longest) const noexcept {
        return sent_ == 0 || (sent_ == 1 && answer.sqlstate() == sqlstate::query_canceled) || errand_.wait(longest);
    }

private:
    soci_support::errand errand_;
    unsigned sent_ = 0;
};

void give_up(connection& on, const patience& until, const char* awaited, const soci_support::errand& cancel) noexcept {
    try {
        std::string why = "the server did not answer " + std::string{awaited} + " " + until.text();
        if (const auto failure = cancel.failure(); !failure.empty()) why += " (the request to cancel it failed: " + failure + ")";
        on.sever((why + ": the session was ended, and with it every lock on it").c_str());
    } catch (const std::exception&) {
        on.sever("the server did not answer: the session was ended, and with it every lock on it");
    }
}

bool await_result(connection& on, patience& until, const char* awaited, cancelling& cancel) {
    PGconn* const handle = on.handle();
    for (bool again = false; PQisBusy(handle) != 0; again = true) {
        // What the TLS library has decrypted already makes no socket readable.
        if (again && (PQsslInUse(handle) != 0 || PQgssEncInUse(handle) != 0) && PQconsumeInput(handle) != 0 && PQisBusy(handle) == 0) return true;
        const bool sending = PQisnonblocking(handle) != 0 && PQflush(handle) > 0;
        switch (until.wait(PQsocket(handle), static_cast<short>(sending ? POLLIN | POLLOUT : POLLIN))) {
            case patience::verdict::ready:
                if (PQconsumeInput(handle) == 0) return true;
                break;
            case patience::verdict::interrupt: cancel.request(handle); break;
            case patience::verdict::over: give_up(on, until, awaited, cancel.errand()); return false;
        }
    }
    return true;
}

}  // namespace

bool await_result(connection& on, patience& until, const char* awaited) {
    cancelling none;
    return await_result(on, until, awaited, none);
}

namespace {

/// \param best  what came already
result await_rest(connection& on, patience& until, const char* awaited, result best) {
    cancelling cancel;
    for (bool failed = best && !best.ok();;) {
        if (!await_result(on, until, awaited, cancel)) return result{};
        result next{PQgetResult(on.handle())};
        if (!next) break;
        if (failed) continue;
        failed = !next.ok();
        if (!best || failed || next.columns() > 0 || best.columns() == 0) best = std::move(next);
    }
    on.set_overdue(until.is_overdue());
    // A cancel request that is still on its way would hit whatever the connection does next: then there is no next.
    if (until.attempts() != 0 && !cancel.has_arrived(best, until.left())) {
        on.sever("a cancel request did not get through in time, and may come for another statement: the session was ended, and with it every lock on it");
    }
    return best;
}

}  // namespace

result await_answer(connection& on, patience& until, const char* awaited) {
    // Nearly always one wait brings the whole answer, as in libpq's own functions, and in no more calls.
    PGconn* const handle = on.handle();
    if (!until.is_answered_at_once(PQsocket(handle)) || PQconsumeInput(handle) == 0 || PQisBusy(handle) != 0) {
        return await_rest(on, until, awaited, result{});
    }
    result first{PQgetResult(handle)};
    if (PQisBusy(handle) != 0 || PQtransactionStatus(handle) == PQTRANS_ACTIVE) return await_rest(on, until, awaited, std::move(first));
    on.set_overdue(false);
    return first;
}

result execute(connection& on, const char* sql, const char* awaited) {
    if (PQsendQuery(on.handle(), sql) == 0) return result{};
    return await_answer(on, on.answering(), awaited);
}

result execute(connection& on, const char* sql, const char* parameter, int length, const char* awaited) {
    constexpr int binary = 1;
    if (PQsendQueryParams(on.handle(), sql, 1, nullptr, &parameter, &length, &binary, 0) == 0) return result{};
    return await_answer(on, on.answering(), awaited);
}

std::vector<holder> holders_of(const result& rows) {
    std::vector<holder> found;
    found.reserve(static_cast<std::size_t>(rows.rows()));
    for (int row = 0; row < rows.rows(); ++row) found.push_back({rows.text(row, 0), rows.text(row, 1)});
    return found;
}

}  // namespace dlock::postgresql
