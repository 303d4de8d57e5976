// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <stop_token>

namespace dlock::detail {

/// A stop request from either of two sides.
class either_stop {
public:
    either_stop(const std::stop_token& one, const std::stop_token& other) : one_{one, raise{source_}}, other_{other, raise{source_}} {}

    [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

private:
    struct raise {
        std::stop_source source;
        void operator()() noexcept { source.request_stop(); }
    };
    std::stop_source source_;
    std::stop_callback<raise> one_, other_;
};

}  // namespace dlock::detail
