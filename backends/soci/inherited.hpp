// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What a forked child is told that asks for a lock on a session of its parent.
#pragma once

#include <dlock/error.hpp>

namespace dlock::soci_support {

[[noreturn]] inline void refuse_in_child() {
    throw lock_error{errc::lost,
                     "dlock: this session belongs to the process that has forked this one, and both would speak on one connection: open a "
                     "session after the fork"};
}

}  // namespace dlock::soci_support
