// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A program in a workspace of its own that uses dlock as anyone would: it takes the same lock in two sessions.
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <mutex>

#include <dlock/sqlite.hpp>

using project_lock = dlock::basic_lock<dlock::sqlite::lock_database, dlock::in_namespace<"consumer", dlock::verbatim_key<64>>>;

int main() {
    const auto directory = std::filesystem::current_path() / "locks";
    dlock::sqlite::session db{directory}, other{directory};
    project_lock lock{db, "user/001"}, rival{other, "user/001"};

    const std::scoped_lock held{lock};
    std::cout << "held: " << lock.owns_lock() << ", held twice: " << rival.try_lock() << '\n';
    return lock.owns_lock() && !rival.owns_lock() ? EXIT_SUCCESS : EXIT_FAILURE;
}
