// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Questions to a MySQL or MariaDB server by the driver alone, and the driver's handle inside a session.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <ostream>
#include <string>

#include <mysql.h>
#include <soci/mysql/soci-mysql.h>
#include <soci/soci.h>

#include "tests/servers/mariadb_server.hpp"
#include "tests/servers/mysql_server.hpp"
#include "tests/servers/server_traits.hpp"
#include "tests/support/expect.hpp"

namespace dlock::testing {

/// The two servers that are to be had, for tests of what they have in common.
struct kind {
    const server_traits::mysql& traits;
    mysql_family& (*server)();                                                 ///< the one that all tests share
    std::shared_ptr<mysql_family> (*start)(const mysql_family::options& what);  ///< one of its own
};
inline void PrintTo(const kind& k, std::ostream* out) { *out << k.traits.name; }

inline const kind mariadb{server_traits::of_mariadb(), []() -> mysql_family& { return mariadb_server::shared(); },
                          [](const mysql_family::options& what) -> std::shared_ptr<mysql_family> {
                              return std::make_shared<mariadb_server>(what);
                          }};
inline const kind genuine_mysql{server_traits::of_mysql(), []() -> mysql_family& { return mysql_server::shared(); },
                          [](const mysql_family::options& what) -> std::shared_ptr<mysql_family> {
                              return std::make_shared<mysql_server>(what);
                          }};

inline MYSQL* raw(soci::session& session) {
    return static_cast<soci::mysql_session_backend*>(session.get_backend())->conn_;
}
inline unsigned long id_of(soci::session& session) { return mysql_thread_id(raw(session)); }

/// A column of the first row: "NULL", "(no row)", "" for a statement without rows, "ERROR 1317" for an error.
inline std::string receive(MYSQL* from, int column = 0) {
    if (mysql_read_query_result(from) != 0) return "ERROR " + std::to_string(mysql_errno(from));
    const std::unique_ptr<MYSQL_RES, void (*)(MYSQL_RES*)> rows{mysql_store_result(from), mysql_free_result};
    if (mysql_errno(from) != 0) return "ERROR " + std::to_string(mysql_errno(from));
    if (!rows) return "";
    const auto row = mysql_fetch_row(rows.get());
    return row == nullptr ? "(no row)" : row[column] == nullptr ? "NULL" : row[column];
}

inline std::string ask(MYSQL* of, const std::string& sql) {
    if (mysql_send_query(of, sql.data(), sql.size()) != 0) return "ERROR " + std::to_string(mysql_errno(of));
    return receive(of);
}

inline std::uint64_t as_number(const std::string& answer) {
    EXPECT_FALSE(answer.empty());
    EXPECT_EQ(answer.find_first_not_of("0123456789"), std::string::npos) << answer;
    return std::strtoull(answer.c_str(), nullptr, 10);
}

inline std::string ask(soci::session& session, const std::string& sql) { return ask(raw(session), sql); }

struct client_options {
    const char* charset = "utf8mb4";
    const char* database = nullptr;
    bool reconnect = false;
};

class client {
public:
    explicit client(const mysql_family& server, const client_options& how = {})
        : handle_{mysql_init(nullptr), mysql_close} {
        const my_bool reconnect = how.reconnect;
        mysql_optionsv(handle(), MYSQL_SET_CHARSET_NAME, how.charset);
        mysql_optionsv(handle(), MYSQL_OPT_RECONNECT, &reconnect);
        EXPECT_NE(mysql_real_connect(handle(), nullptr, server.user().c_str(), nullptr, how.database, 0,
                                     server.socket().c_str(), 0),
                  nullptr)
            << mysql_error(handle());
    }

    [[nodiscard]] MYSQL* handle() const noexcept { return handle_.get(); }
    [[nodiscard]] unsigned long id() const noexcept { return mysql_thread_id(handle()); }

    std::string ask(const std::string& sql) { return testing::ask(handle(), sql); }
    std::uint64_t number(const std::string& sql) { return as_number(ask(sql)); }
    void send(const std::string& sql) {
        ASSERT_EQ(mysql_send_query(handle(), sql.data(), sql.size()), 0) << mysql_error(handle());
    }
    /// A status variable of the server.
    std::string status(const std::string& name) {
        send("SHOW GLOBAL STATUS LIKE '" + name + "'");
        return testing::receive(handle(), 1);
    }
    std::string receive() { return testing::receive(handle()); }

    // --- what the server says of other connections

    /// Who holds the lock: a connection's id, or "NULL".
    std::string holder_of(const std::string& name) { return ask("SELECT IS_USED_LOCK('" + name + "')"); }

    void await_waiter(unsigned long id) {
        await(
            [&] {
                return ask("SELECT state FROM information_schema.processlist WHERE id=" + std::to_string(id)) ==
                       "User lock";
            },
            "the connection waits for a lock");
    }
    void await_end(unsigned long id) {
        await(
            [&] {
                return ask("SELECT COUNT(*) FROM information_schema.processlist WHERE id=" + std::to_string(id)) == "0";
            },
            "the connection has ended");
    }
    /// Returns when the connection has ended.
    void kill(unsigned long id) {
        EXPECT_EQ(ask("KILL " + std::to_string(id)), "");
        await_end(id);
    }
    void kill_query(unsigned long id) { EXPECT_EQ(ask("KILL QUERY " + std::to_string(id)), ""); }

private:
    std::unique_ptr<MYSQL, void (*)(MYSQL*)> handle_;
};

}  // namespace dlock::testing
