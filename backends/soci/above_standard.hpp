// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A program may have closed its standard input, output and error, and go on writing to them: no descriptor of dlock's may be
// one of them. For .cpp files.
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <fcntl.h>
#include <unistd.h>

namespace dlock::soci_support {

/// The same file under a number that is none of the three; the descriptor given is closed then. Negative: none was given, or
/// there are no more; errno tells. It stays close-on-exec.
[[nodiscard]] inline int above_standard(int descriptor) noexcept {
    if (descriptor < 0 || descriptor > STDERR_FILENO) return descriptor;
    const int moved = ::fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    ::close(descriptor);
    return moved;
}

}  // namespace dlock::soci_support
