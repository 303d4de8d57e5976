// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The one exception dlock throws about a lock, and the closed list of its reasons.
//
// A lost race is not an error: try_lock(), try_lock_for() and try_lock_until() return false.
// Whatever is thrown, nothing new is held: the state was proven at the server, or the session was closed.
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace dlock {

enum class errc {
    timed_out = 1,  ///< lock() reached the limit of its wait policy                    std::errc::timed_out
    cancelled,      ///< the wait was ended by a stop request or by an administrator    std::errc::operation_canceled
    deadlock,       ///< the server chose this wait as the victim of a deadlock         std::errc::resource_deadlock_would_occur
    lost,           ///< the session, and every lock on it, is gone                     std::errc::connection_aborted
    not_connected,  ///< dlock could not open a connection                             std::errc::not_connected
    not_owner,      ///< unlock() of what this object does not hold                     std::errc::operation_not_permitted
    already_owned,  ///< this object, or another one on the same session, holds the key std::errc::resource_deadlock_would_occur
    bad_key,        ///< the server would refuse, fold or truncate this name            std::errc::invalid_argument
    unsupported,    ///< this server, pooler or transaction cannot keep the promise     std::errc::not_supported
    exhausted,      ///< the server has no room for another lock                        std::errc::no_lock_available
    server_error,   ///< anything else the server said; see lock_error::native()        std::errc::io_error
};

/// The category "dlock". Its conditions compare equal to the std::errc named beside each errc.
[[nodiscard]] const std::error_category& lock_category() noexcept;

[[nodiscard]] inline std::error_code make_error_code(errc e) noexcept { return {static_cast<int>(e), lock_category()}; }

class lock_error : public std::system_error {
public:
    /// \param what    one sentence: what was asked, which limit it hit, what to do instead
    ///                It may quote a server: what() is one line whatever it has in it, without control characters
    /// \param native  the server's own code: a SQLSTATE, MySQL's error number, SQLite's result code (extended where SQLite
    ///                tells it); empty when no server spoke
    lock_error(errc reason, const std::string& what, std::string_view native = {}, bool permanent = false);

    [[nodiscard]] errc reason() const noexcept { return static_cast<errc>(code().value()); }
    [[nodiscard]] const std::string& native() const noexcept { return native_; }
    /// Of not_connected: time cures nothing, so nobody tries again (a malformed connection string, a wrong password, no such
    /// database). False where the server may answer a moment later: it was out of reach, is starting, has no connection left.
    [[nodiscard]] bool permanent() const noexcept { return permanent_; }

private:
    std::string native_;
    bool permanent_;
};

}  // namespace dlock

template <>
struct std::is_error_code_enum<dlock::errc> : std::true_type {};
