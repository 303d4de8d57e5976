// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <stop_token>

namespace dlock::detail {

/// A token that has told already: that of what is lost.
[[nodiscard]] inline std::stop_token raised() {
    std::stop_source source;
    source.request_stop();
    return source.get_token();
}

}  // namespace dlock::detail
