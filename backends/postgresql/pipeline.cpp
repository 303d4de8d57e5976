// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/postgresql/pipeline.hpp>

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include <libpq-fe.h>
#include <sys/socket.h>

#include <dlock/detail/loss_signal.hpp>
#include <dlock/error.hpp>
#include <dlock/postgresql/answer.hpp>
#include <dlock/postgresql/connection.hpp>
#include <dlock/postgresql/error.hpp>
#include <dlock/postgresql/open_session.hpp>
#include <dlock/postgresql/quiet.hpp>
#include <dlock/postgresql/result.hpp>
#include <dlock/postgresql/sql.hpp>
#include <dlock/postgresql/statement.hpp>
#include <dlock/soci/conversation.hpp>
#include <dlock/soci/end_watch.hpp>

namespace dlock::postgresql {
namespace {

[[noreturn]] void lose() { throw lock_error{errc::lost, "dlock: the session has lost its connection"}; }

/// The time limits of a role or a database are for statements and sessions of users.
constexpr const char* without_limits =
    "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.unnest(ARRAY['statement_timeout', 'lock_timeout', 'transaction_timeout', "
    "'idle_session_timeout', 'idle_in_transaction_session_timeout']) AS limits (name) WHERE pg_catalog.current_setting(name, true) IS NOT NULL";

lock_error error_of(const result& failed, const PGconn* handle) {
    const auto reason = reason_of(failed.sqlstate(), handle);
    std::string what = std::string{"dlock: "} + advice_for(reason, failed.sqlstate()) + failed.message();
    while (what.ends_with('\n')) what.pop_back();
    return {reason, what, failed.sqlstate()};
}

}  // namespace

class pipeline::wire {
public:
    enum class kind : std::uint8_t { try_acquire, release, release_ghost, release_unseen, holders };
    struct request {
        kind what;
        const postgresql::key& key;
        dlock::mode mode;
    };
    using answer = result;

    /// \param socket  of the connection, for as long as this object lives
    wire(connection& on, int socket) : on_{on}, handle_{on.handle()}, socket_{socket} { prepare(); }

    [[nodiscard]] int socket() const noexcept { return socket_; }
    void sever() noexcept { ::shutdown(socket_, SHUT_RDWR); }

    /// A release goes without a Sync: the server executes it at once, and answers with the next request that has one, in one
    /// packet. flush() sends a Sync of its own when no request comes.
    [[nodiscard]] bool send(const request& r) {
        if (!enter() || !(r.what <= kind::release ? send_prepared(r) : send_text(r))) return false;
        if (r.what != kind::release) return sync();
        synced_ = false;
        return PQflush(handle_) >= 0;
    }

    /// Makes the server answer what was sent.
    void flush() noexcept {
        if (!synced_) open_ = sync();
    }

    void receive(bool) noexcept { open_ = PQconsumeInput(handle_) != 0 && PQstatus(handle_) == CONNECTION_OK; }
    [[nodiscard]] bool open() const noexcept { return open_; }

    [[nodiscard]] std::optional<result> next() noexcept {
        while (PQisBusy(handle_) == 0) {
            result part{PQgetResult(handle_)};
            if (PQstatus(handle_) != CONNECTION_OK) return std::nullopt;
            if (!part) {
                if (whole_) return std::exchange(whole_, result{});
            } else if (part.is_sync()) {
                --syncs_;
            } else {
                whole_ = std::move(part);
            }
        }
        return std::nullopt;
    }

    /// Leaves pipeline mode. \pre everything that was sent has been answered
    void leave() {
        auto until = on_.answering();
        while (syncs_ > 0 && PQstatus(handle_) == CONNECTION_OK) {
            if (!await_result(on_, until, "what was sent")) throw on_.end();
            syncs_ -= result{PQgetResult(handle_)}.is_sync() ? 1U : 0U;
        }
        if (PQexitPipelineMode(handle_) == 0) lose();
    }

    [[nodiscard]] static bool released(const result& said) noexcept { return said.ok() && said.is_true(0); }

private:
    struct prepared {
        const char* name;
        const char* text;
    };
    /// They carry a version: the text behind a name never changes.
    static prepared of(kind what, dlock::mode m, space s, bool direct = true) noexcept {
        static constexpr std::array try_names{"dlock_p2_try", "dlock_p2_try_pair", "dlock_p2_try_shared", "dlock_p2_try_shared_pair"};
        static constexpr std::array release_names{"dlock_p2_release", "dlock_p2_release_pair", "dlock_p2_release_shared",
                                                  "dlock_p2_release_shared_pair"};
        const auto at = sql::try_alone.index(m, s);
        if (what == kind::try_acquire) return {try_names[at], direct ? sql::try_direct.at(m, s) : sql::try_alone.at(m, s)};
        return {release_names[at], direct ? sql::release_direct.at(m, s) : sql::release_alone.at(m, s)};
    }

    /// One round trip for all of them.
    void prepare() {
        if (!enter()) lose();
        for (const auto what : {kind::try_acquire, kind::release}) {
            for (const auto m : {mode::exclusive, mode::shared}) {
                for (const auto s : {space::bigint, space::pair}) {
                    const auto [name, text] = of(what, m, s, on_.is_direct());
                    if (PQsendPrepare(handle_, called(name).c_str(), statement::with(text, "$3", on_.served_by()).c_str(), 0, nullptr) == 0) lose();
                }
            }
        }
        if (!sync()) lose();
        auto until = on_.answering();
        while (syncs_ > 0) {
            if (!await_result(on_, until, "the preparation of a statement")) throw on_.end();
            result part{PQgetResult(handle_)};
            if (PQstatus(handle_) != CONNECTION_OK) lose();
            if (part.is_sync()) --syncs_;
            else if (part && !part.ok()) throw error_of(part, handle_);
        }
    }

    bool enter() noexcept { return PQpipelineStatus(handle_) != PQ_PIPELINE_OFF || PQenterPipelineMode(handle_) != 0; }

    bool sync() noexcept {
        synced_ = true;
        ++syncs_;
        return PQpipelineSync(handle_) != 0;
    }

    /// Behind a pooler each session's statements have names of their own: see connection::mark().
    [[nodiscard]] std::string called(const char* name) const { return on_.mark().empty() ? std::string{name} : std::string{name} + "_" + on_.mark(); }

    bool send_prepared(const request& r) {
        const bits_of bits{r.key};
        const char* const name = of(r.what, r.mode, r.key.space).name;
        if (!on_.mark().empty()) return PQsendQueryPrepared(handle_, called(name).c_str(), 1, &bits.value, &bits.length, &bits.format, 0) != 0;
        return PQsendQueryPrepared(handle_, name, 1, &bits.value, &bits.length, &bits.format, 0) != 0;
    }

    bool send_text(const request& r) {
        const char* const sql = r.what == kind::holders         ? sql::who_holds.at(r.mode, r.key.space)
                                : r.what == kind::release_ghost ? sql::ghost_released.at(r.mode, r.key.space)
                                                                : sql::release_alone.at(r.mode, r.key.space);
        const auto text = statement::with(sql, "$3", on_.served_by());
        const bits_of bits{r.key};
        return PQsendQueryParams(handle_, text.c_str(), 1, nullptr, &bits.value, &bits.length, &bits.format, 0) != 0;
    }

    /// $1, in binary.
    struct bits_of {
        explicit bits_of(const postgresql::key& k) noexcept {
            for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(static_cast<std::uint64_t>(k.bits) >> (56 - 8 * i));
        }
        bits_of(const bits_of&) = delete;
        bits_of& operator=(const bits_of&) = delete;

        std::array<char, 8> bytes;
        const char* value = bytes.data();
        int length = 8;
        int format = 1;
    };

    connection& on_;
    PGconn* handle_;
    int socket_;
    bool open_ = true;
    bool synced_ = true;
    unsigned syncs_ = 0;  ///< that have not been read yet
    result whole_;
};

struct pipeline::parts {
    explicit parts(std::shared_ptr<soci::session> s)
        : session{std::move(s)}, on{ready(*session)}, watch{PQsocket(on->handle()), losses}, speaker{*on, watch.socket()}, talk{speaker} {}

    static std::shared_ptr<connection> ready(soci::session& session) {
        auto on = connection::of(session);
        on->keep_always();
        const connection::call soon{*on, true, {}};
        bound_silence(session);
        on->require_session_locks();
        keep_quiet(on->handle());  // the session is dlock's own, and its end is told otherwise
        const auto answer = execute(*on, without_limits, "a setting");
        if (!answer.ok()) throw on->error(answer);
        return on;
    }

    /// No answer came.
    [[noreturn]] void end() {
        speaker.sever();
        if (!talk.was_silent()) lose();
        throw lock_error{errc::lost, "dlock: the server did not answer within " + std::to_string(on->grace().count()) +
                                         " ms: the connection was ended, and with it every lock on it"};
    }

    std::shared_ptr<soci::session> session;
    std::shared_ptr<connection> on;
    std::shared_ptr<detail::loss_signal> losses = std::make_shared<detail::loss_signal>();
    std::stop_token lost = losses->of(1);
    soci_support::end_watch watch;
    wire speaker;
    soci_support::conversation<wire> talk;
};

pipeline::pipeline(std::shared_ptr<soci::session> session) : parts_{std::make_unique<parts>(std::move(session))} {}
pipeline::~pipeline() = default;

bool pipeline::try_acquire(const key& k, mode m) {
    auto& p = *parts_;
    const auto said = p.talk.ask({wire::kind::try_acquire, k, m});
    if (said.ok() && !said.is_null(0)) return said.is_true(0);
    if (!said) p.end();
    const auto not_served = [&] {  // another backend than ours has answered: a pooler has put it there
        sever();
        p.losses->raise_for_good();  // whoever holds another lock on it is told before the caller is
        return p.on->not_served();
    };
    if (said.ok()) throw not_served();
    // In this order: making the error's text takes memory, and there may be none.
    if (reason_of(said.sqlstate(), p.on->handle()) == errc::lost) {
        sever();
    } else if (const auto proof = p.talk.ask({wire::kind::release_ghost, k, m}); !proof.ok() || proof.is_null(0)) {
        if (proof.ok()) throw not_served();
        // A role that may not read pg_locks, which nobody had to know before.
        const auto unseen = proof.sqlstate() == sqlstate::insufficient_privilege ? p.talk.ask({wire::kind::release_unseen, k, m}) : result{};
        if (!unseen.ok() || unseen.is_null(0)) {
            sever();
            throw lock_error{errc::lost, "dlock: the server did not say whether it had granted a lock: the connection was ended, and with it every lock on it"};
        }
    }
    throw error_of(said, p.on->handle());
}

bool pipeline::acquire_until(const key& k, mode m, deadline until, const std::stop_token& stop) {
    auto& p = *parts_;
    const auto alone = p.talk.interrupt();
    p.speaker.leave();
    const auto taken = advisory::acquire_until(*p.session, k, m, until, stop);
    if (taken) p.on->forget(k, taken->serial);  // the lock_manager keeps the books
    return taken.has_value();
}

std::uint64_t pipeline::release(const key& k, mode m) noexcept { return parts_->talk.release({wire::kind::release, k, m}); }

std::uint64_t pipeline::answered() const noexcept { return parts_->talk.answered(); }

bool pipeline::idle() const noexcept { return parts_->talk.idle(); }

void pipeline::collect() noexcept { parts_->talk.collect(); }

std::vector<holder> pipeline::holders(const key& k) {
    auto& p = *parts_;
    const auto said = p.talk.ask({wire::kind::holders, k, mode::exclusive});
    if (!said) p.end();
    if (!said.ok()) throw error_of(said, p.on->handle());
    return holders_of(said);
}

void pipeline::set_grace(std::chrono::milliseconds grace) noexcept {
    parts_->on->set_grace(grace);
    parts_->talk.set_grace(grace);
}

std::stop_token pipeline::lost() const { return parts_->lost; }

void pipeline::sever() noexcept { parts_->speaker.sever(); }

std::shared_ptr<soci::session> pipelined_advisory::connect(const std::string& connection) { return open_session(connection); }

}  // namespace dlock::postgresql
