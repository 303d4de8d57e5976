// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A session as lock_manager and leased_lock open theirs.
//
//     const auto db = dlock::mysql::open_session("mysql://user:password@host:3306/app");
//     dlock::mysql::lock lock{*db, "user/001"};
//
// Against soci::session{text}: takes URIs, gives up on a silent address after 10 s, and an error has no part of the text in it.
#pragma once

#include <memory>
#include <string>

#include <dlock/soci/fwd.hpp>

namespace dlock::mysql {

/// \param connection  a URI (mysql://, mariadb://), whose options are those of SOCI; or SOCI's form, mysql://dbname=app host=…; or that
///                    without its beginning. $MYSQL_PWD is heeded. Without a connect_timeout it is 10 s, until the server has
///                    accepted; a server that then says nothing is waited for as long as read_timeout says, without one for ever
/// \throws lock_error  not_connected; native() is the error's number. permanent(): the text is malformed, the server refuses user,
///                     password or options, or has no such database
/// session.reconnect() does the same again, and throws the same.
[[nodiscard]] std::shared_ptr<soci::session> open_session(const std::string& connection);

}  // namespace dlock::mysql
