// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/servers/tcp_port.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace dlock::testing {

tcp_port::tcp_port() : socket_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    const int yes = 1;
    ::setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);

    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    if (::bind(socket_, any, size) == -1 || ::getsockname(socket_, any, &size) == -1) {
        const int error = errno;
        ::close(socket_);
        throw std::system_error{error, std::generic_category(), "no free port on 127.0.0.1"};
    }
    number_ = ntohs(address.sin_port);
}

tcp_port::~tcp_port() { ::close(socket_); }

}  // namespace dlock::testing
