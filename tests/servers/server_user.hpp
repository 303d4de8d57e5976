// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The ordinary user a server runs as when the test itself is run by root: PostgreSQL, MySQL and PgBouncer refuse root.
//
// A user namespace is the first choice: it works inside a build sandbox, where root is the only user there is, and
// needs neither an account nor a change of ownership. Where namespaces are forbidden (most containers), root is the
// real one and can become another user.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace dlock::testing {

struct server_user {
    std::vector<std::string> become;  ///< the command line to put before a server's own; empty when we are not root
    std::optional<uid_t> owner;       ///< whom the server's folder must belong to; nothing when it may stay ours

    /// The answer for this process, found out once.
    [[nodiscard]] static const server_user& get();
};

}  // namespace dlock::testing
