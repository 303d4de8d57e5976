// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Two throw-away MariaDB servers that form a Galera cluster: what is committed on one is on the other. Their locks are not.
// It answers when the constructor returns. MariaDB or Galera missing: std::runtime_error that names the package.
#pragma once

#include <array>
#include <memory>

#include "tests/servers/mariadb_server.hpp"
#include "tests/servers/tcp_port.hpp"

namespace dlock::testing {

class galera_cluster {
public:
    galera_cluster();
    [[nodiscard]] const mariadb_server& node(std::size_t number) const { return *nodes_.at(number); }

private:
    std::array<tcp_port, 4> ports_;  // of the group and of the transfer of what was missed, for each
    std::array<std::unique_ptr<mariadb_server>, 2> nodes_;
};

}  // namespace dlock::testing
