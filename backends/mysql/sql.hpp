// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Every statement this backend sends; tests/mysql holds them word for word.
//
//  - The first acquiring statement on a connection compares the connection before it asks for the lock, so that behind a
//    pooler that shares server connections nothing is locked. IF evaluates only the branch it returns. It costs a tenth of
//    a cycle, so where neither a pooler (it was seen that there is none) nor the driver (reconnect=1) can put another
//    connection behind this one, the later statements do without; the connection's id comes along all the same.
//    https://dev.mysql.com/doc/refman/8.0/en/flow-control-functions.html#function_if
//  - A server can be made read-only, because another is to be the primary, while its sessions live on: so each statement asks, and one
//    that has waited asks again. The three things that an acquiring statement compares are in `terms`.
//    https://dev.mysql.com/doc/refman/8.0/en/server-system-variables.html#sysvar_read_only
//  - Names. MariaDB locks the bytes of the argument in whatever character set it has, and converts a literal to that of the
//    connection, which can be utf16; so every name says that it is utf8mb4. A plain one is quoted: its characters are the same
//    bytes in every character set a client can have, and an administrator can read it in the process list. Any other is
//    written in hexadecimal: no quoting, no sql_mode. Both are the lock that GET_LOCK('name', …) takes on a utf8mb4 connection.
//    MariaDB looks an introducer up among its thousand collations, which takes a fortieth of a cycle; N'…' needs no look.
//    https://dev.mysql.com/doc/refman/8.0/en/charset-introducer.html
//    https://mariadb.com/kb/en/character-sets-and-collations/ (N'…')
//  - Settings of the session are the caller's and stay as they are. LIMIT overrides sql_select_limit, which also cuts what SHOW
//    says. Answers are digits, which class result reads in every character set, or binary, which character_set_results leaves alone.
//    https://dev.mysql.com/doc/refman/8.0/en/server-system-variables.html#sysvar_sql_select_limit
//  - A fencing token is the server's UUID_SHORT(). ELT computes it only when the lock was granted, and so after the wait; it
//    gives it as text, all 64 bits of it. A list (GET_LOCK, UUID_SHORT) would rest on the order of evaluation alone. BINARY: two numbers
//    as texts would be two in the connection's character set, which MariaDB calls an illegal mix where that is not ASCII (swe7).
//    https://dev.mysql.com/doc/refman/8.0/en/miscellaneous-functions.html#function_uuid-short
//  - In a transaction that is REPEATABLE READ a read has fixed what later ones see, perhaps before the lock is granted. There the
//    statement locks nothing. The server tells the driver whether a transaction is open, but not whether it has read. A
//    SERIALIZABLE one reads with locks, and sees what is. https://dev.mysql.com/doc/refman/8.0/en/innodb-consistent-read.html
//  - No column of these texts has an alias: to parse one costs the server more than sending the expression's own text, a fiftieth of a cycle.
//  - A timeout is a whole number of seconds or has three decimals; never negative (on MySQL: for ever, on MariaDB: NULL).
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace dlock::mysql::sql {

/// A statement on the stack.
class text {
public:
    constexpr text() noexcept {
        if (std::is_constant_evaluated()) buffer_.fill('\0');  // at run time only what was appended is ever read
    }

    [[nodiscard]] constexpr std::string_view view() const noexcept { return {buffer_.data(), size_}; }

    constexpr text& operator<<(std::string_view more) noexcept {
        std::copy_n(more.data(), more.size(), buffer_.data() + size_);
        size_ += more.size();
        return *this;
    }

    constexpr text& operator<<(std::unsigned_integral auto number) noexcept {
        std::array<char, 20> digits{};
        auto first = digits.end();
        do *--first = static_cast<char>('0' + number % 10);
        while ((number /= 10) != 0);
        return *this << std::string_view{first, digits.end()};
    }

private:
    // The longest statement has twice the longest name a server takes: 192 bytes, in hexadecimal. (A label has 200, once.)
    std::array<char, 1024> buffer_;
    std::size_t size_ = 0;
};

inline constexpr auto is_plain = [] {
    std::array<bool, 256> table{};
    for (const char c : std::string_view{"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 -./:_"}) {
        table[static_cast<unsigned char>(c)] = true;
    }
    return table;
}();

/// Bytes, of no character set.
struct hex {
    std::string_view value;

    template <class Text>
    friend constexpr Text& operator<<(Text& to, hex h) {
        constexpr std::string_view digits = "0123456789abcdef";
        to << "X'";
        for (const char c : h.value) {
            const auto byte = static_cast<unsigned char>(c);
            to << digits.substr(byte >> 4U, 1) << digits.substr(byte & 15U, 1);
        }
        return to << "'";
    }
};

/// \pre server::check(value) passes.
struct name {
    std::string_view value;
    bool national;  ///< server::has_national_literals()

    template <std::convertible_to<std::string_view> Text>
    constexpr name(const Text& text, bool is_national = false) noexcept : value{text}, national{is_national} {}

    [[nodiscard]] constexpr bool plain() const noexcept {
        return std::all_of(value.begin(), value.end(), [](char c) { return is_plain[static_cast<unsigned char>(c)]; });
    }

    template <class Text>
    friend constexpr Text& operator<<(Text& to, name n) {
        if (n.plain()) return to << (n.national ? "N'" : "_utf8mb4'") << n.value << "'";
        return to << "_utf8mb4 " << hex{n.value};
    }
};

/// \pre wait >= 0
struct seconds {
    std::chrono::milliseconds wait;

    template <class Text>
    friend constexpr Text& operator<<(Text& to, seconds s) {
        const auto ms = static_cast<unsigned long long>(s.wait.count());
        to << ms / 1000;
        if (ms % 1000 == 0) return to;
        return to << (ms % 1000 < 10 ? ".00" : ms % 1000 < 100 ? ".0" : ".") << ms % 1000;
    }
};

/// Whether our own session answers: by its connection, and behind a pooler also by the mark that it was given, which another client
/// of the same session would not have. https://dev.mysql.com/doc/refman/8.0/en/user-variables.html
struct served_by {
    unsigned long connection;
    std::uint64_t mark = 0;  ///< 0: none

    template <class Text>
    friend constexpr Text& operator<<(Text& to, served_by who) {
        to << "CONNECTION_ID()=" << who.connection;
        return who.mark == 0 ? to : to << " AND @dlock_mark=" << who.mark;
    }
};

/// What an acquiring statement says in its first column; the second is the connection that says it. A fenced one says the token where
/// others say 1, and a token is larger than all of these. NULL: ended from outside.
enum class said : std::uint64_t {
    busy = 0,         ///< not in this time; of several names, those in front of the one that was not to be had are held
    granted = 1,
    not_served = 2,   ///< another session answers, which was not asked to lock
    read_only = 3,    ///< the server is read-only, and was not asked to lock
    granted_read_only = 4,  ///< it has become so during the wait
    ended = 5,        ///< of several names: from outside; those in front of the one that was waited for are held
};

/// What has to be true when the statement is executed, or nothing is locked.
struct terms {
    served_by who{0};                 ///< connection 0: it is proven
    std::string_view read_only = {};  ///< server::read_only(), which must be false; empty: as the caller likes
    std::string_view isolation = {};  ///< server::isolation(), in a transaction: id is 0, and nothing is locked, if what is read in it can be stale

    template <class Text>
    constexpr void begin(Text& to) const {
        to << "SELECT ";
        if (!isolation.empty()) to << "IF(" << isolation << "=_utf8mb4'REPEATABLE-READ',NULL,";
        if (who.connection != 0) to << "IF(" << who << ",";
        if (!read_only.empty()) to << "IF(" << read_only << ",3,";
    }
    /// 4 instead of 1 where the server has become read-only. A try need not look again.
    template <class Text>
    constexpr void look_again(Text& to, std::chrono::milliseconds wait) const {
        if (!read_only.empty() && wait.count() != 0) to << "+3*" << read_only;
    }
    template <class Text>
    constexpr void end(Text& to, std::string_view column = {}, std::string_view id_column = {}) const {
        if (!read_only.empty()) to << ")";
        if (who.connection != 0) to << ",2)";
        if (!isolation.empty()) to << ")";
        to << column;
        if (isolation.empty()) to << ",CONNECTION_ID()";
        else to << ",IF(" << isolation << "=_utf8mb4'REPEATABLE-READ',0,CONNECTION_ID())";
        to << id_column << " LIMIT 1";
    }
};

[[nodiscard]] constexpr text acquire(const terms& of, name key, std::chrono::milliseconds wait) noexcept {
    text to;
    of.begin(to);
    to << "GET_LOCK(" << key << "," << seconds{wait} << ")";
    of.look_again(to, wait);
    of.end(to);
    return to;
}

[[nodiscard]] constexpr text acquire_fenced(const terms& of, name key, std::chrono::milliseconds wait) noexcept {
    text to;
    of.begin(to);
    to << "ELT(1+GET_LOCK(" << key << "," << seconds{wait} << ")";
    of.look_again(to, wait);
    to << ",0,CAST(UUID_SHORT() AS BINARY)";
    if (!of.read_only.empty() && wait.count() != 0) to << ",NULL,3,4";
    to << ")";
    of.end(to);
    return to;
}

/// For a pipeline, on a connection that has been proven: every column, and every letter of its name, costs both sides.
[[nodiscard]] constexpr text try_acquire(std::string_view read_only, name key) noexcept {
    text to;
    to << "SELECT ";
    if (!read_only.empty()) to << "IF(" << read_only << ",3,";
    to << "GET_LOCK(" << key << ",0)" << (read_only.empty() ? "" : ")") << " LIMIT 1";
    return to;
}

/// 1: released; 0: another session's; NULL: nobody's, or another session answers, which was not asked to release.
[[nodiscard]] constexpr text release_if(served_by who, name key) noexcept {
    text to;
    to << "SELECT IF(" << who << ",RELEASE_LOCK(" << key << "),NULL) LIMIT 1";
    return to;
}

/// The same on a connection that has been proven.
[[nodiscard]] constexpr text release(name key) noexcept {
    text to;
    to << "SELECT RELEASE_LOCK(" << key << ") LIMIT 1";
    return to;
}

/// As release_if(), and 0 where there is nothing to release. Can be repeated. Another connection than one without a mark says 0, too: the
/// driver has put it there, and the first one has ended. Behind a pooler it may live on.
[[nodiscard]] constexpr text release_ghost(served_by who, name key) noexcept {
    text to;
    to << "SELECT IF(" << who << ",IF(IS_USED_LOCK(" << key << ")=" << who.connection << ",RELEASE_LOCK(" << key << "),0),"
       << (who.mark == 0 ? "0" : "NULL") << ") LIMIT 1";
    return to;
}

/// MariaDB answers a prepared statement faster than the same text, and `EXECUTE … USING` is a text to every driver.
///
///  - A session has the statements that it has prepared, and their names have its connection's id: whatever another session is asked to
///    execute, it does not know. So no column says who answers. The names carry a version, too: the text behind a name never changes.
///  - The name of the lock is a parameter in hexadecimal: a quoted one would be converted to the connection's character set.
///  - Only a try is prepared: the process list shows a prepared statement without its values, and an administrator wants to see what
///    somebody waits for.
///
/// https://mariadb.com/docs/server/reference/sql-statements/prepared-statements/execute-statement
namespace prepared {

/// What the process list shows while one is executed. An alias costs nothing here, and is shorter than the expression.
inline constexpr std::string_view try_acquire = "SELECT IF(@@read_only,3,GET_LOCK(?,0)) a LIMIT 1";
inline constexpr std::string_view release = "SELECT RELEASE_LOCK(?) a LIMIT 1";

}  // namespace prepared

[[nodiscard]] constexpr text prepare_try(unsigned long connection) noexcept {
    text to;
    return to << "PREPARE dlock_3_try_" << connection << " FROM '" << prepared::try_acquire << "'";
}
[[nodiscard]] constexpr text prepare_release(unsigned long connection) noexcept {
    text to;
    return to << "PREPARE dlock_3_release_" << connection << " FROM '" << prepared::release << "'";
}
/// As try_acquire(). Error 1243: it is not prepared here.
[[nodiscard]] constexpr text execute_try(unsigned long connection, std::string_view key) noexcept {
    text to;
    return to << "EXECUTE dlock_3_try_" << connection << " USING " << hex{key};
}
/// As release().
[[nodiscard]] constexpr text execute_release(unsigned long connection, std::string_view key) noexcept {
    text to;
    return to << "EXECUTE dlock_3_release_" << connection << " USING " << hex{key};
}

/// The holder's connection, its user and host. These two are NULL for other users' connections without PROCESS.
[[nodiscard]] constexpr text holders(name key) noexcept {
    text to;
    to << "SELECT held.id,CAST(p.user AS BINARY),CAST(p.host AS BINARY) FROM (SELECT IS_USED_LOCK(" << key << ") AS id) AS held "
       << "LEFT JOIN information_schema.processlist AS p ON p.id=held.id WHERE held.id IS NOT NULL LIMIT 1";
    return to;
}

/// The holder's connection alone, without a table.
[[nodiscard]] constexpr text holder_id(name key) noexcept {
    text to;
    to << "SELECT IS_USED_LOCK(" << key << ") LIMIT 1";
    return to;
}

/// What holders() shows of the connection, in a variable of the session; nothing: no longer. Another connection that answers keeps its own.
/// As bytes: a text of the program's in this variable would decide which characters the label can have.
[[nodiscard]] constexpr text set_label(unsigned long connection, std::string_view label) noexcept {
    text to;
    to << "SET @dlock_label=IF(CONNECTION_ID()=" << connection << ",";
    if (label.empty()) to << "NULL";
    else to << hex{label};
    return to << ",CAST(@dlock_label AS BINARY))";
}

/// Connections and, in the fourth column, their labels, as far as the server's performance_schema has them.
/// https://dev.mysql.com/doc/refman/8.0/en/performance-schema-user-variable-tables.html
/// \param ids  with commas in between
template <class Text>
constexpr Text& labels(Text& to, std::string_view ids) {
    return to << "SELECT t.processlist_id,NULL,NULL,LEFT(CAST(v.variable_value AS BINARY),200) "
              << "FROM performance_schema.user_variables_by_thread AS v JOIN performance_schema.threads AS t ON t.thread_id=v.thread_id "
              << "WHERE v.variable_name=_utf8mb4'dlock_label' AND t.processlist_id IN (" << ids << ") LIMIT 1000000";
}

/// Id, user and host of every connection that the caller may see, without a table, which max_join_size or tmp_disk_table_size could
/// keep the session from; the texts in character_set_results.
inline constexpr std::string_view processes = "SHOW PROCESSLIST";

inline constexpr std::string_view connection_id = "SELECT CONNECTION_ID() LIMIT 1";

/// The port that the server sees this connection come from; 0: a unix socket. NULL: it does not say.
inline constexpr std::string_view client_port =
    "SELECT IF(LOCATE(_utf8mb4':',CAST(host AS BINARY))=0,0,CAST(SUBSTRING_INDEX(CAST(host AS BINARY),_utf8mb4':',-1) AS UNSIGNED)) "
    "FROM information_schema.processlist WHERE id=CONNECTION_ID() LIMIT 1";

/// Puts a mark on the session, unless there is one.
[[nodiscard]] constexpr text set_mark(std::uint64_t mark) noexcept {
    text to;
    to << "SET @dlock_mark=IFNULL(@dlock_mark," << mark << ")";
    return to;
}
/// The connection that answers, and the mark of its session.
inline constexpr std::string_view connection_id_and_mark = "SELECT CONNECTION_ID(),@dlock_mark LIMIT 1";

/// 1: the second in which the server was started is over. UUID_SHORT() has it in its bits 24 to 55. Compared as local times, of
/// which the one of a summer that ends can be smaller than the start. SYSDATE() does not heed SET timestamp.
inline constexpr std::string_view can_fence = "SELECT IFNULL(FROM_UNIXTIME((UUID_SHORT()>>24)&4294967295)<>SYSDATE(),1) LIMIT 1";

/// For a session of dlock's own, which begins with the server's max_join_size and tmp_disk_table_size: neither keeps it from the list of
/// processes. https://mariadb.com/kb/en/comment-syntax/ (what only MariaDB reads)
inline constexpr const char* let_tables_be_read = "SET sql_big_selects=1/*M!100207 ,tmp_disk_table_size=18446744073709551615*/";

/// What the connection executes now.
[[nodiscard]] constexpr text statement_of(unsigned long connection) noexcept {
    text to;
    to << "SELECT info FROM information_schema.processlist WHERE id=" << connection << " LIMIT 1";
    return to;
}

/// What tells a server whose locks others do not see. https://mariadb.com/kb/en/galera-cluster-system-variables/#wsrep_on
inline constexpr std::string_view preflight = "SELECT @@global.read_only,@@global.wsrep_on LIMIT 1";
/// The same where there is no such variable: a server that was built without Galera.
inline constexpr std::string_view preflight_without_galera = "SELECT @@global.read_only LIMIT 1";

/// Ends the statement, not the connection.
[[nodiscard]] constexpr text kill_query(unsigned long connection) noexcept {
    text to;
    to << "KILL QUERY " << connection;
    return to;
}

}  // namespace dlock::mysql::sql
