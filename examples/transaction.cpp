// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A lock that belongs to a transaction: invoice numbers without gaps and without duplicates.
//
// A sequence leaves a gap when a transaction that drew from it is rolled back. So each transaction reads the last
// number itself, under a lock that the server keeps until the new invoice is committed, and visible to the next one who asks.
//
//     bazel run //examples:transaction -- 'postgresql://dbname=app'
#include <future>
#include <iostream>
#include <string>
#include <vector>

#include <dlock/postgresql.hpp>
#include <soci/soci.h>

int write_invoice(soci::session& db, bool and_fail) {
    soci::transaction transaction{db};
    dlock::postgresql::transaction_lock last_number{db, "invoice number"};
    last_number.lock();  // there is no unlock(): commit and rollback release it

    int number = 0;
    db << "select coalesce(max(number), 0) + 1 from dlock_example_invoice", soci::into(number);
    db << "insert into dlock_example_invoice values (:number)", soci::use(number);
    if (and_fail) return 0;  // rolls back, and nobody has seen the number
    transaction.commit();
    return number;
}

int main(int argc, char** argv) try {
    const std::string url = argc > 1 ? argv[1] : "postgresql://dbname=app";
    soci::session db{url};
    db << "create table if not exists dlock_example_invoice (number integer primary key)";
    db << "truncate dlock_example_invoice";

    std::vector<std::future<void>> clerks;
    for (int clerk = 0; clerk < 4; ++clerk) {
        clerks.push_back(std::async(std::launch::async, [&url] {
            soci::session own{url};
            for (int i = 1; i <= 10; ++i) write_invoice(own, i % 5 == 0);
        }));
    }
    for (auto& clerk : clerks) clerk.get();

    int invoices = 0, last = 0;
    db << "select count(*), max(number) from dlock_example_invoice", soci::into(invoices), soci::into(last);
    std::cout << invoices << " invoices, the last one is number " << last << '\n';
    db << "drop table dlock_example_invoice";
    return invoices == last ? 0 : 1;
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
