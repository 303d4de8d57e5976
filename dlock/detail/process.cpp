// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/detail/process.hpp>

#include <atomic>
#include <new>

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

namespace dlock::detail {

using number = std::atomic<std::uint64_t>;

constinit std::atomic<number*> process_cell = nullptr;

namespace {

number last = 0;          ///< a child inherits it
number without_page = 0;  ///< where there is no memory for a page

void clear() noexcept { process_cell.load()->store(0); }

/// The kernel clears the page in every new process, however that is made; the handler stands in for kernels before 4.14.
/// https://man7.org/linux/man-pages/man2/madvise.2.html (MADV_WIPEONFORK)
number& make_cell() noexcept {
    const auto size = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    void* const page = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    number* made = &without_page;
    if (page != MAP_FAILED) {
        (void)::madvise(page, size, MADV_WIPEONFORK);
        made = ::new (page) number{0};
    }
    number* other = nullptr;
    if (process_cell.compare_exchange_strong(other, made)) {
        (void)::pthread_atfork(nullptr, nullptr, clear);
        return *made;
    }
    if (page != MAP_FAILED) ::munmap(page, size);
    return *other;
}

/// No guard variable and no mutex: a fork may come in the middle.
std::uint64_t count(number& here) noexcept {
    std::uint64_t none = 0;
    const auto next = last.load() + 1;
    if (!here.compare_exchange_strong(none, next)) return none;
    last = next;
    return next;
}

struct left {
    void* object;
    left* next;
};
std::atomic<left*> all_left = nullptr;

}  // namespace

void leave_to_parent(void* object) noexcept {
    auto* const node = new (std::nothrow) left{object, all_left.load()};
    while (node != nullptr && !all_left.compare_exchange_weak(node->next, node)) {}
}

std::uint64_t new_process_number() noexcept {
    number* here = process_cell.load(std::memory_order_acquire);
    if (here == nullptr) here = &make_cell();
    const auto known = here->load(std::memory_order_relaxed);
    return known != 0 ? known : count(*here);
}

}  // namespace dlock::detail
