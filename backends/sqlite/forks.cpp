// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/sqlite/forks.hpp>

#include <pthread.h>

namespace dlock::sqlite {
namespace {

std::atomic<unsigned> count = 0;
std::atomic<bool> engaged = false;

/// In the child, which has the memory of the moment at which it was forked.
void on_fork() noexcept {
    if (engagement::any()) engaged = true;
    ++count;
}

}  // namespace

unsigned forks() noexcept {
    static const int registered = ::pthread_atfork(nullptr, nullptr, on_fork);
    return registered == 0 ? count.load(std::memory_order_relaxed) : 0;
}

bool forked_while_engaged() noexcept { return engaged; }

}  // namespace dlock::sqlite
