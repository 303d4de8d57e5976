// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/sqlite/forks.hpp>

#include <pthread.h>

#include <atomic>

namespace dlock::sqlite {

unsigned forks() noexcept {
    static std::atomic<unsigned> count = 0;
    static const int registered = ::pthread_atfork(nullptr, nullptr, [] { ++count; });
    return registered == 0 ? count.load(std::memory_order_relaxed) : 0;
}

}  // namespace dlock::sqlite
