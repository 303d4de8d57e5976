// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/soci/own_socket.hpp>

#include <array>
#include <mutex>

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace dlock::soci_support {
namespace {

// Neither is ever destroyed: a static session may end after main().
std::mutex& list_mutex() noexcept {
    static auto& instance = *new std::mutex;
    return instance;
}
own_socket* first = nullptr;

/// One end of a pair whose other end is closed.
int make_dead() noexcept {
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) return -1;
    ::close(pair[1]);
    return pair[0];
}

/// Where there is no room for another descriptor.
void put_null(int in_place_of) noexcept {
    ::close(in_place_of);
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || null == in_place_of) return;
    (void)::dup3(null, in_place_of, O_CLOEXEC);
    ::close(null);
}

}  // namespace

struct fork_handlers {
    static void lock() noexcept { list_mutex().lock(); }
    static void unlock() noexcept { list_mutex().unlock(); }

    /// Only what is safe between fork() and exec() in a process of many threads.
    /// https://man7.org/linux/man-pages/man7/signal-safety.7.html
    static void replace() noexcept {
        int dead = -1;
        for (const auto* s = first; s != nullptr; s = s->next_) {
            if (!s->kept_.load(std::memory_order_relaxed) || !is_still(*s)) continue;
            if (dead < 0) dead = make_dead();
            if (dead >= 0) (void)::dup3(dead, s->socket_, O_CLOEXEC);
            else put_null(s->socket_);
        }
        if (dead >= 0) ::close(dead);
        unlock();
    }

    static bool is_still(const own_socket& s) noexcept {
        struct stat now;
        return ::fstat(s.socket_, &now) == 0 && now.st_dev == s.device_ && now.st_ino == s.inode_;
    }
};

void own_socket::await_forks() noexcept {
    [[maybe_unused]] static const int registered = ::pthread_atfork(fork_handlers::lock, fork_handlers::unlock, fork_handlers::replace);
}

own_socket::own_socket(int socket) noexcept : socket_{socket} {
    struct stat now;
    if (::fstat(socket, &now) == 0) {
        device_ = now.st_dev;
        inode_ = now.st_ino;
    }
    await_forks();
    const std::lock_guard guard{list_mutex()};
    next_ = first;
    if (first != nullptr) first->previous_ = this;
    first = this;
}

own_socket::~own_socket() {
    const std::lock_guard guard{list_mutex()};
    (previous_ != nullptr ? previous_->next_ : first) = next_;
    if (next_ != nullptr) next_->previous_ = previous_;
}

}  // namespace dlock::soci_support
