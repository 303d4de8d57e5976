// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/soci/keepalive.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace dlock::soci_support {

void keepalive::apply_to(int socket) const noexcept {
    const auto set = [&](int level, int option, long long value) {
        const int number = static_cast<int>(value);
        (void)::setsockopt(socket, level, option, &number, sizeof number);
    };
    set(SOL_SOCKET, SO_KEEPALIVE, 1);
    set(IPPROTO_TCP, TCP_KEEPIDLE, idle.count());
    set(IPPROTO_TCP, TCP_KEEPINTVL, interval.count());
    set(IPPROTO_TCP, TCP_KEEPCNT, count);
    set(IPPROTO_TCP, TCP_USER_TIMEOUT, user_timeout.count());
}

}  // namespace dlock::soci_support
