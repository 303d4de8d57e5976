// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Holds a leased lock and writes down, again and again, when it still believed so:
//
//     lease_holder (postgresql|mysql) <connection> <name> <lease in ms> <file for its diary>
//
// Ends when the lock is lost.
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include <dlock/mysql/leased_lock.hpp>
#include <dlock/postgresql/leased_lock.hpp>

#include "tests/faults/diary.hpp"

namespace {

using namespace std::chrono_literals;

template <class Lock>
void hold(const std::string& connection, const std::string& name, std::chrono::milliseconds lease, dlock::testing::diary& diary) {
    Lock lock{connection, name, lease};
    lock.lock();
    const auto lost = lock.lost();
    for (;;) {
        const auto before = dlock::boot_clock::now();  // before, or being stopped in between would forge the entry
        if (!lock.owns_lock()) break;
        diary.believed_at(before);
        std::this_thread::sleep_for(200us);
    }
    while (!lost.stop_requested()) std::this_thread::sleep_for(1ms);
    std::error_code ec;
    lock.unlock(ec);
    diary.told_lost(ec == dlock::errc::lost);
}

}  // namespace

int main(int count, char** arguments) {
    if (count != 6) return 2;
    const std::chrono::milliseconds lease{std::atoi(arguments[4])};
    dlock::testing::diary diary{arguments[5]};
    if (std::string{arguments[1]} == "postgresql") {
        hold<dlock::postgresql::leased_lock>(arguments[2], arguments[3], lease, diary);
    } else {
        hold<dlock::mysql::leased_lock>(arguments[2], arguments[3], lease, diary);
    }
}
