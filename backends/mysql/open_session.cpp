// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/mysql/open_session.hpp>

#include <cerrno>
#include <charconv>
#include <string_view>
#include <system_error>

#include <errmsg.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <soci/mysql/soci-mysql.h>
#include <soci/soci.h>

#include <dlock/error.hpp>
#include <dlock/mysql/connection_string.hpp>
#include <dlock/soci/standard_descriptors.hpp>

namespace dlock::mysql {
namespace {

using soci_support::connection_options;

struct meaning {
    std::string_view says;
    bool permanent;
};

/// In words of our own: what driver and server say quotes the user, the host, the database and the character set.
/// https://mariadb.com/kb/en/mariadb-error-codes/
meaning meaning_of(unsigned native) noexcept {
    switch (native) {
        case ER_ACCESS_DENIED_ERROR:
        case ER_ACCESS_DENIED_NO_PASSWORD_ERROR: return {"the server refuses the user or the password", true};
        case ER_DBACCESS_DENIED_ERROR: return {"the user may not use this database", true};
        case ER_BAD_DB_ERROR: return {"the server has no such database", true};
        case ER_HOST_NOT_PRIVILEGED: return {"the server lets nobody in from this host", true};
        case ER_HOST_IS_BLOCKED: return {"the server has blocked this host, after many failures: see mysqladmin flush-hosts", true};
        case ER_NOT_SUPPORTED_AUTH_MODE:
        case CR_AUTH_PLUGIN_CANNOT_LOAD:
        case CR_AUTH_PLUGIN_ERR: return {"the server wants a way to authenticate that this driver does not have", true};
        case CR_CANT_READ_CHARSET: return {"the driver does not know the character set", true};
        case CR_SSL_CONNECTION_ERROR: return {"TLS fails: a certificate, or a version that only one side has", false};
        case CR_UNKNOWN_HOST: return {"the name of the host is unknown", false};
        case ER_CON_COUNT_ERROR:
        case ER_TOO_MANY_USER_CONNECTIONS:
        case ER_USER_LIMIT_REACHED: return {"the server has no connection left", false};
        case CR_CONNECTION_ERROR:
        case CR_CONN_HOST_ERROR: return {"nobody answers", false};
        default: return {"the server refuses the connection, or hangs up", false};
    }
}

/// The driver ends what it says of a failed connect(2) with "(2)"; over TCP with that of a connect(2) that went on, which says nothing.
std::string system_error_in(std::string_view text) {
    int number = 0;
    const auto opens = text.rfind('(');
    if (opens == text.npos) return {};
    const auto [end, error] = std::from_chars(text.data() + opens + 1, text.data() + text.size(), number);
    if (error != std::errc{} || number <= 0 || number == EINPROGRESS || end == text.data() + text.size() || *end != ')') return {};
    return ", " + std::generic_category().message(number);
}

std::string address_in(const connection_options& options) {
    const auto* const host = options.find("host");
    const auto* const port = options.find("port");
    if (const auto* const path = options.find("unix_socket"); path != nullptr && soci_support::is_address(*path)) return " to " + *path;
    if (host == nullptr || !soci_support::is_address(*host)) return {};
    return " to " + *host + (port != nullptr ? ", port " + *port : "");
}

lock_error reason_for(unsigned native, std::string_view text, const connection_options& options) {
    const auto [says, permanent] = meaning_of(native);
    std::string what = "dlock: cannot connect" + address_in(options) + ": " + std::string{says};
    if (native == CR_CONNECTION_ERROR || native == CR_CONN_HOST_ERROR) what += system_error_in(text);
    const auto number = std::to_string(native);
    return {errc::not_connected, what + " (error " + number + ")", number, permanent};
}

/// Parses before SOCI does, and SOCI's errors quote what the driver and the server say.
class factory final : public soci::backend_factory {
public:
    soci::details::session_backend* make_session(const soci::connection_parameters& parameters) const override {
        (void)soci_support::fill_standard_descriptors();
        const auto options = connection_string(parameters.get_connect_string());
        soci::connection_parameters parsed{parameters};
        parsed.set_connect_string(options.quoted());
        try {
            return soci::factory_mysql()->make_session(parsed);
        } catch (const soci::mysql_soci_error& error) {
            throw reason_for(error.err_num_, error.what(), options);
        } catch (const soci::soci_error&) {
            throw lock_error{errc::not_connected, "dlock: cannot connect: the driver does not take the connection string", {}, true};
        }
    }
};

}  // namespace

std::shared_ptr<soci::session> open_session(const std::string& connection) {
    static const auto& only = *new factory;  // never destroyed: a session may reconnect after main()
    return std::make_shared<soci::session>(only, connection);
}

}  // namespace dlock::mysql
