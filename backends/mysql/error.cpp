// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/mysql/error.hpp>

#include <string>
#include <string_view>

#include <errmsg.h>
#include <mysqld_error.h>

namespace dlock::mysql {
namespace {

// What MariaDB's headers do not know of MySQL's numbers.
constexpr unsigned er_query_timeout = 3024;
constexpr unsigned er_client_interaction_timeout = 4031;
constexpr unsigned er_user_lock_overlong_name = 4163;

}  // namespace

errc reason_of(unsigned native) noexcept {
    switch (native) {
        case ER_LOCK_DEADLOCK:       // MariaDB
        case ER_USER_LOCK_DEADLOCK:  // MySQL
            return errc::deadlock;
        case ER_QUERY_INTERRUPTED:  // KILL QUERY
        case ER_STATEMENT_TIMEOUT:  // MariaDB's max_statement_time
        case er_query_timeout:      // MySQL's max_execution_time
            return errc::cancelled;
        case CR_CONNECTION_ERROR:  // these and the next two: a reconnect failed
        case CR_CONN_HOST_ERROR:
        case CR_SERVER_HANDSHAKE_ERR:
        case CR_SERVER_GONE_ERROR:
        case CR_SERVER_LOST:
        case CR_SERVER_LOST_EXTENDED:
        case CR_ERR_NET_READ:
        case CR_ERR_NET_WRITE:
        case ER_CONNECTION_KILLED:
        case ER_SERVER_SHUTDOWN:
        case er_client_interaction_timeout:
        case ER_NET_READ_ERROR:
        case ER_NET_READ_INTERRUPTED:
        case ER_NET_ERROR_ON_WRITE:
        case ER_NET_WRITE_INTERRUPTED: return errc::lost;
        case ER_TOO_LONG_IDENT:
        case ER_USER_LOCK_WRONG_NAME:
        case er_user_lock_overlong_name: return errc::bad_key;
        case CR_COMMANDS_OUT_OF_SYNC:  // the rows of another statement have not been read
        case ER_SP_DOES_NOT_EXIST:     // there is no GET_LOCK
        case ER_NOT_SUPPORTED_YET: return errc::unsupported;
        case CR_OUT_OF_MEMORY:
        case ER_OUTOFMEMORY:
        case ER_OUT_OF_RESOURCES: return errc::exhausted;
        default: return errc::server_error;
    }
}

errc reason_of(MYSQL* handle) noexcept {
    return mysql_get_socket(handle) == MARIADB_INVALID_SOCKET ? errc::lost : reason_of(mysql_errno(handle));
}

lock_error error_from(MYSQL* handle, errc reason) {
    const unsigned native = mysql_errno(handle);
    std::string what = "dlock: ";
    if (native == CR_COMMANDS_OUT_OF_SYNC)
        what += "a statement is in progress on this session: its rows have not been read, or another thread uses the session, which one "
                "thread at a time may: ";
    if (reason == errc::cancelled) what += "the wait was ended by KILL QUERY or by a time limit of the session: ";
    // In a character_set_results of several bytes a letter the driver keeps what stands in front of the first NUL.
    const std::string_view said = mysql_error(handle);
    if (native == 0) what += "the server's answer made no sense; the session is closed";
    else if (said.size() < 2) what += "the server's error " + std::to_string(native);
    else what += said;
    return {reason, what, std::to_string(native)};
}

}  // namespace dlock::mysql
