// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What is behind a lock_manager: who holds which key, who waits here and who asks the server, and what becomes of a connection that
// ends. dlock/lock_manager.hpp says what each member does, and guards it in forked children.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <dlock/backend.hpp>
#include <dlock/deadline.hpp>
#include <dlock/detail/background_thread.hpp>
#include <dlock/detail/either_stop.hpp>
#include <dlock/detail/local_queue.hpp>
#include <dlock/detail/managed_keys.hpp>
#include <dlock/detail/parker.hpp>
#include <dlock/detail/process.hpp>
#include <dlock/detail/roster.hpp>
#include <dlock/error.hpp>
#include <dlock/lock_manager_options.hpp>
#include <dlock/pipeline.hpp>
#include <dlock/verify_exclusion.hpp>

namespace dlock::detail {

template <pipelining_backend Backend>
class lock_manager_state {
    using roster = detail::roster<Backend>;
    using handle = typename roster::handle;
    using waiter = detail::waiter;
    using outcome = waiter::outcome;
    using key_table = detail::managed_keys<typename Backend::key_type, handle>;
    using entry = typename key_table::entry;
    using guard = std::unique_lock<std::mutex>;

public:
    using key_type = typename Backend::key_type;
    using grant_type = detail::managed_grant;
    using connector = typename roster::connector;

    /// \param address  of the server, for all managers of the process that have the same one
    lock_manager_state(connector connect, lock_manager_options options, const std::string* address)
        : options_{checked(options)}, roster_{std::move(connect), options.connections, options.grace, [this](const handle& c) { lose(c); }} {
        guard locked{mutex_};
        const auto first = roster_.pick(locked, nullptr);
        check_ = first->pipe.checker();
        try {
            const in_use used{*first};
            unlocked(locked, [&] { prove_exclusion(*first, address); });
        } catch (...) {
            locked.unlock();
            (void)shut(deadline::after(std::chrono::milliseconds::zero()));
            throw;
        }
    }

    ~lock_manager_state() { (void)shut(deadline::after(std::chrono::milliseconds::zero())); }
    lock_manager_state(const lock_manager_state&) = delete;
    lock_manager_state& operator=(const lock_manager_state&) = delete;

    [[nodiscard]] std::size_t connections() const {
        const guard locked{mutex_};
        return roster_.connections().size();
    }

    [[nodiscard]] std::size_t held() const {
        const guard locked{mutex_};
        return held_;
    }

    [[nodiscard]] std::size_t waiters() const {
        const guard locked{mutex_};
        return waiters_;
    }

    // --- what managed<Backend> is made of

    void check(const key_type& k) const { check_(k); }

    /// \param until  nothing: only try
    std::optional<grant_type> acquire(const key_type& k, mode m, std::optional<deadline> until, const std::stop_token& stop) {
        if (stop.stop_requested()) throw cancelled();
        guard locked{mutex_};
        if (closed_) throw over();
        if (m == mode::shared) {
            if (auto joined = join(locked, k)) return joined;
            if (closed_) throw over();
        }
        entry& e = keys_.find_or_make(k);
        if (e.now != entry::is::free) {
            if (!until) return std::nullopt;
            waiter self{m};
            const bool first = e.queue.empty();
            e.queue.push(self);
            ++waiters_;
            locked.unlock();
            await(self, e, first, *until, stop, locked);
            switch (self.became) {
                case outcome::queued: return std::nullopt;
                case outcome::closed: throw over();
                case outcome::granted:
                    if (!stop.stop_requested()) return self.grant;
                    (void)release(k, self.grant);
                    throw cancelled();
                case outcome::leads: break;
            }
            locked.lock();
        } else {
            e.now = entry::is::busy;
            ++busy_;
        }
        return lead(locked, e, k, m, until, stop);
    }

    /// Sends nothing while threads here wait for the key and the turn is not over.
    released release(const key_type& k, const grant_type& g) noexcept {
        detail::wake_list woken;
        guard locked{mutex_};
        entry* const found = keys_.find_held(k, g.epoch);
        if (found == nullptr) return released::lost;
        entry& e = *found;
        const bool hands_over =
            e.holders == 1 && !e.queue.empty() && e.queue.front().wanted == e.held_in && !closed_ && has_turn(e);
        if (e.holders > 1 || hands_over) {
            e.on->losses.forget(g.ticket);
            --e.holders;
            if (hands_over) admit(e, woken);
            locked.unlock();
            return released::yes;
        }
        const handle c = e.on;
        const mode m = e.held_in;
        e.now = entry::is::busy;
        e.epoch = 0;
        ++busy_;
        locked.unlock();
        const auto number = c->pipe.release(k, m);  // without the mutex: others go on meanwhile; with it, they would overtake
        locked.lock();
        --busy_;
        --c->held;
        --held_;
        e.release = number;
        if (number != 0) c->losses.forget(g.ticket);
        if (c->over) e.on.reset();
        settle(e, woken);
        keys_.forget_answered();
        watch_for_answers();
        if (closed_) settled_.notify_all();
        locked.unlock();
        if (number != 0) return released::yes;
        lose(c);
        return released::lost;
    }

    bool holds(const key_type& k, const grant_type& g) noexcept {
        const guard locked{mutex_};
        return keys_.find_held(k, g.epoch) != nullptr;
    }

    std::stop_token lost(const key_type& k, const grant_type& g) {
        const guard locked{mutex_};
        const entry* const e = keys_.find_held(k, g.epoch);
        return e != nullptr ? e->on->losses.of(g.ticket) : loss_signal::raised();
    }

    void sever(const grant_type& g) noexcept {
        handle on;
        {
            const guard locked{mutex_};
            keys_.for_each([&](const entry& e) {
                if (e.epoch == g.epoch) on = e.on;
            });
        }
        if (on) on->pipe.sever();  // without the mutex: it may tell of the loss before it returns
    }

    std::vector<holder> holders(const key_type& k) {
        guard locked{mutex_};
        if (closed_) throw over();
        const auto c = roster_.pick(locked, nullptr);
        const in_use used{*c};
        return unlocked(locked, [&] { return c->pipe.holders(k); });
    }

private:
    /// \throws lock_error  unsupported. What goes wrong otherwise will be told to whoever locks.
    void prove_exclusion(typename roster::connection& first, const std::string* address) {
        if constexpr (randomly_keyed<Backend>) {
            const void* const kind = &kind_of<Backend>;
            if (address != nullptr ? is_proven(kind, *address) : options_.connections == 1) return;
            struct pipelined {
                typename Backend::pipeline_type& pipe;
                const key_type& key;
                bool try_acquire() { return pipe.try_acquire(key, mode::exclusive); }
                void ask() { (void)pipe.holders(key); }
                void release() noexcept {
                    if (pipe.release(key, mode::exclusive) == 0) return;
                    try {
                        (void)pipe.holders(key);  // its answer comes behind that of the release
                    } catch (const std::exception&) {
                        pipe.sever();
                    }
                }
            };
            const auto key = random_key<Backend>();
            exclusion seen{};
            try {
                const auto second = roster_.connect();
                seen = exclude_each_other(pipelined{first.pipe, key}, contender<Backend>{*second, key});
            } catch (const lock_error& e) {
                if (e.reason() == errc::unsupported) throw;
                return;
            } catch (const std::exception&) {
                return;
            }
            require(seen);
            if (address != nullptr) set_proven(kind, *address);
        }
    }

    // --- one key

    static lock_error cancelled() { return {errc::cancelled, "dlock: the wait was cancelled"}; }
    static lock_error over() { return {errc::cancelled, "dlock: the lock_manager is closed"}; }

    bool has_turn(entry& e) noexcept { return e.hand_overs++ < options_.hand_overs && !e.turn_ends.expired(); }

    grant_type next_of(const entry& e) noexcept { return {e.epoch, ++last_ticket_}; }

    waiter& pop(entry& e) noexcept {
        --waiters_;
        return e.queue.pop();
    }

    /// The first in the queue holds the lock now, and with a reader the readers behind it.
    void admit(entry& e, detail::wake_list& woken) noexcept {
        do {
            auto& next = pop(e);
            ++e.holders;
            next.grant = next_of(e);
            woken.add(next, outcome::granted);
        } while (e.held_in == mode::shared && !e.queue.empty() && e.queue.front().wanted == mode::shared);
        if (!e.queue.empty()) woken.rouse(e.queue.front());
    }

    static bool readers_are_next(const entry& e) noexcept {
        return e.now == entry::is::held && e.held_in == mode::shared && !e.queue.empty() && e.queue.front().wanted == mode::shared;
    }

    /// Readers of this process share what the server has granted to one of them. Nothing: there is nobody to join, or it is
    /// somebody else's turn.
    std::optional<grant_type> join(guard& locked, const key_type& k) {
        for (bool asked = false;; asked = true) {
            entry* const e = keys_.find(k);
            if (e == nullptr || e->now != entry::is::held || e->held_in != mode::shared || !e->queue.empty()) return std::nullopt;
            if (asked || has_turn(*e)) {
                ++e->holders;
                return next_of(*e);
            }
            if (!goes_on(locked, *e, k)) return std::nullopt;
        }
    }

    /// Their turn is over, which matters only to somebody who waits at the server. A try on another connection finds out: unlike
    /// one on their own, it stands behind who waits. If there is nobody, the turn begins anew. \post e may be gone
    bool goes_on(guard& locked, const entry& e, const key_type& k) {
        const auto epoch = e.epoch;
        try {
            const auto c = roster_.pick_other(locked, e.on);
            if (!c) return false;
            const in_use used{*c};
            const bool nobody_waits = unlocked(locked, [&] {
                if (!c->pipe.try_acquire(k, mode::shared)) return false;
                if (c->pipe.release(k, mode::shared) == 0) lose(c);
                else (void)c->pipe.holders(k);  // its answer comes behind the release, which must not be in the way of others
                return true;
            });
            if (!nobody_waits) return false;
        } catch (const lock_error&) {
            return false;
        }
        if (entry* const still = keys_.find_held(k, epoch)) {
            still->hand_overs = 0;
            still->turn_ends = deadline::after(options_.turn);
        }
        return true;
    }

    /// Nobody holds it any more: the first in the queue asks the server, or the entry is free.
    void settle(entry& e, detail::wake_list& woken) noexcept {
        e.epoch = 0;
        e.holders = 0;
        if (!e.queue.empty()) {
            e.now = entry::is::busy;
            ++busy_;
            woken.add(pop(e), outcome::leads);
            return;
        }
        keys_.set_free(e);
    }

    /// Sleeps until somebody else has decided what becomes of this waiter, or it leaves the queue.
    /// \param first  its turn is next, so it looks for a moment before it sleeps
    void await(waiter& self, entry& e, bool first, deadline until, const std::stop_token& stop, guard& locked) {
        constexpr int long_look = 400, short_look = 150;  // some 10 µs, and 4
        using woken = detail::parker::woken;
        const std::stop_callback on_stop{stop, [&self] { self.parking.nudge(); }};
        int looks = first ? long_look : 0;
        for (bool leaving = false;;) {
            const auto how = self.parking.park(leaving ? deadline::never() : until, looks);
            if (how == woken::released) return;
            looks = how == woken::nudged ? short_look : 0;
            leaving = how == woken::not_at_all || stop.stop_requested();
            if (!leaving) continue;
            locked.lock();
            if (self.queued) {
                detail::wake_list others;
                e.queue.remove(self);
                --waiters_;
                if (readers_are_next(e) && has_turn(e)) admit(e, others);  // a writer may have been in their way
                locked.unlock();
                others.wake();
                if (stop.stop_requested()) throw cancelled();
                return;
            }
            locked.unlock();  // it has been decided already, and is about to be told
        }
    }

    /// Asks the server on behalf of this process. \pre e.now == busy, by this thread
    std::optional<grant_type> lead(guard& locked, entry& e, const key_type& k, mode m, std::optional<deadline> until,
                                   const std::stop_token& stop) {
        detail::wake_list woken;
        try {
            const auto taken = ask(locked, e, k, m, until, stop, woken);
            leave(locked, e, taken.has_value(), woken);
            return taken;
        } catch (...) {  // of ask(): leave() throws nothing
            leave(locked, e, false, woken);
            throw;
        }
    }

    void leave(guard& locked, entry& e, bool taken, detail::wake_list& woken) noexcept {
        --busy_;
        if (!taken) settle(e, woken);
        if (closed_) settled_.notify_all();
        locked.unlock();
        woken.wake();
    }

    /// Locked when it returns and when it throws, unlocked while it waits.
    std::optional<grant_type> ask(guard& locked, entry& e, const key_type& k, mode m, std::optional<deadline> until,
                                  const std::stop_token& stop, detail::wake_list& woken) {
        const auto asked = deadline::clock::now();
        auto reachable_until = deadline::never();  // counts from when the server did not answer
        std::optional<detail::either_stop> ended;  // by the caller or by close(); only who waits pays for it
        unsigned pauses = 0;
        for (std::size_t broken = 0;;) {
            if (closed_) throw over();
            if (stop.stop_requested()) throw cancelled();
            handle c;
            try {
                c = roster_.pick(locked, e.on);
                if (tries(locked, c, k, m)) return hold(e, m, c, woken);
                reachable_until = deadline::never();
                if (!until || until->expired()) return std::nullopt;
                if (!ended) ended.emplace(stop, closing_.get_token());
                if (const auto spare = roster_.check_out(locked)) {
                    c = spare;
                    if (waits(locked, c, k, m, *until, ended->token())) return hold(e, m, c, woken);
                    return std::nullopt;
                }
            } catch (const lock_error& error) {
                if (closed_) throw over();
                const bool may_pass = error.reason() == errc::not_connected && !error.permanent();
                if (error.reason() != errc::lost && !may_pass) throw;
                if (reachable_until.is_never()) reachable_until = deadline::after(options_.reconnect_for);
                if (c) unlocked(locked, [&] { lose(c); });
                const bool was_silent = deadline::clock::now() - asked >= options_.grace;
                if (c && ++broken <= options_.connections && !was_silent) continue;  // another one, or a new one, may well be fine
                if (!until || until->expired() || reachable_until.expired()) throw;
                if (!ended) ended.emplace(stop, closing_.get_token());
            }
            unlocked(locked, [&] { pause(pauses++, *until, *ended); });
        }
    }

    bool tries(guard& locked, const handle& c, const key_type& k, mode m) {
        const in_use used{*c};
        return still_there(*c, unlocked(locked, [&] { return c->pipe.try_acquire(k, m); }));
    }

    bool waits(guard& locked, const handle& c, const key_type& k, mode m, deadline until, const std::stop_token& stop) {
        const checked_out used{roster_, c};
        return still_there(*c, unlocked(locked, [&] { return c->pipe.acquire_until(k, m, until, stop); }));
    }

    /// A lock is lost with its connection, and with the manager, which is about to end it.
    bool still_there(const typename roster::connection& c, bool granted) const {
        if (granted && (c.over || closed_)) throw lock_error{errc::lost, "dlock: the session has lost its connection"};
        return granted;
    }

    /// While it is sent to without the mutex. Made and destroyed with it.
    struct in_use {
        explicit in_use(typename roster::connection& c) noexcept : on{c} {}
        ~in_use() { --on.users; }
        in_use(const in_use&) = delete;
        in_use& operator=(const in_use&) = delete;
        typename roster::connection& on;
    };
    struct checked_out {
        checked_out(roster& of, const handle& c) noexcept : from{of}, on{c} {}
        ~checked_out() { from.check_in(on); }
        checked_out(const checked_out&) = delete;
        checked_out& operator=(const checked_out&) = delete;
        roster& from;
        const handle& on;
    };

    grant_type hold(entry& e, mode m, const handle& c, detail::wake_list& woken) noexcept {
        e.now = entry::is::held;
        e.held_in = m;
        e.holders = 1;
        e.hand_overs = 0;
        e.epoch = ++last_epoch_;
        e.turn_ends = deadline::after(options_.turn);
        e.on = c;
        ++c->held;
        ++held_;
        if (readers_are_next(e)) admit(e, woken);
        return next_of(e);
    }

    /// Sleeps for a random time up to 1 ms, the next time up to 2 ms, … 20 ms.
    static void pause(unsigned before, deadline until, const detail::either_stop& ended) {
        thread_local std::minstd_rand random{std::random_device{}()};
        const auto longest = std::chrono::microseconds{std::min(20'000U, 1'000U << std::min(before, 5U))};
        const auto time = std::chrono::microseconds{std::uniform_int_distribution<std::int64_t>{longest.count() / 2, longest.count()}(random)};
        detail::parker sleeping;
        const std::stop_callback wake{ended.token(), [&] { sleeping.nudge(); }};
        (void)sleeping.park(std::min(until, deadline::after(time)));
    }

    template <class Function>
    static auto unlocked(guard& locked, Function what) {
        locked.unlock();
        struct relock {
            guard& locked;
            ~relock() { locked.lock(); }
        } const again{locked};
        return what();
    }

    /// The end of a connection: every lock on it is lost, and who waits for one asks anew.
    void lose(const handle& c) noexcept {
        detail::wake_list woken;
        guard locked{mutex_};
        if (!roster_.remove(c)) return;
        keys_.for_each([&](entry& e) {
            if (e.on != c) return;
            if (e.now == entry::is::held) {
                --held_;
                all_given_back_ = all_given_back_ && !closed_;
                settle(e, woken);
            }
            e.on.reset();  // never the last: whoever calls has one
        });
        if (closed_) settled_.notify_all();
        locked.unlock();
        woken.wake();
        c->losses.raise_for_good();
        c->told = true;
    }

    // --- answers

    void watch_for_answers() noexcept {
        if (std::exchange(answers_due_, true)) return;
        housekeeping_.notify_one();
    }

    /// Reads what nobody else reads: the answers to releases after which nothing was asked. Every 10 ms while there are some.
    void keep_house(const std::stop_token& stop) {
        constexpr std::chrono::milliseconds tick{10};
        std::vector<handle> now;
        guard locked{mutex_};
        while (housekeeping_.wait(locked, stop, [&] { return answers_due_; })) {
            (void)housekeeping_.wait_for(locked, stop, tick, [] { return false; });
            answers_due_ = false;
            now = roster_.connections();
            locked.unlock();
            bool due = false;
            for (const auto& c : now) {
                c->pipe.collect();
                due = due || !c->pipe.idle();
            }
            now.clear();
            locked.lock();
            answers_due_ = answers_due_ || due;
            keys_.forget_answered();
        }
    }

public:
    // --- the end

    bool shut(deadline until) noexcept {
        detail::wake_list woken;
        guard locked{mutex_};
        closed_ = true;
        keys_.for_each([&](entry& e) {
            while (!e.queue.empty()) woken.add(pop(e), outcome::closed);
        });
        locked.unlock();
        woken.wake();
        closing_.request_stop();
        locked.lock();
        const auto nothing_held = [&] { return held_ == 0; };
        if (until.is_never()) settled_.wait(locked, nothing_held);
        else settled_.wait_until(locked, until.time(), nothing_held);
        settled_.wait(locked, [&] { return busy_ == 0; });
        const auto connections = roster_.connections();
        locked.unlock();
        for (const auto& c : connections) lose(c);
        locked.lock();
        const bool given_back = all_given_back_;
        roster_.bury_all(locked);
        auto housekeeper = std::exchange(housekeeper_, {});  // of several who close, one gets it
        locked.unlock();
        housekeeper.request_stop();
        housekeeper.join();
        return given_back;
    }

private:
    static lock_manager_options checked(lock_manager_options o) {
        if (o.connections == 0) throw std::invalid_argument{"dlock: a lock_manager needs a connection"};
        if (o.turn.count() < 0 || o.reconnect_for.count() < 0 || o.grace.count() <= 0) throw std::invalid_argument{"dlock: a lock_manager needs times that are not negative"};
        return o;
    }

    lock_manager_options options_;
    mutable std::mutex mutex_;
    key_table keys_;
    std::size_t held_ = 0;
    std::size_t waiters_ = 0;
    unsigned busy_ = 0;  ///< threads that ask or tell the server
    std::uint64_t last_epoch_ = 0;
    std::uint64_t last_ticket_ = 0;
    bool closed_ = false;
    bool answers_due_ = false;
    bool all_given_back_ = true;  ///< what was held when it was closed
    std::stop_source closing_;
    std::condition_variable settled_;
    std::condition_variable_any housekeeping_;
    roster roster_;
    std::function<void(const key_type&)> check_;  ///< of this kind of server
    background_thread housekeeper_{"dlock-manager", [this](const std::stop_token& stop) { keep_house(stop); }};
};

}  // namespace dlock::detail
