// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/servers/server_user.hpp"

#include <unistd.h>

#include <cstdlib>

namespace dlock::testing {
namespace {

constexpr uid_t nobody = 65534;

server_user choose() {
    if (::geteuid() != 0) return {};
    // Not unshare(2) between fork and exec: under ThreadSanitizer the child has threads, and the call fails.
    if (std::system("unshare --user --map-user=65534 --map-group=65534 true 2>/dev/null") == 0)
        return {{"unshare", "--user", "--map-user=65534", "--map-group=65534"}, std::nullopt};
    return {{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}, nobody};
}

}  // namespace

const server_user& server_user::get() {
    static const server_user user = choose();
    return user;
}

}  // namespace dlock::testing
