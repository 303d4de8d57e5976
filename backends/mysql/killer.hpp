// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Ends a statement from outside: with KILL QUERY on a second connection of the same user to the same server.
// https://dev.mysql.com/doc/refman/8.0/en/kill.html
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <memory>
#include <string>
#include <string_view>

#include <mysql.h>

namespace dlock::mysql {

/// Needs the first connection only to be made; then any thread may connect with it.
class killer {
public:
    /// Will connect the way `first` did: address, user, TLS.
    /// \throws std::bad_alloc
    explicit killer(MYSQL* first);

    /// Blocks, for a few seconds at most. \return why it cannot; empty: it has
    [[nodiscard]] std::string connect();

    /// Ends the statement if connection `id` executes it now. It looks first: the address may lead to another server than
    /// the first time, where the id is a stranger's. \pre connect() has
    /// \return why it could not; empty: it has, or there is nothing to end
    std::string kill_query(unsigned long id, std::string_view statement) const;

private:
    struct close {
        void operator()(MYSQL* handle) const noexcept { mysql_close(handle); }
    };
    std::unique_ptr<MYSQL, close> second_;
    std::string host_, user_, password_, socket_;
    unsigned port_ = 0;
};

}  // namespace dlock::mysql
