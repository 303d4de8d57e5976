// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// dlock's own contender, the same for every backend.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>

#include "bench/contest.hpp"

namespace dlock::bench {

/// How the lock is asked for.
enum class how { lock, try_lock, try_lock_for };

template <class Lock, class Session>
class dlock_rival final : public rival {
public:
    dlock_rival(how way, const std::string& session, const std::string& name)
        : way_{way}, session_{session}, lock_{session_, name} {}

    void acquire() override {
        switch (way_) {
            case how::lock: return lock_.lock();
            case how::try_lock: return require(lock_.try_lock());
            case how::try_lock_for: return require(lock_.try_lock_for(std::chrono::seconds{1}));
        }
    }

    void release() override { lock_.unlock(); }

private:
    static void require(bool granted) {
        if (!granted) throw std::runtime_error{"somebody else has the lock"};
    }

    how way_;
    Session session_;
    Lock lock_;
};

}  // namespace dlock::bench
