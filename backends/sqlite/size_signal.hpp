// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The signal of a file that gets too large. Internal to this backend.
//
// A write beyond RLIMIT_FSIZE (`ulimit -f`) ends the process by SIGXFSZ, unless the program has said otherwise; a library has an
// error to give instead. The signal comes to the thread that writes; blocked there, the write fails all the same. https://man7.org/linux/man-pages/man2/setrlimit.2.html
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <csignal>
#include <ctime>

namespace dlock::sqlite {

/// While it lives, such a write of this thread fails with EFBIG, and that is all.
class size_signal_blocked {
public:
    size_signal_blocked() noexcept {
        sigset_t pending;
        sigemptyset(&only_);
        sigaddset(&only_, SIGXFSZ);
        sigpending(&pending);
        was_pending_ = sigismember(&pending, SIGXFSZ) == 1;
        ::pthread_sigmask(SIG_BLOCK, &only_, &before_);
    }
    ~size_signal_blocked() {
        const timespec at_once{};
        if (!was_pending_) (void)::sigtimedwait(&only_, nullptr, &at_once);
        ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }
    size_signal_blocked(const size_signal_blocked&) = delete;
    size_signal_blocked& operator=(const size_signal_blocked&) = delete;

private:
    sigset_t only_, before_;
    bool was_pending_;
};

}  // namespace dlock::sqlite
