// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <memory>
#include <shared_mutex>

#include <dlock/memory.hpp>

#include "bench/dlock_rivals.hpp"
#include "bench/rivals.hpp"

namespace dlock::bench {
namespace {

class mutex_rival final : public rival {
public:
    void acquire() override { mutex_.lock(); }
    void release() override { mutex_.unlock(); }

private:
    std::shared_timed_mutex mutex_;
};

}  // namespace

namespace memory_rivals {

locker standard_mutex() {
    return {"std::shared_timed_mutex", "shared_timed_mutex", [] { return std::make_unique<mutex_rival>(); }};
}

rival_maker dlock() {
    return [] {
        return std::make_unique<dlock_rival<memory::lock, memory::session>>(
            how::lock, std::make_shared<memory::session>(memory::server::process_wide(), "benchmark"), the_name);
    };
}

}  // namespace memory_rivals
}  // namespace dlock::bench
