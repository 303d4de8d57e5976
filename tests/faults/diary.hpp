// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What one process lets another know, in a file that both have mapped: nothing of it is lost when one is stopped.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <string>
#include <system_error>

#include <dlock/boot_clock.hpp>

namespace dlock::testing {

class diary {
public:
    explicit diary(const std::string& file) {
        const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        void* at = MAP_FAILED;
        if (fd >= 0 && ::ftruncate(fd, sizeof(page)) == 0) at = ::mmap(nullptr, sizeof(page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (fd >= 0) ::close(fd);
        if (at == MAP_FAILED) throw std::system_error{errno, std::generic_category(), file};
        page_ = static_cast<page*>(at);
    }
    ~diary() { ::munmap(page_, sizeof(page)); }
    diary(const diary&) = delete;
    diary& operator=(const diary&) = delete;

    void believed_at(boot_clock::time_point when) { page_->believed = when.time_since_epoch().count(); }
    /// The epoch: never yet.
    [[nodiscard]] boot_clock::time_point believed() const { return boot_clock::time_point{boot_clock::duration{page_->believed}}; }

    void told_lost(bool by_unlock_too) { page_->told = by_unlock_too ? 2 : 1; }
    [[nodiscard]] bool was_told_lost() const { return page_->told == 2; }

private:
    struct page {
        std::atomic<boot_clock::rep> believed;
        std::atomic<int> told;
    };
    static_assert(std::atomic<boot_clock::rep>::is_always_lock_free);

    page* page_;
};

}  // namespace dlock::testing
