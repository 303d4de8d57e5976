// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/detail/background_thread.hpp>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <memory>
#include <system_error>
#include <type_traits>
#include <utility>

#include <pthread.h>

#include <dlock/error.hpp>

namespace dlock::detail {
namespace {

static_assert(std::is_same_v<pthread_t, unsigned long>);

/// While it lives, threads are born with these signals blocked: all but those that a fault of the thread itself raises, which
/// would end the process without a word to the program's handler.
/// https://man7.org/linux/man-pages/man3/pthread_sigmask.3.html
class signals_blocked {
public:
    signals_blocked() noexcept {
        sigset_t all;
        ::sigfillset(&all);
        for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) ::sigdelset(&all, fault);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~signals_blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    signals_blocked(const signals_blocked&) = delete;
    signals_blocked& operator=(const signals_blocked&) = delete;

private:
    sigset_t before_;
};

class attributes {
public:
    attributes() noexcept {
        ::pthread_attr_init(&attributes_);
        std::size_t size = 0;
        constexpr std::size_t least = std::size_t{1} << 20U;  // callbacks of the user's run on these threads
        if (::pthread_attr_getstacksize(&attributes_, &size) == 0 && size < least) (void)::pthread_attr_setstacksize(&attributes_, least);
    }
    ~attributes() { ::pthread_attr_destroy(&attributes_); }
    attributes(const attributes&) = delete;
    attributes& operator=(const attributes&) = delete;

    [[nodiscard]] const pthread_attr_t* get() const noexcept { return &attributes_; }

private:
    pthread_attr_t attributes_;
};

}  // namespace

void background_thread::start(const char* name, work* what) {
    std::unique_ptr<work> owned{what};
    stop_ = std::stop_source{};
    owned->name = name;
    owned->stop = stop_.get_token();
    const attributes how;
    const signals_blocked quiet;
    const int error = ::pthread_create(&thread_, how.get(), main, what);
    if (error != 0) {
        throw lock_error{errc::server_error, "dlock: this process can have no more threads, and one is needed: " + std::generic_category().message(error)};
    }
    (void)owned.release();  // NOLINT(bugprone-unused-return-value): the thread has it
    joinable_ = true;
}

background_thread::background_thread(background_thread&& other) noexcept { *this = std::move(other); }

background_thread& background_thread::operator=(background_thread&& other) noexcept {
    if (this == &other) return *this;
    finish();
    stop_ = std::exchange(other.stop_, std::stop_source{std::nostopstate});
    thread_ = other.thread_;
    joinable_ = std::exchange(other.joinable_, false);
    return *this;
}

void* background_thread::main(void* what) noexcept {
    const std::unique_ptr<work> owned{static_cast<work*>(what)};
    (void)::pthread_setname_np(::pthread_self(), owned->name);
    owned->run(owned->stop);
    return nullptr;
}

void background_thread::join() noexcept {
    if (std::exchange(joinable_, false)) ::pthread_join(thread_, nullptr);
}

void background_thread::detach() noexcept {
    if (std::exchange(joinable_, false)) ::pthread_detach(thread_);
}

void background_thread::finish() noexcept {
    request_stop();
    join();
}

}  // namespace dlock::detail
