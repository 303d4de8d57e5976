// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What each consumer in this folder builds and runs: a lock that a second session does not get, an exception that comes out of the
// library, and a library that is as old as its headers.
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <mutex>

#include <dlock/sqlite.hpp>
#include <dlock/version.hpp>

namespace {

bool excludes(const std::filesystem::path& directory) {
    dlock::sqlite::session db{directory}, other{directory};
    dlock::sqlite::lock lock{db, "user/001"}, rival{other, "user/001"};
    {
        const std::scoped_lock held{lock};
        if (!lock.owns_lock() || rival.try_lock()) return false;
    }
    return rival.try_lock();
}

bool throws_what_a_program_can_catch() try {
    dlock::sqlite::session nowhere{"/dev/null/locks"};
    return false;
} catch (const dlock::lock_error&) {
    return true;
}

}  // namespace

int main() {
    std::cout << "dlock " << dlock::version_string() << '\n';
    const auto directory = std::filesystem::current_path() / "locks";
    const bool ok = excludes(directory) && throws_what_a_program_can_catch() && dlock::version() == DLOCK_VERSION;
    std::cout << (ok ? "locked, and nobody else did" : "this is not the library that was meant") << '\n';
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
