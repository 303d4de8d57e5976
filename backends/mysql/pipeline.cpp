// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/mysql/pipeline.hpp>

#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

#include <mysql.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <ma_pvio.h>  // needs mysql.h

#include <dlock/detail/loss_signal.hpp>
#include <dlock/error.hpp>
#include <dlock/mysql/answer.hpp>
#include <dlock/mysql/connection.hpp>
#include <dlock/mysql/error.hpp>
#include <dlock/mysql/open_session.hpp>
#include <dlock/mysql/preflight.hpp>
#include <dlock/mysql/result.hpp>
#include <dlock/mysql/sql.hpp>
#include <dlock/soci/conversation.hpp>
#include <dlock/soci/end_watch.hpp>

namespace dlock::mysql {
namespace {

[[noreturn]] void lose() { throw lock_error{errc::lost, "dlock: the session has lost its connection"}; }

void set(connection& on, std::string_view sql) {
    if (const auto failed = execute(on, sql)) throw on.error(*failed);
}

/// Whether something stands between: the server sees another port than ours, or one where we have a unix socket. MySQL Router answers
/// a statement that comes before the answer to the one in front of it with an error; and it may be an address that is translated, where
/// taking turns only costs time. https://dev.mysql.com/doc/mysql-router/en/
bool is_proxied(connection& on) {
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    if (::getsockname(mysql_get_socket(on.handle()), reinterpret_cast<sockaddr*>(&own), &size) != 0) return true;
    std::uint64_t port = 0;
    if (own.ss_family == AF_INET) port = ntohs(reinterpret_cast<const sockaddr_in&>(own).sin_port);
    if (own.ss_family == AF_INET6) port = ntohs(reinterpret_cast<const sockaddr_in6&>(own).sin6_port);
    const auto seen = ask(on, sql::client_port);
    if (seen.failed) throw on.error(*seen.failed);
    return seen.value != port;
}

}  // namespace

/// The driver lets a statement be sent as long as no rows are being read, whatever else was sent.
class pipeline::wire {
public:
    using request = sql::text;
    struct answer {
        bool came = false;
        std::optional<lock_error> failed{};
        std::optional<std::uint64_t> value{};  ///< of the first column; nothing: NULL, or no row
        std::vector<holder> holders{};
    };

    /// \param socket  of the connection, for as long as this object lives
    wire(connection& on, int socket) : handle_{on.handle()}, socket_{socket} {}

    [[nodiscard]] int socket() const noexcept { return socket_; }
    void sever() noexcept { ::shutdown(socket_, SHUT_RDWR); }
    [[nodiscard]] bool open() const noexcept { return open_; }

    [[nodiscard]] bool send(const sql::text& statement) noexcept {
        return mysql_send_query(handle_, statement.view().data(), statement.view().size()) == 0;
    }

    void flush() noexcept {}
    void receive(bool readable) noexcept { readable_ = readable; }  // the driver reads when it is asked for an answer

    [[nodiscard]] std::optional<answer> next() noexcept {
        if (!open_ || !has_begun()) return std::nullopt;
        answer whole{true};
        const read_limit limit{handle_, grace_};
        if (mysql_read_query_result(handle_) != 0) return failure();
        result rows{mysql_use_result(handle_)};
        if (!rows.ok()) return failure();
        if (rows.has_row()) whole.value = rows.number(0);
        for (; rows.has_row(); rows.next()) {
            if (rows.columns() > 2) whole.holders.push_back(holder_of(rows));
        }
        if (mysql_errno(handle_) != 0) return failure();  // a statement can still fail behind its row
        return whole;
    }

    void set_grace(std::chrono::milliseconds grace) noexcept { grace_ = grace; }

    [[nodiscard]] static bool released(const answer& said) noexcept { return said.value == 1U; }

private:
    /// An answer is on its way into this process: then its rest is not far.
    bool has_begun() noexcept {
        const auto* const driver = handle_->net.pvio;
        if (std::exchange(readable_, false) || driver == nullptr || driver->cache_pos < driver->cache + driver->cache_size) return true;
        pollfd readable{socket_, POLLIN, 0};
        return ::poll(&readable, 1, 0) > 0;
    }

    answer failure() noexcept {
        auto error = error_from(handle_, mysql_errno(handle_) == 0 ? errc::lost : reason_of(handle_));
        open_ = error.reason() != errc::lost;
        answer failed{true};
        failed.failed = std::move(error);
        return failed;
    }

    MYSQL* handle_;
    int socket_;
    std::chrono::milliseconds grace_ = soci_support::default_grace;
    bool readable_ = false;
    bool open_ = true;
};

struct pipeline::parts {
    explicit parts(std::shared_ptr<soci::session> s)
        : session{std::move(s)}, on{ready(*session)}, watch{mysql_get_socket(on->handle()), losses}, speaker{*on, watch.socket()}, talk{speaker} {
        if (on->assumes_session_pooling() || is_proxied(*on)) talk.take_turns();
    }

    static std::shared_ptr<connection> ready(soci::session& session) {
        bound_silence(session);
        auto on = connection::of(session);
        on->keep_always();
        const soci_support::stop_event never_stopped;
        const connection::call soon{*on, true, never_stopped};
        if (on->server().one_lock_per_session()) {
            throw lock_error{errc::unsupported,
                             "dlock: this server keeps one named lock per session, so a lock_manager cannot share connections: use "
                             "MySQL 5.7.5 or MariaDB 10.0.2"};
        }
        constexpr my_bool never = 0;
        mysql_optionsv(on->handle(), MYSQL_OPT_RECONNECT, &never);
        preflight(*on);
        ask_for_id(*on);
        if (const auto who = ask(*on, sql::connection_id); !who.failed && who.value == on->id()) on->prove();
        else if (who.failed) throw on->error(*who.failed);
        set(*on, "SET SESSION wait_timeout = 31536000");
        set(*on, sql::let_tables_be_read);  // so that holders() may look
        set(*on, on->server().mariadb ? "SET SESSION max_statement_time = 0" : "SET SESSION max_execution_time = 0");
        return on;
    }

    [[nodiscard]] sql::text acquiring(std::string_view k) const noexcept {
        constexpr std::chrono::milliseconds at_once{0};
        const auto name = on->server().literal(k);
        return on->is_proven() ? sql::try_acquire(on->terms().read_only, name) : sql::acquire(on->terms(), name, at_once);
    }
    [[nodiscard]] sql::text releasing(std::string_view k) const noexcept {
        const auto name = on->server().literal(k);
        return on->is_proven() ? sql::release(name) : sql::release_if(on->who(), name);
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

std::function<void(const std::string&)> pipeline::checker() const {
    return [server = parts_->on->server()](const std::string& k) { server.check(k); };
}

bool pipeline::try_acquire(const std::string& k, mode m) {
    auto& p = *parts_;
    if (m == mode::shared) throw lock_error{errc::unsupported, "dlock: named locks are exclusive"};
    const auto said = p.talk.ask(p.acquiring(k));
    if (said.came && !said.failed && said.value && *said.value <= 1U) return *said.value == 1U;
    if (!said.came) p.end();
    if (!said.failed && said.value == static_cast<std::uint64_t>(sql::said::read_only)) refuse_read_only(*p.on);
    if (!said.failed && said.value) {  // another connection than ours has answered: a pooler has put it there
        sever();
        throw lock_error{errc::lost, "dlock: a pooler has put another server connection behind this one: it was ended, and every lock on it is lost"};
    }
    // an error, or NULL: KILL QUERY
    const auto proof = p.talk.ask(sql::release_ghost(p.on->who(), p.on->server().literal(k)));
    if (!proof.came || proof.failed || !proof.value) {
        sever();
        if (said.failed && said.failed->reason() == errc::lost) throw *said.failed;
        throw lock_error{errc::lost, "dlock: the server did not say whether it had granted a lock: the connection was ended, and with it every lock on it"};
    }
    throw said.failed ? *said.failed
                      : lock_error{errc::cancelled, "dlock: KILL QUERY or a time limit of the session ended the wait"};
}

bool pipeline::acquire_until(const std::string& k, mode m, deadline until, const std::stop_token& stop) {
    auto& p = *parts_;
    const auto alone = p.talk.interrupt();
    const auto taken = named::acquire_until(*p.session, k, m, until, stop);
    if (taken) p.on->forget(k, taken->serial);  // the lock_manager keeps the books
    return taken.has_value();
}

std::uint64_t pipeline::release(const std::string& k, mode) noexcept { return parts_->talk.release(parts_->releasing(k)); }

std::uint64_t pipeline::answered() const noexcept { return parts_->talk.answered(); }

bool pipeline::idle() const noexcept { return parts_->talk.idle(); }

void pipeline::collect() noexcept { parts_->talk.collect(); }

std::vector<holder> pipeline::holders(const std::string& k) {
    auto& p = *parts_;
    auto said = p.talk.ask(sql::holders(p.on->server().literal(k)));
    if (!said.came) p.end();
    if (said.failed) throw *said.failed;
    if (said.holders.empty() || p.on->hides_labels()) return std::move(said.holders);
    sql::text text;
    const auto labelled = p.talk.ask(sql::labels(text, said.holders.front().session));
    if (!labelled.came) p.end();
    if (labelled.failed && labelled.failed->reason() == errc::lost) throw *labelled.failed;
    if (labelled.failed) note_hidden_labels(*p.on, static_cast<unsigned>(std::strtoul(labelled.failed->native().c_str(), nullptr, 10)));
    for (const auto& one : labelled.holders) add_label(said.holders, one);
    return std::move(said.holders);
}

void pipeline::set_grace(std::chrono::milliseconds grace) {
    parts_->on->set_grace(grace);
    parts_->talk.set_grace(grace);
    parts_->speaker.set_grace(grace);
}

std::stop_token pipeline::lost() const { return parts_->lost; }

void pipeline::sever() noexcept { parts_->speaker.sever(); }

std::shared_ptr<soci::session> pipelined_named::connect(const std::string& connection) { return open_session(connection); }

}  // namespace dlock::mysql
