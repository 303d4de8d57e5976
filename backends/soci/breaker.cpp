// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/soci/breaker.hpp>

#include <memory>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <dlock/detail/process.hpp>
#include <dlock/error.hpp>
#include <dlock/soci/own_socket.hpp>

namespace dlock::soci_support {
namespace {

class duplicate {
public:
    explicit duplicate(int socket) : socket_{::fcntl(socket, F_DUPFD_CLOEXEC, 3)}, kept_{socket_} {
        kept_.keep(true);
        if (socket_ >= 0) return;
        throw socket < 0 ? lock_error{errc::lost, "dlock: the session has lost its connection"}
                         : lock_error{errc::server_error, "dlock: the process has no descriptor left to end the connection with"};
    }
    ~duplicate() { ::close(socket_); }
    duplicate(const duplicate&) = delete;
    duplicate& operator=(const duplicate&) = delete;

    /// In a forked child it would shut down the parent's.
    void shut_down() const noexcept {
        if (made_.is_here()) ::shutdown(socket_, SHUT_RDWR);
    }

private:
    detail::birthplace made_;
    int socket_;
    own_socket kept_;
};

}  // namespace

std::function<void()> breaker(int socket) {
    return [connection = std::make_shared<const duplicate>(socket)] { connection->shut_down(); };
}

}  // namespace dlock::soci_support
