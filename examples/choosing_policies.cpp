// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Key policies and wait policies: the same lock, with other names and other patience.
//
//     bazel run //examples:choosing_policies -- 'postgresql://dbname=app'
#include <chrono>
#include <iostream>
#include <mutex>

#include <dlock/postgresql.hpp>
#include <soci/soci.h>

using namespace std::chrono_literals;

// What the server locks.
using dlock::postgresql::advisory;
using by_name = dlock::basic_lock<advisory, dlock::hashed_key>;     // the same as dlock::postgresql::lock
using by_number = dlock::basic_lock<advisory, dlock::integer_key>;  // identifiers: no hash, no collision
using invoices = dlock::basic_lock<advisory, dlock::in_namespace<"billing", dlock::hashed_key>>;

// How it waits.
using polite = dlock::basic_lock<advisory, dlock::hashed_key, dlock::poll>;

int main(int argc, char** argv) try {
    const char* const url = argc > 1 ? argv[1] : "postgresql://dbname=app";
    soci::session here{url};
    soci::session elsewhere{url};

    by_number order{here, 42};
    by_name forty_two{here, "42"};
    invoices invoice{here, "42"};
    std::scoped_lock all{order, forty_two, invoice};  // three locks: three names for three things
    std::cout << "an order, a name and an invoice 42, and none is in the way of another\n";

    by_name report{elsewhere, "42", dlock::block{}.at_most(50ms)};
    try {
        report.lock();  // its policy has a limit, so lock() has
    } catch (const dlock::lock_error& error) {
        if (error.code() != std::errc::timed_out) throw;
        std::cout << error.what() << '\n';
    }

    polite cleanup{elsewhere, "42", dlock::poll{20ms}.at_most(1min)};
    std::cout << "polled for 50 ms: " << (cleanup.try_lock_for(50ms) ? "held" : "busy") << '\n';
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
