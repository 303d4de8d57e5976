// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A session as lock_manager and leased_lock open theirs.
//
//     const auto db = dlock::postgresql::open_session("postgresql://user:password@host:5432/app?sslmode=require");
//     dlock::postgresql::lock lock{*db, "user/001"};
//
// Against soci::session{text}: takes URIs, gives up on a silent address after 10 s, and an error has no part of the text in it.
#pragma once

#include <memory>
#include <string>

#include <dlock/soci/fwd.hpp>

namespace dlock::postgresql {

/// \param connection  a URI (postgresql://, postgres://) with one host or several; or SOCI's form, postgresql://dbname=app host=…; or
///                    that without its beginning. $PGPASSWORD, password files and service files are heeded, as ever with libpq.
///                    Without a connect_timeout, and without $PGCONNECT_TIMEOUT, it is 10 s for each address of each host
/// \throws lock_error  not_connected; native() is the SQLSTATE if a server spoke. permanent(): the text is malformed, the server
///                     refuses user, password or options, or has no such database
/// A failure is asked about: libpq tells SOCI nothing that a program could read, so a second attempt, of 2 s at most, finds out why.
/// session.reconnect() does the same again, and throws the same.
[[nodiscard]] std::shared_ptr<soci::session> open_session(const std::string& connection);

}  // namespace dlock::postgresql
