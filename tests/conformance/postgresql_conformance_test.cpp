// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/postgresql.hpp>
#include <dlock/postgresql/multi_lock.hpp>
#include <dlock/soci/pooled_session.hpp>

#include "tests/conformance/soci_owners.hpp"
#include "tests/conformance/suite.hpp"
#include "tests/servers/postgresql_server.hpp"

namespace dlock::testing {
namespace {

struct postgresql_kind {
    static constexpr auto backends = hana::tuple_t<postgresql::advisory, postgresql::advisory_set>;
    static std::string url() { return postgresql_server::shared().url(); }
    static constexpr auto owners = hana::tuple_t<own_session<postgresql_kind>, leased_session<postgresql_kind>>;

    static std::optional<int> waiters() { return count("AND NOT granted"); }
    static int held() { return count("AND granted"); }

private:
    static int count(const char* which) {
        static soci::session onlooker{url()};
        int found = -1;
        onlooker << "SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' " << which, soci::into(found);
        return found;
    }
};

}  // namespace

INSTANTIATE_LOCK_CONFORMANCE(postgresql_kind);

}  // namespace dlock::testing
