// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Several names at once, all or none: a transfer needs both accounts, and must not meet one in the other direction halfway.
//
// One round trip locks them all, however many. The server takes them in the order of their keys, so it does not matter in
// which order they are written, nor whether one is written twice.
//
//     bazel run //examples:multi -- 'postgresql://dbname=app'
#include <exception>
#include <iostream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <dlock/postgresql/multi_lock.hpp>
#include <soci/soci.h>

void transfer(soci::session& db, const std::string& from, const std::string& to, int amount) {
    dlock::postgresql::multi_lock both{db, {"account/" + from, "account/" + to}};
    const std::scoped_lock held{both};

    int balance = 0;
    db << "select balance from dlock_example_accounts where name = :name", soci::use(from), soci::into(balance);
    if (balance < amount) return;
    db << "update dlock_example_accounts set balance = balance - :amount where name = :name", soci::use(amount), soci::use(from);
    db << "update dlock_example_accounts set balance = balance + :amount where name = :name", soci::use(amount), soci::use(to);
}

int main(int argc, char** argv) try {
    const std::string url = argc > 1 ? argv[1] : "postgresql://dbname=app";
    soci::session db{url};
    db << "create table if not exists dlock_example_accounts (name text primary key, balance integer)";
    db << "insert into dlock_example_accounts values ('ada', 100), ('grace', 100) on conflict (name) do update set balance = 100";

    constexpr int transfers = 100;
    {
        std::jthread forth{[&] {
            soci::session own{url};
            for (int i = 0; i < transfers; ++i) transfer(own, "ada", "grace", 7);
        }};
        std::jthread back{[&] {
            soci::session own{url};
            for (int i = 0; i < transfers; ++i) transfer(own, "grace", "ada", 5);
        }};
    }

    // Everybody who is in a list that was made at run time.
    const std::vector<std::string> everybody{"account/ada", "account/grace"};
    dlock::postgresql::multi_lock all{db, everybody};
    int total = 0;
    {
        const std::scoped_lock held{all};
        db << "select sum(balance) from dlock_example_accounts", soci::into(total);
    }
    std::cout << 2 * transfers << " transfers, no deadlock, and the sum is " << total << '\n';
    db << "drop table dlock_example_accounts";
    return total == 200 ? 0 : 1;
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
