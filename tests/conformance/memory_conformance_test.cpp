// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/memory.hpp>
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

}  // namespace

INSTANTIATE_LOCK_CONFORMANCE(memory_kind);

}  // namespace dlock::testing
