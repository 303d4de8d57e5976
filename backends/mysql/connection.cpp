// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/mysql/connection.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>
#include <unordered_map>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <soci/mysql/soci-mysql.h>
#include <sys/socket.h>

#include <dlock/error.hpp>
#include <dlock/mysql/error.hpp>
#include <dlock/soci/inherited.hpp>
#include <dlock/soci/native.hpp>
#include <dlock/verify_exclusion.hpp>

namespace dlock::mysql {
namespace {

/// The states by handle. Nobody tells when a handle is closed, so states that only the directory knows of are dropped
/// whenever it has doubled: what is left then belongs to a held lock.
class directory {
public:
    static directory& instance() {
        static auto* const only = make();  // never destroyed: a static session may unlock after main()
        return *only;
    }

    std::shared_ptr<connection> find_or_make(MYSQL* handle, soci::session& session) {
        const std::lock_guard guard{mutex_};
        const auto at = states_.find(handle);
        if (at != states_.end() && at->second->serves(session)) return at->second;
        if (at != states_.end() && !at->second->is_here() && !at->second->was_replaced()) soci_support::refuse_in_child();
        auto made = std::make_shared<connection>(handle);
        if (at != states_.end()) return at->second = std::move(made);
        if (states_.size() >= limit_) sweep();
        states_.emplace(handle, made);
        return made;
    }

    std::size_t size() {
        const std::lock_guard guard{mutex_};
        return states_.size();
    }

private:
    /// A fork waits for whoever is in here, so that a child finds the directory whole.
    static directory* make() {
        auto* const made = new directory;
        soci_support::own_socket::await_forks();
        (void)::pthread_atfork([] { instance().mutex_.lock(); }, [] { instance().mutex_.unlock(); }, [] { instance().mutex_.unlock(); });
        return made;
    }

    void sweep() {
        std::erase_if(states_, [](const auto& entry) { return entry.second.use_count() == 1; });
        limit_ = std::max(smallest_limit, 2 * states_.size());
    }

    static constexpr std::size_t smallest_limit = 64;

    std::mutex mutex_;
    std::unordered_map<MYSQL*, std::shared_ptr<connection>> states_;
    std::size_t limit_ = smallest_limit;
};

/// What the driver keeps for us on a handle, until it is closed.
/// https://mariadb.com/kb/en/mysql_optionsv/
namespace note {

constexpr const char* session_pooling = "dlock: assume_session_pooling";
constexpr const char* mark = "dlock: mark";
constexpr const char* local_locks = "dlock: accept_local_locks";
constexpr const char* one_lock = "dlock: accept_one_lock_per_session";
constexpr const char* grace = "dlock: set_grace";
constexpr const char* open_snapshot = "dlock: accept_open_snapshot";

/// 0: nothing is kept.
std::uintptr_t get(MYSQL* handle, const char* which) noexcept {
    void* value = nullptr;
    mysql_get_optionv(handle, MARIADB_OPT_USERDATA, const_cast<char*>(which), &value);
    return reinterpret_cast<std::uintptr_t>(value);
}

bool is_set(MYSQL* handle, const char* which) noexcept { return get(handle, which) != 0; }

void set(MYSQL* handle, const char* which, std::uintptr_t number = 1) {
    if (mysql_optionsv(handle, MARIADB_OPT_USERDATA, which, reinterpret_cast<void*>(number)) != 0) throw std::bad_alloc{};
}

std::chrono::milliseconds grace_of(MYSQL* handle) noexcept {
    const auto kept = get(handle, grace);
    return kept != 0 ? std::chrono::milliseconds{kept} : soci_support::default_grace;
}

}  // namespace note
}  // namespace

MYSQL* handle_of(soci::session& session) {
    auto* const handle = soci_support::native<soci::mysql_session_backend>(session, "mysql").conn_;
    if (handle == nullptr) throw lock_error{errc::lost, "dlock: the session is not connected"};
    return handle;
}

connection::greeting::greeting(const MYSQL* handle) noexcept : id{handle->thread_id} {
    std::copy_n(handle->scramble_buff, scramble.size(), scramble.begin());
}

connection::connection(MYSQL* handle) noexcept
    : handle_{handle},
      socket_{static_cast<int>(mysql_get_socket(handle))},
      greeting_{handle},
      server_{server::of(handle)},
      grace_{note::grace_of(handle)},
      session_pooling_{note::is_set(handle, note::session_pooling)},
      local_locks_{note::is_set(handle, note::local_locks)},
      one_lock_{note::is_set(handle, note::one_lock)},
      open_snapshot_{note::is_set(handle, note::open_snapshot)} {
    // The driver lets a program that this process starts inherit the socket; as long as that ran, the server would not see
    // the end of this process, and the locks would stay.
    if (const int socket = mysql_get_socket(handle); socket != MARIADB_INVALID_SOCKET) ::fcntl(socket, F_SETFD, FD_CLOEXEC);
}

std::shared_ptr<connection> connection::of(soci::session& session) {
    return directory::instance().find_or_make(handle_of(session), session);
}

std::size_t connection::count() { return directory::instance().size(); }

bool connection::serves(soci::session& session) const noexcept {
    auto* const native = session.get_backend();
    return !severed_ && is_here() && native != nullptr && static_cast<soci::mysql_session_backend*>(native)->conn_ == handle_ &&
           !was_replaced();
}

bool connection::is_alive() const noexcept {
    // The other side's half being closed is the end, whatever may still be there to read: its last words, bytes of TLS.
    pollfd socket{mysql_get_socket(handle_), POLLRDHUP, 0};
    return socket.fd != MARIADB_INVALID_SOCKET && ::poll(&socket, 1, 0) <= 0;
}

bool connection::still_serves(soci::session& session) noexcept {
    if (!is_here()) return false;
    const bool ours = serves(session);
    if (ours && is_alive()) return true;
    ours ? sever() : lose_all();
    return false;
}

void connection::sever(const char* why) noexcept {
    if (!is_here()) return;
    // The watch's duplicate, where there is one: it keeps the connection open when the driver has closed its own descriptor.
    if (const int socket = watch_ ? watch_->socket() : static_cast<int>(mysql_get_socket(handle_)); socket != MARIADB_INVALID_SOCKET) ::shutdown(socket, SHUT_RDWR);
    lose_all();
    try {
        if (!severed_) why_ = why;
    } catch (const std::bad_alloc&) {
        // then the end goes without its reason
    }
    severed_ = true;
}

lock_error connection::end() const {
    return {errc::lost, "dlock: " + (why_.empty() ? std::string{"the session has lost its connection"} : why_)};
}

lock_error connection::error(errc reason) const { return reason == errc::lost && !why_.empty() ? end() : error_from(handle_, reason); }

void connection::set_grace(std::chrono::milliseconds grace) {
    note::set(handle_, note::grace, static_cast<std::uintptr_t>(grace.count()));
    grace_ = grace;
}

void connection::assume_session_pooling() {
    note::set(handle_, note::session_pooling);
    session_pooling_ = true;
}

std::uint64_t connection::mark() {
    if (const auto known = note::get(handle_, note::mark); known != 0) return known;
    const auto made = static_cast<std::uintptr_t>(detail::random_number()) >> 1U | 1U;  // so that a signed number holds it
    note::set(handle_, note::mark, made);
    return made;
}

void connection::accept_local_locks() {
    note::set(handle_, note::local_locks);
    local_locks_ = true;
}

void connection::accept_open_snapshot() {
    note::set(handle_, note::open_snapshot);
    open_snapshot_ = true;
}

void connection::accept_one_lock() {
    note::set(handle_, note::one_lock);
    one_lock_ = true;
}

connection::held_lock* connection::find(std::string_view key, std::uint64_t serial) noexcept {
    auto* const lock = find(key);
    return lock != nullptr && lock->serial == serial ? lock : nullptr;
}

void connection::reserve(std::string_view key) {
    held_.reserve(1);
    spare_.key.assign(key);
}

std::uint64_t connection::remember() noexcept {
    spare_.serial = next_serial_;
    spare_.release_pending = false;
    held_.add(spare_);
    return next_serial_++;
}

void connection::forget(std::string_view key, std::uint64_t serial) noexcept {
    auto* const lock = find(key, serial);
    if (lock == nullptr) return;
    if (lock->release_pending) --pending_;
    if (losses_) losses_->forget(serial);
    if (lock->key.capacity() > spare_.key.capacity()) std::swap(lock->key, spare_.key);
    held_.remove(*lock);
    keep_socket();
    if (held_.empty()) watch_.reset();  // nobody asks any more: its duplicate would keep open what the driver closes
}

void connection::reserve(std::span<const std::string> keys) {
    held_.reserve(keys.size());
    spares_.assign(keys.size(), {});
    for (std::size_t i = 0; i < keys.size(); ++i) spares_[i].key = keys[i];
}

std::uint64_t connection::remember_all() noexcept {
    for (auto& spare : spares_) {
        spare.serial = next_serial_;
        held_.add(spare);
    }
    spares_.clear();
    return next_serial_++;
}

void connection::forget(std::span<const std::string> keys, std::uint64_t serial) noexcept {
    for (const auto& key : keys) forget(key, serial);
}

std::vector<std::string> connection::keys_of(std::uint64_t serial) {
    std::vector<std::string> keys;
    held_.for_each([&](const held_lock& lock) {
        if (lock.serial == serial) keys.push_back(lock.key);
    });
    return keys;
}

void connection::set_release_pending(held_lock& lock) noexcept {
    if (!lock.release_pending) ++pending_;
    lock.release_pending = true;
}

connection::held_lock* connection::find_release_pending() noexcept {
    held_lock* found = nullptr;
    if (pending_ == 0) return found;
    held_.for_each([&](held_lock& lock) {
        if (lock.release_pending) found = &lock;
    });
    return found;
}

void connection::lose_all() noexcept {
    held_.clear();
    keep_socket();
    pending_ = 0;
    lost_below_ = next_serial_;
    watch_.reset();  // as when nothing is held any more
    if (losses_) losses_->raise();
}

std::stop_token connection::lost(std::uint64_t serial) {
    if (!losses_) losses_ = std::make_shared<detail::loss_signal>();
    if (!watch_) watch_.emplace(mysql_get_socket(handle_), losses_);
    return losses_->of(serial);
}

}  // namespace dlock::mysql

template class dlock::soci_support::shared_handle<dlock::mysql::connection>;
