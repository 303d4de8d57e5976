// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/postgresql/open_session.hpp>

#include <cctype>
#include <chrono>
#include <optional>
#include <string_view>

#include <libpq-fe.h>
#include <poll.h>
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>

#include <dlock/deadline.hpp>
#include <dlock/error.hpp>
#include <dlock/postgresql/connection_string.hpp>
#include <dlock/postgresql/quiet.hpp>
#include <dlock/soci/standard_descriptors.hpp>

namespace dlock::postgresql {
namespace {

using soci_support::connection_options;
using std::chrono::milliseconds;

struct finish {
    void operator()(PGconn* c) const noexcept { PQfinish(c); }
};
using owned = std::unique_ptr<PGconn, finish>;

/// How long the second attempt may take: the first one has waited long enough for a silent address.
constexpr milliseconds patience{2000};

/// True: it is connected. Its error is verbose, so that it has the SQLSTATE.
/// https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PQCONNECTSTARTPARAMS
bool connect(PGconn* handle) {
    PQsetErrorVerbosity(handle, PQERRORS_VERBOSE);
    keep_quiet(handle);
    const auto until = deadline::after(patience);
    for (auto wants = PGRES_POLLING_WRITING; PQstatus(handle) != CONNECTION_BAD;) {
        pollfd socket{PQsocket(handle), static_cast<short>(wants == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
        if (until.expired() || ::poll(&socket, 1, static_cast<int>(until.remaining<milliseconds>().count())) == 0) return false;
        wants = PQconnectPoll(handle);
        if (wants == PGRES_POLLING_OK) return true;
        if (wants == PGRES_POLLING_FAILED) return false;
    }
    return false;
}

/// Of the last server that spoke: "FATAL:  28P01: password …", in whatever language.
std::string_view sqlstate_in(std::string_view text) noexcept {
    constexpr std::string_view before = ":  ";
    constexpr std::size_t length = 5;
    std::string_view found;
    for (auto at = text.find(before); at != text.npos; at = text.find(before, at + 1)) {
        const auto state = text.substr(at + before.size(), length);
        const bool is_state = state.size() == length && text.substr(at + before.size() + length).starts_with(": ") &&
                              state.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == state.npos;
        if (is_state) found = state;
    }
    return found;
}

struct meaning {
    std::string_view says;
    bool permanent;
};

/// In words of our own: what the server says quotes the user, the database and the options.
/// https://www.postgresql.org/docs/current/errcodes-appendix.html
meaning meaning_of(std::string_view state) noexcept {
    if (state == "28P01") return {"the server refuses the user or the password", true};
    if (state.starts_with("28")) return {"the server refuses this user, from here, to this database: see its pg_hba.conf", true};
    if (state == "3D000") return {"the server has no such database", true};
    if (state == "42501") return {"the user may not connect to this database", true};
    if (state == "57P03") return {"the server is starting up, shutting down or recovering", false};
    if (state == "53300") return {"the server has no connection left", false};
    if (state == "55000") return {"the database takes no connections", false};
    if (state.starts_with("22") || state.starts_with("42") || state.starts_with("0A")) {
        return {"the server refuses an option of the connection string, or of the role or the database", true};
    }
    return {"the server refuses the connection", false};
}

std::string address_of(const PGconn* handle) {
    const std::string_view host = PQhost(handle) != nullptr ? PQhost(handle) : "", address = PQhostaddr(handle) != nullptr ? PQhostaddr(handle) : "";
    const std::string shown{soci_support::is_address(address) ? address : soci_support::is_address(host) ? host : std::string_view{}};
    const char* const port = PQport(handle);
    if (shown.empty() || port == nullptr) return {};
    return " to " + shown + ", port " + port;
}

/// Why there is no connection. Nothing: there is one now.
std::optional<lock_error> reason_for(const connection_options& options) {
    const owned handle{PQconnectStart(uri_of(options).c_str())};
    if (handle && connect(handle.get())) return std::nullopt;
    const std::string_view text = handle ? PQerrorMessage(handle.get()) : "there is no memory for it";
    if (const auto state = sqlstate_in(text); !state.empty()) {
        const auto [says, permanent] = meaning_of(state);
        return lock_error{errc::not_connected,
                          "dlock: cannot connect" + address_of(handle.get()) + ": " + std::string{says} + " (SQLSTATE " + std::string{state} + ")",
                          state, permanent};
    }
    if (handle && PQconnectionNeedsPassword(handle.get()) != 0) {
        return lock_error{errc::not_connected, "dlock: cannot connect" + address_of(handle.get()) + ": the server wants a password, and there is none",
                          {}, true};
    }
    if (text.empty()) return lock_error{errc::not_connected, "dlock: cannot connect" + address_of(handle.get()) + ": nobody answers in time"};
    return lock_error{errc::not_connected, "dlock: cannot connect: " + soci_support::without_values(std::string{text}, options)};
}

/// Parses before SOCI does, whose errors quote what libpq says, which quotes the string.
class factory final : public soci::backend_factory {
public:
    soci::details::session_backend* make_session(const soci::connection_parameters& parameters) const override {
        (void)soci_support::fill_standard_descriptors();
        const auto options = connection_string(parameters.get_connect_string());
        soci::connection_parameters parsed{parameters};
        parsed.set_connect_string(uri_of(options));
        for (int attempt = 1;; ++attempt) {
            try {
                return soci::factory_postgresql()->make_session(parsed);
            } catch (const soci::soci_error&) {
                if (auto why = reason_for(options)) throw *std::move(why);
                constexpr int attempts = 2;
                if (attempt == attempts) throw lock_error{errc::not_connected, "dlock: cannot connect: the server hangs up, or refuses a SET"};
            }
        }
    }
};

}  // namespace

std::shared_ptr<soci::session> open_session(const std::string& connection) {
    static const auto& only = *new factory;  // never destroyed: a session may reconnect after main()
    auto session = std::make_shared<soci::session>(only, connection);
    auto* const handle = static_cast<soci::postgresql_session_backend*>(session->get_backend())->conn_;
    keep_quiet(handle);
    return session;
}

}  // namespace dlock::postgresql
