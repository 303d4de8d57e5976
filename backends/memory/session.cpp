// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/memory/session.hpp>

#include <utility>

namespace dlock::memory {

session::session(server& of, std::string description)
    : server_{of}, description_{std::move(description)}, id_{server_.open(description_)} {}

session::~session() { close(); }

void session::close() noexcept {
    if (const auto id = id_.exchange(0); id != 0) server_.close(id);
}

void session::reconnect() {
    close();
    id_ = server_.open(description_);
}

}  // namespace dlock::memory
