// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/servers/galera_cluster.hpp"

#include <filesystem>
#include <stdexcept>
#include <string>

#include "tests/servers/find_program.hpp"

namespace dlock::testing {
namespace {

std::string provider() {
    const auto root = matrix_server("mariadb");
    for (const char* const folder : {"usr/lib/galera", "usr/lib/x86_64-linux-gnu/galera"})
        if (auto file = (root ? *root : "/") / folder / "libgalera_smm.so"; std::filesystem::exists(file)) return file;
    throw std::runtime_error{"libgalera_smm.so not found: apt-get install galera-4 (or run ./setup)"};
}

}  // namespace

galera_cluster::galera_cluster() {
    const auto address = [this](std::size_t port) { return "127.0.0.1:" + std::to_string(ports_[port].number()); };
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        nodes_[i] = std::make_unique<mariadb_server>(mysql_family::options{
            .settings = {"wsrep-on=ON", "wsrep-provider=" + provider(), "wsrep-cluster-name=dlock",
                         "wsrep-cluster-address=gcomm://" + (i == 0 ? "" : address(0)), "wsrep-node-address=127.0.0.1",
                         "wsrep-sst-method=skip",  // both are new, and so the same
                         "wsrep-provider-options=gmcast.listen_addr=tcp://" + address(2 * i) + ";ist.recv_addr=" + address(2 * i + 1) +
                             ";gcache.size=16M",
                         "binlog-format=ROW", "innodb-autoinc-lock-mode=2"}});
    }
}

}  // namespace dlock::testing
