// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A holder that was paused must not write: the row remembers the largest fencing token it has seen, and refuses smaller ones.
//
// A lock cannot stop a program that stood still (a debugger, a swapped-out machine) while its session ended and somebody
// else got the lock. So the token goes into the statement that does the work.
//
//     bazel run //examples:fencing -- 'postgresql://dbname=app'
#include <iostream>
#include <string>

#include <dlock/postgresql.hpp>
#include <soci/soci.h>

/// False: somebody has written with a later token, so our lock is lost, whether we know it or not.
bool write_balance(soci::session& db, int balance, dlock::fencing_token token) {
    soci::statement update = (db.prepare << "update dlock_example_account set balance = :balance, fence = :token "
                                            "where id = 1 and fence < :token",  // <= for a holder that writes more than once
                              soci::use(balance, "balance"), soci::use(token.value, "token"));
    update.execute(true);
    return update.get_affected_rows() == 1;
}

int main(int argc, char** argv) try {
    const std::string url = argc > 1 ? argv[1] : "postgresql://dbname=app";
    soci::session ours{url}, theirs{url}, db{url};  // db: the resource, which might be another database, or a file store
    dlock::postgresql::create_fence(db);
    db << "create table if not exists dlock_example_account (id integer primary key, balance integer, fence bigint)";
    db << "insert into dlock_example_account values (1, 100, 0) on conflict (id) do update set balance = 100, fence = 0";

    dlock::postgresql::fenced_lock paused{ours, "account 1"};
    paused.lock();
    const dlock::fencing_token old = paused.token();

    // Here we stand still, and an administrator, or a timeout, ends our session.
    int pid = 0;
    ours << "select pg_backend_pid()", soci::into(pid);
    std::string unused;
    db << "select pg_terminate_backend(:pid)::text", soci::use(pid), soci::into(unused);

    dlock::postgresql::fenced_lock next{theirs, "account 1"};
    next.lock();  // the server has freed it
    if (write_balance(db, 70, next.token())) std::cout << "the next holder writes 70\n";

    // Now we go on, as if nothing had happened.
    std::cout << (write_balance(db, 200, old) ? "the paused one has written, too!\n" : "the paused one is refused\n");

    int balance = 0;
    db << "select balance from dlock_example_account where id = 1", soci::into(balance);
    std::cout << "the balance is " << balance << '\n';
    db << "drop table dlock_example_account";
    return balance == 70 ? 0 : 1;
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
