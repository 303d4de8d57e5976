// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Notices the end of a connection without a query, and without reading from it.
//
// One thread of the process waits for the ends of all watched connections. It reads nothing from a socket and sends
// nothing: it asks the kernel to tell when the peer closes its side (EPOLLRDHUP), which neither a notification nor an
// answer on its way looks like. https://man7.org/linux/man-pages/man2/epoll_ctl.2.html
//
// The thread starts with the first watch of a process and never ends. A forked child gets one of its own with its first
// watch; those that it inherits tell it nothing.
#pragma once

#include <cstdint>
#include <memory>

#include <dlock/detail/loss_signal.hpp>
#include <dlock/detail/process.hpp>
#include <dlock/soci/own_socket.hpp>

namespace dlock::soci_support {

/// Raises the signal when the peer of the socket has gone, as long as this object lives. It watches a duplicate of the
/// descriptor, so that the socket may be closed, and its number used again, without a word.
class end_watch {
public:
    /// \throws lock_error  server_error: the process has no descriptor left for it
    end_watch(int socket, std::shared_ptr<detail::loss_signal> signal);
    ~end_watch();
    end_watch(const end_watch&) = delete;
    end_watch& operator=(const end_watch&) = delete;

    /// The duplicate. A driver closes its own descriptor as soon as it notices the end, in whichever thread that is, and the
    /// next one that the process opens has its number; this one is the connection's as long as this object lives.
    [[nodiscard]] int socket() const noexcept { return socket_; }

private:
    detail::birthplace made_;
    int socket_;
    own_socket kept_;
    std::uint64_t watch_;
};

}  // namespace dlock::soci_support
