// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// On MariaDB, whose performance schema shows who holds and who waits.
#include <dlock/mysql.hpp>
#include <dlock/mysql/multi_lock.hpp>

#include "tests/conformance/soci_owners.hpp"
#include "tests/conformance/suite.hpp"
#include "tests/servers/mariadb_server.hpp"

namespace dlock::testing {
namespace {

struct mysql_kind {
    static constexpr auto backends = hana::tuple_t<mysql::named, mysql::named_set>;
    static std::string url() {
        static mariadb_server server{
            {.settings = {"performance_schema=ON", "performance_schema_instrument=wait/lock/metadata/sql/mdl=ON"}}};
        return server.url();
    }
    static constexpr auto owners = hana::tuple_t<own_session<mysql_kind>, leased_session<mysql_kind>>;

    static std::optional<int> waiters() { return count("PENDING"); }
    static int held() { return count("GRANTED"); }

private:
    static int count(const std::string& status) {
        static soci::session onlooker{url()};
        int found = -1;
        onlooker << "SELECT COUNT(*) FROM performance_schema.metadata_locks WHERE OBJECT_TYPE = 'USER LEVEL LOCK' AND LOCK_STATUS = '"
                 << status << "'",
            soci::into(found);
        return found;
    }
};

}  // namespace

INSTANTIATE_LOCK_CONFORMANCE(mysql_kind);

}  // namespace dlock::testing
