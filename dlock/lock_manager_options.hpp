// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <chrono>
#include <cstddef>

namespace dlock {

struct lock_manager_options {
    std::size_t connections = 4;                   ///< at most; with one, nobody waits in the server's queue
    unsigned hand_overs = 256;                     ///< how often in a row a lock goes from thread to thread here
    std::chrono::milliseconds turn{10};            ///< and for how long; another process waits no longer for its turn
    std::chrono::milliseconds reconnect_for{10'000};  ///< how long a call that may wait tries to reach the server
    std::chrono::milliseconds grace{2000};         ///< how long an answer may be late before its connection is ended, with every lock on it
};

}  // namespace dlock
