// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The sessions of this process that want one lock. Internal to this backend.
//
// SQLite has no queue: who finds a file locked looks again. Here the waiters of a process stand in line, first come first
// served, and only the first of them looks at the file; a session of this process that gives the lock back wakes it. The
// line decides who looks and when, never who holds: that is what SQLite has of the file. Whatever is believed here and
// is wrong (a holder that has lost its file, say) costs time.
//
// From one session to the next a lock could stay in a process for ever, and the waiters of others, who look once in a
// nap, would find it free by chance. So a process whose turn is over, while others wait, leaves the lock alone for longer
// than their longest nap, or until none of them waits any more.
//
// Any thread.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

#include <dlock/backend.hpp>
#include <dlock/deadline.hpp>
#include <dlock/sqlite/marks.hpp>
#include <dlock/sqlite/naps.hpp>

namespace dlock::sqlite {

class queue {
public:
    using clock = deadline::clock;

    /// How long a process may take a lock again and again while others wait for it. Of its tries nothing keeps count.
    static constexpr std::chrono::milliseconds turn{10};
    /// How long it then leaves the lock to them: more than three of their longest naps.
    static constexpr std::chrono::milliseconds way{3};
    /// How long the first in line sleeps at most while another session of this process holds the lock exclusively. It is
    /// woken by the release, unless that lock is lost and nobody has noticed.
    static constexpr std::chrono::milliseconds watch{50};

    /// \param others  where this process shows those that it waits, and sees whether they do; outlives this
    /// \param byte    what stands for this lock there
    queue(marks& others, off_t byte) noexcept : others_{others}, byte_{byte} {}
    queue(const queue&) = delete;
    queue& operator=(const queue&) = delete;

    class hold;
    class place;

    /// Whether this process, whose turn may be over, leaves the lock to others now. Who only tries does not ask: marks may be
    /// wrong, and this costs a try more than time.
    [[nodiscard]] bool gives_way() noexcept {
        return now() - turn_began_.load(std::memory_order_relaxed) >= turn_ticks && look_for_others();
    }

    /// How many stand in line.
    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_; }

    /// Whether a session of this process holds the lock shared.
    [[nodiscard]] bool reads() const noexcept { return readers_ != 0; }

private:
    static constexpr clock::rep turn_ticks = clock::duration{turn}.count();

    [[nodiscard]] static clock::rep now() noexcept { return clock::now().time_since_epoch().count(); }
    bool look_for_others() noexcept;
    bool gives_way_now() noexcept;  ///< with the mutex
    void begin_turn() noexcept;
    void given_back() noexcept;

    marks& others_;
    const off_t byte_;
    std::atomic<std::size_t> waiting_ = 0;                    ///< line_.size()
    std::atomic<int> readers_ = 0, writers_ = 0;              ///< sessions here that hold it, or think so
    std::atomic<clock::rep> turn_began_{now() - turn_ticks};  ///< who is new lets others go first

    std::mutex mutex_;  ///< guards what follows
    std::list<place*> line_;
    unsigned long releases_ = 0;
    std::optional<clock::time_point> way_given_;  ///< since when this process leaves the lock to others
};

/// A session's knowledge that it holds the lock. Ended after the lock was given back to SQLite, and not before.
class queue::hold {
public:
    explicit hold(std::shared_ptr<queue> of) noexcept : queue_{std::move(of)} {}
    ~hold() { end(); }
    hold(const hold&) = delete;
    hold& operator=(const hold&) = delete;

    void begin(mode m) noexcept {
        mode_ = m;
        ++holders();
    }

    /// Wakes the first in line.
    void end() noexcept {
        if (!mode_) return;
        --holders();
        mode_.reset();
        if (queue_->waiting() != 0) queue_->given_back();  // who joins the line now has not looked at the file yet
    }

    [[nodiscard]] const std::shared_ptr<queue>& of() const noexcept { return queue_; }

private:
    std::atomic<int>& holders() const noexcept { return *mode_ == mode::exclusive ? queue_->writers_ : queue_->readers_; }

    std::shared_ptr<queue> queue_;
    std::optional<mode> mode_;
};

/// A place in line; one thread has it. Who leaves, with the lock or without, lets the next one look.
class queue::place {
public:
    /// The last one.
    explicit place(std::shared_ptr<queue> in);
    ~place();
    place(const place&) = delete;
    place& operator=(const place&) = delete;

    /// Returns when this is the first, and no other process is to be let in before. False: the deadline has passed, or a
    /// stop was requested, before.
    [[nodiscard]] bool await_turn(deadline until, const std::stop_token& stop) noexcept;

    /// Of the first, who has looked at the file and found it locked: returns when it should look again. That is when a
    /// session of this process has given the lock back since the last look, after a nap, with the deadline, or with a stop
    /// request.
    void nap(deadline until, const std::stop_token& stop) noexcept;

    /// It has the lock.
    void granted() noexcept;

    [[nodiscard]] bool reads_here() const noexcept { return queue_->reads(); }

private:
    friend class queue;

    template <class Ready>
    bool sleep(std::unique_lock<std::mutex>& guard, clock::duration at_most, deadline until, const std::stop_token& stop,
               Ready ready);
    [[nodiscard]] bool first() const noexcept { return queue_->line_.front() == this; }
    void mark() noexcept;

    std::shared_ptr<queue> queue_;
    std::condition_variable_any woken_;
    naps naps_;
    unsigned long seen_ = 0;   ///< the releases before the last look
    bool marked_ = false;      ///< other processes can see that this one waits
    int naps_beside_others_ = 0;
    std::list<place*>::iterator at_;
};

}  // namespace dlock::sqlite
