// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/soci/stop_event.hpp>

#include <cerrno>
#include <cstdint>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <dlock/deadline.hpp>
#include <dlock/soci/above_standard.hpp>

namespace dlock::soci_support {

stop_event::stop_event(const std::stop_token& stop) : stop_{stop} {
    if (!stop.stop_possible()) return;
    fd_ = above_standard(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (fd_ >= 0) on_stop_.emplace(stop, raise{fd_});
}

stop_event::~stop_event() {
    on_stop_.reset();
    if (fd_ >= 0) ::close(fd_);
}

void stop_event::raise::operator()() const noexcept {
    const std::uint64_t one = 1;
    (void)!::write(fd, &one, sizeof one);
}

bool stop_event::wait_for(int socket, std::chrono::milliseconds longest) noexcept {
    pollfd source{socket, POLLIN, 0};
    const auto until = deadline::after(longest);
    for (;;) {
        const int ready = ::poll(&source, 1, static_cast<int>(until.remaining<std::chrono::milliseconds>().count()));
        if (ready >= 0 || errno != EINTR) return ready > 0;  // a signal is no silence
    }
}

}  // namespace dlock::soci_support
