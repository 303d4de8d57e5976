// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The ways to own a connection of SOCI's. Server::url() says where to.
#pragma once

#include <cstddef>

#include <soci/soci.h>

#include <dlock/soci/pooled_session.hpp>

namespace dlock::testing {

template <class Server>
class own_session {
public:
    static constexpr const char* title = "OwnSession";
    soci::session& session() { return session_; }

private:
    soci::session session_{Server::url()};
};

template <class Server>
class leased_session {
public:
    static constexpr const char* title = "PooledSession";
    soci::session& session() { return session_; }

private:
    static soci::connection_pool& pool() {
        static auto& opened = [] () -> soci::connection_pool& {
            constexpr std::size_t size = 4;
            static soci::connection_pool made{size};
            for (std::size_t i = 0; i < size; ++i) made.at(i).open(Server::url());
            return made;
        }();
        return opened;
    }

    pooled_session session_{pool()};
};

}  // namespace dlock::testing
