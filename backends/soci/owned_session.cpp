// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/soci/owned_session.hpp>

#include <soci/soci.h>

#include <dlock/error.hpp>

namespace dlock::soci_support {
namespace {

auto connected(auto connect) {
    try {
        return connect();
    } catch (const soci::soci_error& e) {
        throw lock_error{errc::lost, std::string{"dlock: cannot connect: "} + e.what()};
    }
}

}  // namespace

std::shared_ptr<soci::session> open_session(const std::string& connection) {
    return connected([&] { return std::make_shared<soci::session>(connection); });
}

void reopen_session(soci::session& session) {
    connected([&] { session.reconnect(); });
}

}  // namespace dlock::soci_support
