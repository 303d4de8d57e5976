// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Sends one statement and waits for its answer in a way that always ends.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <dlock/backend.hpp>
#include <dlock/error.hpp>
#include <dlock/mysql/connection.hpp>
#include <dlock/mysql/result.hpp>
#include <dlock/soci/patience.hpp>

namespace dlock::mysql {

/// What a statement of one row says, or why it says nothing; connection::error() then has the details.
struct answer {
    std::optional<errc> failed;
    std::optional<std::uint64_t> value;  ///< the first column; nullopt: NULL
    unsigned long id = 0;                ///< the second column, if there is one: the connection that answers
};

/// One round trip.
///
/// A stop request becomes a KILL QUERY on a second connection, repeated until the answer comes, because one that arrives
/// before the statement has begun does nothing; so does a limit that has passed for half a grace. Where no answer comes, or a KILL
/// QUERY is still on its way when one has come, this connection is severed: the answer is lost.
///
/// Losing the connection severs it on our side too; an answer that makes no sense does the same. Where the driver has put
/// another connection in its place, what it held is lost, and the server is told so.
/// \param awaited  what the answer is to, for the reason why it was severed
/// \param shown    what the server's process list has of it meanwhile; nothing: the statement itself
[[nodiscard]] answer ask(connection& on, std::string_view sql, soci_support::patience until, const char* awaited,
                         std::string_view shown = {}) noexcept;

/// For a statement that waits for nobody.
[[nodiscard]] inline answer ask(connection& on, std::string_view sql, const char* awaited = "a question") noexcept {
    return ask(on, sql, on.answering(), awaited);
}

/// For a statement of many rows.
[[nodiscard]] result query(connection& on, std::string_view sql) noexcept;

/// For a statement without rows. Nothing: it was executed.
[[nodiscard]] std::optional<errc> execute(connection& on, std::string_view sql) noexcept;

/// Bounds what the driver waits for in the middle of an answer, as long as it lives; a shorter limit of the session stays.
/// https://mariadb.com/kb/en/mysql_optionsv/ (MYSQL_OPT_READ_TIMEOUT)
class read_limit {
public:
    read_limit(MYSQL* handle, std::chrono::milliseconds limit) noexcept;
    ~read_limit();
    read_limit(const read_limit&) = delete;
    read_limit& operator=(const read_limit&) = delete;

private:
    MYSQL* handle_;
    const void* of_;
    int before_ = 0;
};

/// A row of sql::holders(), or of sql::labels().
[[nodiscard]] holder holder_of(const result& row);

constexpr std::size_t longest_label = 200;

/// Puts a label in front of what is known of its session.
void add_label(std::vector<holder>& to, const holder& labelled);

/// The labels of those that have one, as far as the server says. One round trip, unless it has said once that it does not.
/// \throws lock_error  lost
void add_labels(connection& on, std::vector<holder>& to);

/// Remembers that the connection may read no label, or that there are none, where that is what the error says.
void note_hidden_labels(connection& on, unsigned native) noexcept;

/// The holders whose ids are given, with commas in between, each once, and who they are as far as the server says.
/// \throws lock_error
[[nodiscard]] std::vector<holder> describe(connection& on, std::string_view ids);

/// Whether it may be the session's settings that let it read no table of processes: max_join_size, tmp_disk_table_size.
[[nodiscard]] bool cannot_read_processes(const result& failed) noexcept;

}  // namespace dlock::mysql
