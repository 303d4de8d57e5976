// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A throw-away MariaDB; mysql_family.hpp says what is guaranteed.
//
// MariaDB missing: std::runtime_error that names the package. It starts in about a second; so prefer shared().
#pragma once

#include "tests/servers/mysql_family.hpp"

namespace dlock::testing {

class mariadb_server : public mysql_family {
public:
    explicit mariadb_server(const options& what = {});

    /// One server with default options for the whole test binary, started by the first call.
    [[nodiscard]] static mariadb_server& shared();
};

}  // namespace dlock::testing
