// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/memory.hpp>
#include <dlock/memory/lock_manager.hpp>
#include <dlock/memory/multi_lock.hpp>

#include "tests/conformance/suite.hpp"

namespace dlock::testing {
namespace {

memory::server server;

struct own_session {
    static constexpr const char* title = "OwnSession";
    memory::session& session() { return session_; }
    memory::session session_{server, "somebody"};
};

struct memory_kind {
    static constexpr auto backends = hana::tuple_t<memory::lock_table, one_by_one<memory::lock_table>>;
    static constexpr auto owners = hana::tuple_t<own_session>;
    static std::optional<int> waiters() { return static_cast<int>(server.waiting()); }
    static int held() { return static_cast<int>(server.held()); }
};

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

INSTANTIATE_LOCK_CONFORMANCE(memory_kind);
INSTANTIATE_TEST_SUITE_P(Managed, LockConformance, ::testing::ValuesIn(worlds<managed_kind>()),
                         [](const auto& of) { return of.param->name(); });

}  // namespace dlock::testing
