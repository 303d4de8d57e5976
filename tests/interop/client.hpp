// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A client that is not dlock, as a value: how it is started, on which server it locks, and which lock of dlock's is the same.
// README.md describes the conversation that every client has with the suite.
#pragma once

#include <ostream>
#include <string>
#include <vector>

#include <soci/soci.h>

#include <dlock/any_lock.hpp>

namespace dlock::testing {

struct server_kind {
    std::string (*url)();
    std::vector<std::string> (*environment)();  ///< "NAME=value": how a client finds the server; it adds PGAPPNAME
    std::string waiters;                        ///< the query that counts those in the server's queue
    std::string client_session;                 ///< the query for the id of the client's session, while there is one
};

extern const server_kind on_postgresql, on_mariadb, on_mysql;

struct client {
    std::string title;    ///< in the names of the tests
    std::string in_docs;  ///< in the table of docs/keys.md
    std::string package;  ///< what installs it, for the message when it does not start
    std::vector<std::string> command;
    const server_kind& server;
    any_lock (*lock)(soci::session&, const std::string& name);
    bool has_shared = true;
    std::vector<std::string> names{"job", "user/001", "中文键", R"(it's 100% \ "quoted")"};

    friend void PrintTo(const client& c, std::ostream* out) { *out << c.title; }
};

/// Those that the suite of this binary runs with.
[[nodiscard]] const std::vector<client>& clients();

/// How a client is run: its command, in the environment that shows it the server.
[[nodiscard]] std::vector<std::string> command_line(const server_kind& server, const std::vector<std::string>& command);

/// Debian's own Python, for which Debian's packages are; leaves no __pycache__ beside the script.
[[nodiscard]] std::vector<std::string> python(const std::string& script, const std::vector<std::string>& arguments = {});

template <class Lock>
any_lock lock_of(soci::session& session, const std::string& name) {
    return any_lock::of<Lock>(session, name);
}

}  // namespace dlock::testing
