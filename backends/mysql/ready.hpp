// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What every acquiring function begins with, and how it fails and refuses.
#pragma once

#include <memory>
#include <span>
#include <string>

#include <dlock/error.hpp>
#include <dlock/mysql/connection.hpp>
#include <dlock/soci/fwd.hpp>

namespace dlock::mysql {

/// The connection, ready to be asked for these keys. Releases that had to wait have been sent.
/// \param limited  the call that it is for does not wait for ever
/// \throws lock_error  lost, unsupported, bad_key; already_owned: the session holds one of them
[[nodiscard]] std::shared_ptr<connection> ready(soci::session& session, std::span<const std::string> keys, bool limited,
                                                const soci_support::stop_event& stop);

/// That of an attempt that may have locked, told before it is proven that nothing is held: where there is no memory to tell it,
/// the session is ended instead.
[[nodiscard]] lock_error error_or_end(connection& on, errc reason);

/// What is read in the open transaction can be older than the lock would be. Nothing is locked.
[[noreturn]] void refuse_snapshot();

/// Another connection has answered than the one that was asked. It holds nothing.
[[noreturn]] void refuse(connection& on);

/// Why a wait has ended that was killed.
[[nodiscard]] lock_error cancelled(bool by_stop);

/// What a try is that the server did not answer in time, after its statement was killed.
[[nodiscard]] lock_error unanswered_try(const connection& on);

}  // namespace dlock::mysql
