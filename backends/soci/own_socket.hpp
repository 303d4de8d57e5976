// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A socket that a forked child does not get. For .cpp files.
//
// A child inherits every descriptor. What it then says on a connection of its parent, if only good-bye, the server takes for the
// parent's word: a lock is released that the parent believes in. And a connection of which a child has a copy stays open when
// the parent has ended: a lock stays held that nobody believes in. So, before fork() returns in the child, the descriptor is
// replaced there by one on which nothing arrives and nothing is sent. Drivers then read the end of the connection.
// https://www.postgresql.org/docs/current/libpq-connect.html (fork)
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <atomic>

#include <sys/types.h>

namespace dlock::soci_support {

class own_socket {
public:
    /// Nothing is replaced until keep(true).
    /// \param socket  stays open; closing it, and using its number for something else, is harmless
    explicit own_socket(int socket) noexcept;
    ~own_socket();
    own_socket(const own_socket&) = delete;
    own_socket& operator=(const own_socket&) = delete;

    /// Whether a lock is at stake: only then is the socket kept from children. Any thread.
    void keep(bool at_stake) noexcept { kept_.store(at_stake, std::memory_order_relaxed); }

    /// Called by the first of them; and before by who takes a mutex at a fork under which sockets of this kind are made: mutexes
    /// are taken in the reverse order of this call.
    static void await_forks() noexcept;

private:
    friend struct fork_handlers;

    int socket_;
    dev_t device_ = 0;  ///< with inode_: which socket it is
    ino_t inode_ = 0;
    std::atomic<bool> kept_ = false;
    own_socket* previous_ = nullptr;
    own_socket* next_ = nullptr;
};

}  // namespace dlock::soci_support
