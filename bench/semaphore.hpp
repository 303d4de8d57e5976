// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <semaphore.h>
#include <time.h>

#include <cerrno>
#include <chrono>

namespace dlock::bench {

/// Of threads, also of several processes when it is in memory that they share. Who waits blocks and does not poll: a processor
/// that is kept busy by who waits would be missed by the server.
class semaphore {
public:
    semaphore() { ::sem_init(&it_, 1, 0); }
    ~semaphore() { ::sem_destroy(&it_); }
    semaphore(const semaphore&) = delete;
    semaphore& operator=(const semaphore&) = delete;

    void post() { ::sem_post(&it_); }
    void wait() {
        while (::sem_wait(&it_) == -1 && errno == EINTR) continue;
    }
    [[nodiscard]] bool wait_for(std::chrono::seconds limit) {
        timespec until{};
        ::clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += limit.count();
        int code = 0;
        while ((code = ::sem_clockwait(&it_, CLOCK_MONOTONIC, &until)) == -1 && errno == EINTR) continue;
        return code == 0;
    }
    void forget_posts() {
        while (::sem_trywait(&it_) == 0) continue;
    }

private:
    sem_t it_{};
};

}  // namespace dlock::bench
