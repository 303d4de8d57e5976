// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A port of 127.0.0.1 that is ours as long as the object lives, whether or not a server listens on it at the moment.
//
// It is held by a socket that is bound but never listens. The kernel gives a bound port to nobody who asks for any
// free one; and the server may bind it all the same, because both sides say SO_REUSEADDR.
#pragma once

namespace dlock::testing {

class tcp_port {
public:
    tcp_port();
    ~tcp_port();
    tcp_port(const tcp_port&) = delete;
    tcp_port& operator=(const tcp_port&) = delete;

    [[nodiscard]] int number() const noexcept { return number_; }

private:
    int socket_;
    int number_ = 0;
};

}  // namespace dlock::testing
