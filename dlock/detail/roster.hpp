// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The connections of a lock_manager: a bounded number, opened when they are needed.
//
// A server works on one statement of a connection at a time, so a connection on which somebody waits in the server's queue
// can do nothing else. Therefore nobody waits on a connection that holds a lock, whose release would have to wait too, and
// at least one connection is always free for what does not wait.
//
// The lock_manager's mutex guards all of it, and is free while a connection is opened or buried: the end of a connection
// waits for the callback that tells of its loss, and that callback needs the mutex.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include <dlock/deadline.hpp>
#include <dlock/detail/loss_signal.hpp>
#include <dlock/error.hpp>
#include <dlock/pipeline.hpp>
#include <dlock/verify_exclusion.hpp>

namespace dlock::detail {

template <class Backend>
class roster {
public:
    struct connection {
        connection(std::shared_ptr<typename Backend::session_type> session, std::chrono::milliseconds grace) : pipe{std::move(session)} {
            if constexpr (requires { pipe.set_grace(grace); }) pipe.set_grace(grace);
        }

        typename Backend::pipeline_type pipe;
        std::size_t held = 0;  ///< locks
        unsigned users = 0;    ///< threads that are about to send, or await an answer
        bool waiting = false;  ///< in the server's queue; nothing else may be sent
        bool over = false;     ///< has ended; no longer in the roster
        std::atomic<bool> told = false;  ///< and every lock on it has been told
        loss_signal losses;              ///< of the locks that it holds
        std::optional<std::stop_callback<std::function<void()>>> on_loss;
    };
    using handle = std::shared_ptr<connection>;
    using connector = std::function<std::shared_ptr<typename Backend::session_type>()>;
    using guard = std::unique_lock<std::mutex>;

    /// \param lost  called without the mutex, by whichever thread notices
    roster(connector connect, std::size_t most, std::chrono::milliseconds grace, std::function<void(const handle&)> lost)
        : connect_{std::move(connect)}, most_{most}, grace_{grace}, lost_{std::move(lost)} {
        connections_.reserve(most_);
    }

    /// A connection for what does not wait: `preferred` if it can be, else the one with the fewest users; opened if there is
    /// none. Counts the caller among its users.
    /// \throws lock_error  not_connected: cannot connect, or could not a moment ago
    handle pick(guard& locked, const handle& preferred) {
        for (;;) {
            if (preferred && is_free(*preferred)) return used(preferred);
            handle best;
            for (const auto& c : connections_) {
                if (is_free(*c) && (!best || c->users < best->users)) best = c;
            }
            if (best) return used(best);
            if (connections_.size() + opening_ < most_) return used(open(locked, false));
            opened_.wait(locked);
        }
    }

    /// Another one than `on`, for what does not wait; opened if there is none. Null: there can be none. Counts as pick() does.
    /// \throws lock_error  as pick()
    handle pick_other(guard& locked, const handle& on) {
        handle best;
        for (const auto& c : connections_) {
            if (c != on && is_free(*c) && (!best || c->users < best->users)) best = c;
        }
        if (best) return used(best);
        return connections_.size() + opening_ < most_ ? used(open(locked, false)) : nullptr;
    }

    /// A connection to wait on, which holds nothing; null when none can be spared.
    /// \throws lock_error  as pick(), when there is no connection at all
    handle check_out(guard& locked) {
        for (const auto& c : connections_) {
            if (!is_free(*c) || c->held != 0 || c->users != 0 || !c->pipe.idle() || !is_spare(c)) continue;
            c->waiting = true;
            return c;
        }
        // One that does not wait must be there, or find room: the one that was there may have ended since it was tried.
        const bool has_free = std::ranges::any_of(connections_, [](const handle& c) { return is_free(*c); });
        if (connections_.size() + opening_ + (has_free ? 0 : 1) >= most_) return nullptr;
        try {
            return open(locked, true);
        } catch (const lock_error&) {
            if (connections_.empty()) throw;
            return nullptr;  // the server has no connection left for us
        }
    }

    void check_in(const handle& c) {
        c->waiting = false;
        opened_.notify_all();
    }

    /// Takes it out. False: it was out already.
    bool remove(const handle& c) {
        if (std::exchange(c->over, true)) return false;
        std::erase(connections_, c);
        ended_.push_back(c);
        opened_.notify_all();
        return true;
    }

    /// After this no callback for a connection that was taken out runs, or will. Without the mutex, but for a moment.
    void bury_all(guard& locked) { bury(locked, std::exchange(ended_, {})); }

    [[nodiscard]] const std::vector<handle>& connections() const noexcept { return connections_; }

    /// A session outside the roster. Without the mutex.
    [[nodiscard]] std::shared_ptr<typename Backend::session_type> connect() const { return opened(connect_); }

private:
    static bool is_free(const connection& c) noexcept { return !c.waiting && !c.over; }

    static handle used(handle c) {
        ++c->users;
        return c;
    }

    bool is_spare(const handle& c) const {
        return std::ranges::any_of(connections_, [&](const handle& other) { return other != c && is_free(*other); });
    }

    static void bury(guard& locked, std::vector<handle> ended) {
        locked.unlock();
        for (const auto& c : ended) {
            c->on_loss.reset();
            c->pipe.sever();
        }
        ended.clear();
        locked.lock();
    }

    /// Those whose callback is done with its user's callbacks, which may well wait for whoever opens a connection.
    std::vector<handle> told() {
        std::vector<handle> found;
        found.reserve(ended_.size());
        std::erase_if(ended_, [&](const handle& c) {
            if (!c->told) return false;
            found.push_back(c);
            return true;
        });
        return found;
    }

    handle open(guard& locked, bool to_wait) {
        if (failed_ && !retry_at_.expired()) throw *failed_;
        ended_.reserve(ended_.size() + most_);  // remove() cannot throw
        auto ended = told();
        ++opening_;
        bury(locked, std::move(ended));
        locked.unlock();
        handle made;
        try {
            made = std::make_shared<connection>(connect(), grace_);
            made->waiting = to_wait;
            made->on_loss.emplace(made->pipe.lost(), [this, known = std::weak_ptr{made}] {
                if (const auto c = known.lock()) lost_(c);
            });
        } catch (const lock_error& error) {
            locked.lock();
            --opening_;
            failed_ = error;
            pause_ = std::min(longest_pause, 2 * pause_);
            retry_at_ = deadline::after(pause_);
            opened_.notify_all();
            throw;
        } catch (...) {
            locked.lock();
            --opening_;
            opened_.notify_all();
            throw;
        }
        locked.lock();
        --opening_;
        failed_.reset();
        pause_ = shortest_pause;
        opened_.notify_all();
        if (made->over) throw lock_error{errc::lost, "dlock: the session has lost its connection"};
        connections_.push_back(made);  // within what is reserved
        return made;
    }

    static constexpr std::chrono::milliseconds shortest_pause{25}, longest_pause{2000};

    connector connect_;
    std::size_t most_;
    std::chrono::milliseconds grace_;
    std::function<void(const handle&)> lost_;
    std::vector<handle> connections_;
    std::vector<handle> ended_;
    std::size_t opening_ = 0;
    std::condition_variable opened_;  ///< or ended, or free again
    std::chrono::milliseconds pause_ = shortest_pause;  ///< between two attempts that fail
    deadline retry_at_ = deadline::never();
    std::optional<lock_error> failed_;  ///< the attempt before
};

}  // namespace dlock::detail
