// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/memory/server.hpp>

#include <algorithm>
#include <utility>

#include <dlock/error.hpp>

namespace dlock::memory {
namespace {

constexpr bool conflict(mode a, mode b) noexcept { return a == mode::exclusive || b == mode::exclusive; }

template <class Owners>
bool grantable(const Owners& owners, mode wanted) {
    return std::ranges::none_of(owners, [wanted](const auto& o) { return conflict(o.held, wanted); });
}

}  // namespace

server& server::process_wide() {
    static server* const instance = new server;  // sessions with static storage may outlive every static object
    return *instance;
}

std::size_t server::waiting(const key& k) const {
    const std::lock_guard guard{mutex_};
    const auto at = slots_.find(k);
    return at == slots_.end() ? 0 : at->second.queue.size();
}

std::size_t server::waiting() const {
    const std::lock_guard guard{mutex_};
    return waiters_.size();
}

std::size_t server::held() const {
    const std::lock_guard guard{mutex_};
    std::size_t grants = 0;
    for (const auto& [key, at] : slots_) grants += at.owners.size();
    return grants;
}

std::uint64_t server::open(const std::string& description) {
    const std::lock_guard guard{mutex_};
    sessions_.emplace(++last_session_, description);
    return last_session_;
}

void server::describe(std::uint64_t session, const std::string& description) {
    const std::lock_guard guard{mutex_};
    if (const auto open = sessions_.find(session); open != sessions_.end()) open->second = description;
}

void server::close(std::uint64_t session) {
    const std::lock_guard guard{mutex_};
    sessions_.erase(session);
    if (const auto waits = waiters_.find(session); waits != waiters_.end()) {
        waiter& w = *waits->second;
        leave(w);
        w.end = waiter::outcome::closed;
        w.woken.notify_all();
    }
    for (auto at = slots_.begin(); at != slots_.end();) {
        const auto here = at++;  // advance() may erase it
        if (std::erase_if(here->second.owners, [session](const owner& o) { return o.session == session; }) > 0) advance(here);
    }
}

std::optional<grant> server::acquire(std::uint64_t session, const key& k, mode m, deadline until, const std::stop_token& stop) {
    if (stop.stop_requested()) throw lock_error{errc::cancelled, "dlock: the wait was cancelled"};

    std::unique_lock guard{mutex_};
    require_open(session);
    auto at = slots_.find(k);
    if (at == slots_.end()) {
        return grant{session, give(slots_[k], session, m)};
    }
    slot& s = at->second;
    if (std::ranges::any_of(s.owners, [session](const owner& o) { return o.session == session; })) {
        throw lock_error{errc::already_owned, "dlock: this session holds this lock already"};
    }
    // A reader that finds readers only still queues behind a writer.
    if (s.queue.empty() && grantable(s.owners, m)) {
        return grant{session, give(s, session, m)};
    }
    if (until.expired()) return std::nullopt;

    waiter self{session, m, at};
    s.queue.push_back(&self);
    waiters_.emplace(session, &self);
    if (std::set<std::uint64_t> seen; waits_for(self, session, seen)) {
        leave(self);
        throw lock_error{errc::deadlock, "dlock: this wait would never end: who holds the lock waits for this session"};
    }
    const auto ended = [&self] { return self.end != waiter::outcome::none; };
    if (until.is_never()) self.woken.wait(guard, stop, ended);
    else self.woken.wait_until(guard, stop, until.time(), ended);

    if (self.end == waiter::outcome::granted) return grant{session, self.token};
    if (self.end == waiter::outcome::closed) throw lock_error{errc::lost, "dlock: the session was closed while it waited"};
    leave(self);
    if (stop.stop_requested()) throw lock_error{errc::cancelled, "dlock: the wait was cancelled"};
    return std::nullopt;
}

bool server::release(std::uint64_t session, const key& k) {
    const std::lock_guard guard{mutex_};
    const auto at = slots_.find(k);
    if (at == slots_.end()) return false;
    if (std::erase_if(at->second.owners, [session](const owner& o) { return o.session == session; }) == 0) return false;
    advance(at);
    return true;
}

std::vector<holder> server::holders(std::uint64_t session, const key& k) const {
    const std::lock_guard guard{mutex_};
    require_open(session);
    std::vector<holder> found;
    if (const auto at = slots_.find(k); at != slots_.end()) {
        for (const owner& o : at->second.owners) found.push_back({std::to_string(o.session), sessions_.at(o.session)});
    }
    return found;
}

void server::require_open(std::uint64_t session) const {
    if (!sessions_.contains(session)) throw lock_error{errc::lost, "dlock: the session is closed"};
}

/// The token is minted here and not when a waiter wakes up: it may have lost the lock to another one by then.
fencing_token server::give(slot& s, std::uint64_t session, mode m) {
    s.owners.push_back({session, m});
    return {++last_token_};
}

/// Takes the waiter out of the queue, and lets in those that waited only for it.
void server::leave(const waiter& w) {
    std::erase(w.at->second.queue, &w);
    waiters_.erase(w.session);
    advance(w.at);
}

/// Grants from the front of the queue what can be granted; forgets a key that nobody holds any more.
void server::advance(slots::iterator at) {
    slot& s = at->second;
    while (!s.queue.empty() && grantable(s.owners, s.queue.front()->wanted)) {
        waiter& first = *s.queue.front();
        s.queue.pop_front();
        waiters_.erase(first.session);
        first.token = give(s, first.session, first.wanted);
        first.end = waiter::outcome::granted;
        first.woken.notify_all();
    }
    if (s.owners.empty()) slots_.erase(at);
}

/// Whether w waits for the session, directly or through others. Who waits, waits for one key only, and for those in
/// front of it; so a circle can close only when somebody begins to wait, and looking then finds them all.
bool server::waits_for(const waiter& w, std::uint64_t session, std::set<std::uint64_t>& seen) const {
    std::set<std::uint64_t> blockers;
    for (const owner& o : w.at->second.owners) {
        if (conflict(o.held, w.wanted)) blockers.insert(o.session);
    }
    for (const waiter* ahead : w.at->second.queue) {
        if (ahead == &w) break;
        if (conflict(ahead->wanted, w.wanted)) blockers.insert(ahead->session);
    }
    return std::ranges::any_of(blockers, [&](std::uint64_t blocker) {
        if (blocker == session) return true;
        const auto waits = waiters_.find(blocker);
        return waits != waiters_.end() && seen.insert(blocker).second && waits_for(*waits->second, session, seen);
    });
}

}  // namespace dlock::memory
