// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The statements for several names at once; tests/mysql holds them word for word. What sql.hpp says of names and of the
// connection that is compared holds here too.
//
//  - CASE evaluates its conditions one after the other and no further than to the first that is true: that a lock was not
//    granted. The names behind that one are not asked for. The list is flat: a thousand names are no deeper than two. (COALESCE
//    does the same and costs the server half as much again, and more the longer it is.)
//    https://dev.mysql.com/doc/refman/8.0/en/flow-control-functions.html#operator_case
//  - GET_LOCK says 0 when the time is over and NULL when the statement is killed, and a condition does not tell which; SLEEP is 1 in
//    a statement that is killed, and 0 in any other, after the shortest time it knows. It is asked once, behind the CASE: in each
//    of its branches it would cost the server a sixth of the whole.
//    https://dev.mysql.com/doc/refman/8.0/en/miscellaneous-functions.html#function_sleep
//  - A limit is for all of the names. Behind the first each gets what is left of it: SYSDATE() is the time at which it is
//    evaluated, NOW() that at which the statement began. Where that is no time within the limit (SET timestamp, a clock that
//    is set back), they do not wait, and the client asks again until its own clock says that the limit is over. A server whose
//    SYSDATE() stands still (sysdate-is-now) gives each the whole limit. Not a division: div_precision_increment would round it.
//    https://mariadb.com/kb/en/sysdate/
//  - Columns have aliases here: the text of such an expression would come back as the column's name.
//  - LEAST takes all of its arguments, as numbers, and looks at each. A text of them would be one in the connection's character set,
//    and NULL if it were empty where sql_mode says so (EMPTY_STRING_IS_NULL). https://mariadb.com/kb/en/least/
#pragma once

#include <charconv>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include <dlock/mysql/sql.hpp>

namespace dlock::mysql::sql {

/// A statement that grows.
class long_text {
public:
    explicit long_text(std::size_t expected) { text_.reserve(expected); }

    [[nodiscard]] std::string_view view() const noexcept { return text_; }

    long_text& operator<<(std::string_view more) {
        text_ += more;
        return *this;
    }
    long_text& operator<<(std::unsigned_integral auto number) { return *this << std::string_view{std::to_string(number)}; }

private:
    std::string text_;
};

struct names {
    std::span<const std::string> keys;
    bool national = false;  ///< server::has_national_literals()

    [[nodiscard]] name literal(const std::string& key) const noexcept { return {key, national}; }
};

/// What a timeout is measured in.
enum class unit : bool { millisecond, second };

/// \param wait  for all of them; whole seconds where the unit is
[[nodiscard]] inline long_text acquire_all(const terms& of, names set, std::chrono::milliseconds wait, bool is_total, unit u) {
    std::size_t expected = 300;
    for (const auto& key : set.keys) expected += 2 * key.size() + 160;
    long_text to{expected};
    of.begin(to);
    to << "IF(CASE";
    for (bool first = true; const auto& key : set.keys) {
        to << " WHEN GET_LOCK(" << set.literal(key) << ",";
        if (first || !is_total || wait.count() == 0) {
            to << seconds{wait};
        } else {
            constexpr std::string_view passed = "0.000001*TIMESTAMPDIFF(MICROSECOND,NOW(6),SYSDATE(6))";
            to << "IF(" << passed << " BETWEEN 0 AND " << seconds{wait} << "," << (u == unit::second ? "FLOOR(" : "(") << seconds{wait} << "-" << passed
               << "),0)";
        }
        to << ") IS NOT TRUE THEN 0";
        first = false;
    }
    to << " ELSE 1 END,1";
    of.look_again(to, wait);
    to << ",5*SLEEP(0.00002))";
    of.end(to, " granted", " id");
    return to;
}

/// 1: all are released; 0: at least one was not held. NULL: another connection answers, which was not asked to release.
[[nodiscard]] inline long_text release_all(served_by who, names set) {
    std::size_t expected = 100;
    for (const auto& key : set.keys) expected += 2 * key.size() + 30;
    long_text to{expected};
    to << "SELECT ";
    if (who.connection != 0) to << "IF(" << who << ",";
    to << "LEAST(1";
    for (const auto& key : set.keys) to << ",IFNULL(RELEASE_LOCK(" << set.literal(key) << "),0)";
    to << ")";
    if (who.connection != 0) to << ",NULL)";
    to << " released LIMIT 1";
    return to;
}

/// Releases which of them the connection holds, and none that it does not. 1: it holds none any more.
/// Another connection, which answers, was not asked, and that one is gone; behind a pooler it may live on: NULL. Can be repeated.
[[nodiscard]] inline long_text release_ghosts(served_by who, names set) {
    std::size_t expected = 100;
    for (const auto& key : set.keys) expected += 4 * key.size() + 80;
    long_text to{expected};
    to << "SELECT IF(" << who << ",LEAST(1";
    for (const auto& key : set.keys) {
        to << ",IF(IS_USED_LOCK(" << set.literal(key) << ")=" << who.connection << ",IFNULL(RELEASE_LOCK(" << set.literal(key) << "),0),1)";
    }
    to << ")," << (who.mark == 0 ? "1" : "NULL") << ") released LIMIT 1";
    return to;
}

/// The connections that hold any of them, with commas in between.
[[nodiscard]] inline long_text holders_of_any(names set) {
    std::size_t expected = 100;
    for (const auto& key : set.keys) expected += 2 * key.size() + 30;
    long_text to{expected};
    to << "SELECT CONCAT_WS(_utf8mb4','";
    for (const auto& key : set.keys) to << ",IS_USED_LOCK(" << set.literal(key) << ")";
    to << ") holders LIMIT 1";
    return to;
}

/// Who that is. Other users' connections are not shown without PROCESS.
[[nodiscard]] inline long_text connections(std::string_view ids) {
    long_text to{ids.size() + 100};
    to << "SELECT id,CAST(user AS BINARY),CAST(host AS BINARY) FROM information_schema.processlist WHERE id IN (" << ids << ") LIMIT 1000000";
    return to;
}

}  // namespace dlock::mysql::sql
