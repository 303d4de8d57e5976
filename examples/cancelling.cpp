// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A wait that somebody else ends: std::stop_token reaches into the server's queue.
//
//     bazel run //examples:cancelling -- 'postgresql://dbname=app'
#include <iostream>
#include <mutex>
#include <stop_token>
#include <thread>

#include <dlock/postgresql.hpp>
#include <soci/soci.h>

void wait_for_my_turn(std::stop_token stop, const char* url) {
    soci::session db{url};
    dlock::postgresql::lock lock{db, "turn"};
    try {
        lock.lock(stop);
        const std::unique_lock held{lock, std::adopt_lock};
        std::cout << "my turn\n";
    } catch (const dlock::lock_error& error) {
        if (error.reason() != dlock::errc::cancelled) throw;
        std::cout << "did not want to wait any longer\n";
    }
}

int main(int argc, char** argv) try {
    const char* const url = argc > 1 ? argv[1] : "postgresql://dbname=app";
    soci::session db{url};
    dlock::postgresql::lock lock{db, "turn"};
    const std::scoped_lock held{lock};

    std::jthread waiting{wait_for_my_turn, url};
    // ~jthread() requests the stop, and the wait ends, although the lock is held until after that
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
