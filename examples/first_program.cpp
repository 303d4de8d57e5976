// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A first program: one lock on PostgreSQL.
//
//     bazel run //examples:first_program -- 'postgresql://dbname=app'
#include <chrono>
#include <iostream>
#include <mutex>

#include <dlock/postgresql.hpp>
#include <soci/soci.h>

int main(int argc, char** argv) try {
    using namespace std::chrono_literals;

    soci::session db{argc > 1 ? argv[1] : "postgresql://dbname=app"};
    dlock::postgresql::lock lock{db, "user/001"};  // not locked yet, nothing sent

    {
        std::scoped_lock held{lock};  // waits in the server's queue
        std::cout << "held: no other session has user/001 now\n";
    }  // given back

    if (std::unique_lock held{lock, 500ms}) {  // waits half a second at most
        std::cout << "held again\n";
    }
    if (std::unique_lock held{lock, std::try_to_lock}) {  // does not wait
        std::cout << "and again\n";
    }
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
