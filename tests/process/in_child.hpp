// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A part of a test that runs in a forked child. For one file of a test.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <exception>
#include <string>
#include <system_error>

/// Children make threads here, as a server's workers do. ThreadSanitizer lets them, but takes threads that the parent had for their own:
/// it aborts a child ("dup thread") as soon as one of its threads gets the address of one of the parent's.
#if defined(__SANITIZE_THREAD__)
#define SKIP_IF_CHILDREN_CANNOT_HAVE_THREADS() GTEST_SKIP() << "ThreadSanitizer mixes up the threads of a parent and its child"
#else
#define SKIP_IF_CHILDREN_CANNOT_HAVE_THREADS() static_assert(true)
#endif
extern "C" const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() { return "die_after_fork=0"; }

namespace dlock::testing {

/// Runs `what` in a child; what it returns or throws, or "? status …" when it has crashed or takes longer than a minute.
template <class Function>
std::string in_child(Function what) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::system_error{errno, std::generic_category(), "pipe"};
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(60);
        std::string said;
        try {
            said = what();
        } catch (const std::exception& e) {
            said = std::string{"exception: "} + e.what();
        }
        said += '.';
        (void)!::write(ends[1], said.data(), said.size());
        ::_exit(0);
    }
    ::close(ends[1]);
    std::string said;
    for (char c = 0; ::read(ends[0], &c, 1) == 1;) said += c;
    ::close(ends[0]);
    int status = 0;
    while (::waitpid(child, &status, 0) == -1 && errno == EINTR) {}
    if (said.empty() || said.back() != '.') return "? status " + std::to_string(status);
    said.pop_back();
    return said;
}

}  // namespace dlock::testing
