// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Hearing that a lock is lost, and a lock that a hanging holder loses.
//
//     bazel run //examples:losing -- 'postgresql://dbname=app'
#include <chrono>
#include <iostream>
#include <string>
#include <thread>

#include <dlock/postgresql.hpp>
#include <dlock/postgresql/leased_lock.hpp>
#include <soci/soci.h>

using namespace std::chrono_literals;

/// Works until it is told to stop; returns whether it came to the end.
bool work(std::stop_token stop) {
    for (int step = 0; step < 1000 && !stop.stop_requested(); ++step) std::this_thread::sleep_for(10ms);
    return !stop.stop_requested();
}

int main(int argc, char** argv) try {
    const std::string url = argc > 1 ? argv[1] : "postgresql://dbname=app";
    soci::session db{url};

    // Without a query: a stop token that tells when the session has ended.
    soci::session ours{url};
    dlock::postgresql::lock lock{ours, "report"};
    lock.lock();
    std::string unused;
    db << "select pg_terminate_backend(" + lock.holders().at(0).session + ")::text", soci::into(unused);  // an administrator
    if (!work(lock.lost())) std::cout << "interrupted: the lock is lost\n";

    // A session of its own, which the server ends after 2 s of silence; a thread breaks the silence while we hold.
    dlock::postgresql::leased_lock leased{url, "report", 2s};
    leased.lock();
    if (leased.owns_lock()) std::cout << "held, and the next heartbeat is on its way\n";
    leased.unlock();
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
