// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Threads that share the sessions of a pool. The lock lives on a leased session, and the session never goes back to the
// pool with a lock on it, whatever happened in between.
//
//     bazel run //examples:pool -- 'postgresql://dbname=app'
#include <chrono>
#include <future>
#include <iostream>
#include <mutex>
#include <string>
#include <vector>

#include <dlock/postgresql.hpp>
#include <dlock/soci/pooled_session.hpp>
#include <soci/soci.h>

using namespace std::chrono_literals;

void send_reminder(soci::connection_pool& pool, const std::string& customer) {
    dlock::pooled_session db{pool, 10s};  // waits ten seconds at most for a free session
    dlock::postgresql::lock lock{db, "reminders/" + customer};
    if (std::unique_lock held{lock, std::try_to_lock}) {
        std::cout << "reminding " + customer + "\n";
    }  // else: another process is at it
}

int main(int argc, char** argv) try {
    const std::string url = argc > 1 ? argv[1] : "postgresql://dbname=app";
    soci::connection_pool pool{2};
    for (std::size_t i = 0; i < 2; ++i) pool.at(i).open(url);

    std::vector<std::future<void>> threads;
    for (const char* const customer : {"Ada", "Barbara", "Frances", "Grace"}) {
        threads.push_back(std::async(std::launch::async, [&pool, customer] { send_reminder(pool, customer); }));
    }
    for (auto& thread : threads) thread.get();
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
