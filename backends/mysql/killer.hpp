// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Ends a statement from outside: with KILL QUERY on a second connection of the same user to the same server.
// https://dev.mysql.com/doc/refman/8.0/en/kill.html
#pragma once

#include <memory>
#include <string_view>

#include <mysql.h>

namespace dlock::mysql {

class killer {
public:
    /// Connects the way `first` did: address, user, TLS.
    explicit killer(MYSQL* first) noexcept;

    [[nodiscard]] bool is_connected() const noexcept { return second_ != nullptr; }

    /// Ends the statement if connection `id` executes it now. It looks first: the address may lead to another server than
    /// the first time, where the id is a stranger's. \pre is_connected()
    void kill_query(unsigned long id, std::string_view statement) const noexcept;

private:
    struct close {
        void operator()(MYSQL* handle) const noexcept { mysql_close(handle); }
    };
    std::unique_ptr<MYSQL, close> second_;
};

}  // namespace dlock::mysql
