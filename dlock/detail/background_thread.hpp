// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Threads of dlock's own. What is per process or per thread is the program's: such a thread takes none of its signals, bears a
// name of its own in a debugger and in top(1), and has a stack that does not depend on a small `ulimit -s`.
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <stop_token>

namespace dlock::detail {

/// A thread that is asked to stop, and awaited, when the object ends: std::jthread with the above.
///
/// \pre Not destroyed in a forked child, which has no such thread: see detail::birthplace.
class background_thread {
public:
    /// None.
    background_thread() noexcept = default;

    /// Runs `what(stop)`, which must not throw.
    /// \param name  15 characters at most
    /// \throws lock_error  server_error: the process can have no more threads
    template <class Function>
    background_thread(const char* name, Function what) {
        start(name, new task<Function>{what});
    }

    background_thread(background_thread&& other) noexcept;
    background_thread& operator=(background_thread&& other) noexcept;
    ~background_thread() { finish(); }

    void request_stop() noexcept { stop_.request_stop(); }
    /// Awaits its end; a thread that nobody asks to stop may not come to one. Does nothing where there is none.
    void join() noexcept;

    /// Lets it run on its own.
    void detach() noexcept;

private:
    struct work {
        virtual ~work() = default;
        virtual void run(const std::stop_token& stop) = 0;
        const char* name = nullptr;
        std::stop_token stop;
    };
    template <class Function>
    struct task final : work {
        explicit task(Function& f) : what(static_cast<Function&&>(f)) {}
        void run(const std::stop_token& token) override { what(token); }
        Function what;
    };

    void start(const char* name, work* what);
    static void* main(void* what) noexcept;
    void finish() noexcept;

    std::stop_source stop_{std::nostopstate};
    unsigned long thread_ = 0;  ///< a pthread_t
    bool joinable_ = false;
};

}  // namespace dlock::detail
