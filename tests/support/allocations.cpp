// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/support/allocations.hpp"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace {
thread_local long count = 0;
thread_local long until_failure = 0;
}

void* operator new(std::size_t size) {
    ++count;
    if (until_failure > 0 && --until_failure == 0) throw std::bad_alloc{};
    if (void* const memory = std::malloc(size)) return memory;
    throw std::bad_alloc{};
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

long dlock::testing::allocations() noexcept { return count; }
void dlock::testing::fail_allocation(long nth) noexcept { until_failure = nth; }
