// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <memory>
#include <shared_mutex>
#include <string>

#include <dlock/memory.hpp>

#include "bench/dlock_rival.hpp"
#include "bench/rivals.hpp"

namespace dlock::bench {
namespace {

/// Made from any text, as the sessions of the other backends are.
struct memory_session : memory::session {
    explicit memory_session(const std::string& description) : session{memory::server::process_wide(), description} {}
};

/// What threads of one process should use.
class standard_mutex final : public rival {
public:
    void acquire() override { mutex_.lock(); }
    void release() override { mutex_.unlock(); }

private:
    std::shared_timed_mutex mutex_;
};

}  // namespace

std::vector<contest> memory_contests() {
    return {{
        .where = "memory",
        .id = "memory/lock",
        .what = "lock(), unlock()",
        .contenders =
            {
                {"std::shared_timed_mutex", "shared_timed_mutex", [] { return std::make_unique<standard_mutex>(); }},
                {"dlock", "dlock",
                 [] {
                     return std::make_unique<dlock_rival<memory::lock, memory_session>>(how::lock, "benchmark",
                                                                                        "dlock benchmark");
                 }},
            },
    }};
}

}  // namespace dlock::bench
