// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A program that learns its database at run time, and has code of every backend linked to it. There is no server where it runs: what
// it takes is a lock beside a SQLite database, and what it gets from the others is the error that says so.
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <string>

#include <dlock/make_lock.hpp>
#include <dlock/open_session.hpp>

namespace {

bool is_not_connected(const std::string& url) try {
    dlock::open_session(url);
    return false;
} catch (const dlock::lock_error& error) {
    std::cout << error.what() << '\n';
    return error.reason() == dlock::errc::not_connected;
}

}  // namespace

int main() {
    const auto db = dlock::open_session("sqlite3://dbname=every_backend.db");
    dlock::any_lock lock = dlock::make_lock(*db, "user/001");
    const std::scoped_lock held{lock};
    const bool ok = lock.owns_lock() && is_not_connected("postgresql://host=/nonexistent dbname=app") &&
                    is_not_connected("mysql://unix_socket=/nonexistent dbname=app");
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
