// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/soci/end_watch.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <dlock/detail/background_thread.hpp>
#include <dlock/error.hpp>
#include <dlock/soci/above_standard.hpp>

namespace dlock::soci_support {
namespace {

/// The one thread of a process. It is never destroyed: at the end of the process there is nothing left that it could tell.
class watcher {
public:
    /// A forked child makes its own, and leaves the inherited one alone: its epoll instance is the parent's, and its mutex may
    /// have been locked when the child was forked.
    static watcher& process_wide() {
        static std::atomic<watcher*> current = nullptr;
        watcher* known = current.load(std::memory_order_acquire);
        while (known == nullptr || !known->made_.is_here()) {
            auto made = std::make_unique<watcher>();
            if (current.compare_exchange_strong(known, made.get())) return *made.release();
        }
        return *known;
    }

    /// A name of its own for every watch: descriptors are used again, and an event may be on its way.
    std::uint64_t add(int socket, std::shared_ptr<detail::loss_signal> signal) {
        const std::lock_guard guard{mutex_};
        if (epoll_ < 0) start();
        const auto watch = next_++;
        epoll_event event{};
        event.events = EPOLLRDHUP;
        event.data.u64 = watch;
        signals_.emplace(watch, std::pair{socket, std::move(signal)});
        if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event) != 0) {
            signals_.erase(watch);
            fail("cannot be watched");
        }
        return watch;
    }

    void remove(std::uint64_t watch) noexcept { (void)take(watch); }

    [[noreturn]] static void fail(const char* what) {
        throw lock_error{errc::server_error, std::string{"dlock: the connection "} + what + ": " +
                                                 std::system_category().message(errno)};
    }

private:
    void start() {
        epoll_ = above_standard(::epoll_create1(EPOLL_CLOEXEC));
        if (epoll_ < 0) fail("cannot be watched");
        try {
            detail::background_thread{"dlock-loss", [this](const std::stop_token&) { run(); }}.detach();
        } catch (...) {
            ::close(std::exchange(epoll_, -1));
            throw;
        }
    }

    void run() {
        std::array<epoll_event, 64> events{};
        for (;;) {
            const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
            for (int i = 0; i < count; ++i) {
                // without the mutex: a callback may well end the lock that it hears of
                if (const auto signal = take(events[static_cast<std::size_t>(i)].data.u64)) signal->raise_for_good();
            }
        }
    }

    /// Ends a watch; an end is told once.
    std::shared_ptr<detail::loss_signal> take(std::uint64_t watch) noexcept {
        const std::lock_guard guard{mutex_};
        const auto at = signals_.find(watch);
        if (at == signals_.end()) return nullptr;
        auto [socket, signal] = std::move(at->second);
        signals_.erase(at);
        ::epoll_ctl(epoll_, EPOLL_CTL_DEL, socket, nullptr);
        return signal;
    }

    detail::birthplace made_;
    std::mutex mutex_;
    int epoll_ = -1;
    std::uint64_t next_ = 1;
    std::map<std::uint64_t, std::pair<int, std::shared_ptr<detail::loss_signal>>> signals_;
};

}  // namespace

end_watch::end_watch(int socket, std::shared_ptr<detail::loss_signal> signal)
    : socket_{::fcntl(socket, F_DUPFD_CLOEXEC, 3)}, kept_{socket_} {
    if (socket_ < 0) watcher::fail("cannot be watched");
    kept_.keep(true);  // a watch is of something that is held
    try {
        watch_ = watcher::process_wide().add(socket_, std::move(signal));
    } catch (...) {
        ::close(socket_);
        throw;
    }
}

end_watch::~end_watch() {
    if (made_.is_here()) watcher::process_wide().remove(watch_);
    ::close(socket_);
}

}  // namespace dlock::soci_support
