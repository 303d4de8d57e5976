// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The locks of lock_managers are locks like any others.
#include <dlock/memory/lock_manager.hpp>

#include <memory>

#include "tests/conformance/suite.hpp"

namespace dlock::testing {
namespace {

memory::server server;

/// Each owner in a process of its own, as far as the managers can know.
struct own_manager {
    static constexpr const char* title = "OwnManager";
    static memory::lock_manager::connector connector() {
        return [] { return std::make_shared<memory::session>(server, "somebody's"); };
    }
    memory::lock_manager& session() { return manager_; }
    memory::lock_manager manager_{connector()};
};

/// All owners in one process.
struct same_manager {
    static constexpr const char* title = "SameManager";
    static memory::lock_manager& session() {
        static memory::lock_manager one{own_manager::connector()};
        return one;
    }
};

struct managed_kind {
    static constexpr auto backends = hana::tuple_t<managed<memory::pipelined_lock_table>>;
    static constexpr auto owners = hana::tuple_t<own_manager, same_manager>;
    static constexpr bool objects_own = true;
    static std::optional<int> waiters() { return static_cast<int>(server.waiting() + same_manager::session().waiters()); }
    static int held() { return static_cast<int>(server.held()); }
};

}  // namespace

INSTANTIATE_LOCK_CONFORMANCE(managed_kind);

}  // namespace dlock::testing
