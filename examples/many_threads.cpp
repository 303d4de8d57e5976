// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Many threads, each with a lock of its own, over a few connections that dlock opens itself.
#include <iostream>
#include <mutex>
#include <thread>
#include <vector>

#include <dlock/postgresql/lock_manager.hpp>

void take_turns(dlock::postgresql::lock_manager& locks, int& turns) {
    dlock::postgresql::managed_lock lock{locks, "counter"};  // one object per thread
    for (int n = 0; n < 100; ++n) {
        const std::scoped_lock held{lock};
        ++turns;
    }
}

int main(int argc, char** argv) try {
    dlock::postgresql::lock_manager locks{argc > 1 ? argv[1] : "postgresql://dbname=app"};

    int turns = 0;  // guarded by the lock, in this process as in every other one
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 16; ++i) threads.emplace_back([&] { take_turns(locks, turns); });
    }
    std::cout << turns << " turns over " << locks.connections() << " connection(s)\n";
} catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
}
