// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A session of a memory::server: the owner of locks.
//
// One thread at a time uses a session and its locks; which thread may change. Only close() may be called by another one
// meanwhile, as an administrator would end a session of a database.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>

#include <dlock/detail/loss_signal.hpp>
#include <dlock/memory/server.hpp>

namespace dlock::memory {

class session {
public:
    /// \param description  who that is, for holders()
    /// \pre `of` outlives this object.
    explicit session(server& of = server::process_wide(), std::string description = {});

    /// As close().
    ~session();
    session(const session&) = delete;
    session& operator=(const session&) = delete;

    /// Ends the session, as a network or an administrator does: its locks are free, who waits in it gets errc::lost, and
    /// so does every later use. What lost() gave for its locks is told; the callbacks run before this returns.
    void close() noexcept;

    /// Ends the session and begins another one: what was held is lost.
    void reconnect();

    /// Another description, for holders(); kept by reconnect().
    void set_label(std::string_view text);

    /// Tells when the session ends.
    /// \throws lock_error  lost: it has ended
    [[nodiscard]] std::stop_token lost();

    [[nodiscard]] bool is_open() const noexcept { return id_ != 0; }

private:
    friend struct lock_table;

    [[nodiscard]] std::stop_token lost(const grant& g);
    void forget(const grant& g) noexcept;

    server& server_;
    std::string description_;
    std::atomic<std::uint64_t> id_;  ///< 0: closed
    std::mutex mutex_;               ///< so that each loss signal goes with its id
    std::shared_ptr<detail::loss_signal> losses_;
};

}  // namespace dlock::memory
