// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Readers and writers of a price list: any number read it at a time, or one writes it.
//
//     bazel run //examples:reader_writer -- 'postgresql://dbname=app'
#include <chrono>
#include <iostream>
#include <mutex>
#include <shared_mutex>

#include <dlock/postgresql.hpp>
#include <soci/soci.h>

int main(int argc, char** argv) try {
    using namespace std::chrono_literals;

    const char* const url = argc > 1 ? argv[1] : "postgresql://dbname=app";
    soci::session shop{url}, office{url}, purchasing{url};
    dlock::postgresql::lock shop_prices{shop, "prices"};
    dlock::postgresql::lock office_prices{office, "prices"};
    dlock::postgresql::lock new_prices{purchasing, "prices"};

    {
        std::shared_lock reading{shop_prices};
        std::shared_lock reading_too{office_prices};
        std::cout << "two sessions read\n";

        std::unique_lock writing{new_prices, 50ms};
        std::cout << "a writer " << (writing ? "came in between\n" : "has to wait\n");
    }

    std::scoped_lock writing{new_prices};
    std::cout << "nobody reads any more: written\n";
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
