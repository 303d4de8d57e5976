// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Sends one statement and waits for its answer in a way that a stop request can end.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <dlock/backend.hpp>
#include <dlock/error.hpp>
#include <dlock/mysql/connection.hpp>
#include <dlock/mysql/result.hpp>
#include <dlock/soci/stop_event.hpp>

namespace dlock::mysql {

/// What a statement of one row says, or why it says nothing; error_from() then has the details.
struct answer {
    std::optional<errc> failed;
    std::optional<std::uint64_t> value;  ///< the first column; nullopt: NULL
    unsigned long id = 0;                ///< the second column, if there is one: the connection that answers
};

/// One round trip.
///
/// A stop request becomes a KILL QUERY on a second connection, repeated until the answer comes, because one that arrives
/// before the statement has begun does nothing. Where that cannot be had, this connection is severed: the answer is lost.
///
/// Losing the connection severs it on our side too; an answer that makes no sense does the same. Where the driver has put
/// another connection in its place, what it held is lost, and the server is told so.
[[nodiscard]] answer ask(connection& on, std::string_view sql, const soci_support::stop_event& stop = {}) noexcept;

/// For a statement of many rows.
[[nodiscard]] result query(connection& on, std::string_view sql) noexcept;

/// A row of sql::holders().
[[nodiscard]] holder holder_of(const result& row);

/// The holders whose ids are given, with commas in between, each once, and who they are as far as the server says.
/// \throws lock_error
[[nodiscard]] std::vector<holder> describe(connection& on, std::string_view ids);

/// Whether it may be the session's settings that let it read no table of processes: max_join_size, tmp_disk_table_size.
[[nodiscard]] bool cannot_read_processes(const result& failed) noexcept;

}  // namespace dlock::mysql
