// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <cerrno>

namespace dlock::detail {

/// errno is the caller's: what it was when this object was made, it is again when it ends.
class errno_kept {
public:
    errno_kept() noexcept = default;
    ~errno_kept() { errno = before_; }
    errno_kept(const errno_kept&) = delete;
    errno_kept& operator=(const errno_kept&) = delete;

private:
    int before_ = errno;
};

}  // namespace dlock::detail
