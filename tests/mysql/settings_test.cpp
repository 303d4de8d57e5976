// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A setting of the session decides neither which key is locked nor how an answer reads. The server lists what may be set; under
// each value the same suite runs: two sessions with the setting (one had a lock before it was set) against one without.
#include <dlock/mysql.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include <dlock/mysql/multi_lock.hpp>

#include "tests/mysql/client.hpp"
#include "tests/mysql/fixture.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using mysql::fenced_lock;
using mysql::hashed_lock;
using mysql::lock;
using mysql::multi_lock;
using strings = std::vector<std::string>;

/// Every row of a statement, its columns joined by tabs.
strings rows_of(client& of, const std::string& sql) {
    strings found;
    EXPECT_EQ(mysql_query(of.handle(), sql.c_str()), 0) << sql << ": " << mysql_error(of.handle());
    const std::unique_ptr<MYSQL_RES, void (*)(MYSQL_RES*)> rows{mysql_store_result(of.handle()), mysql_free_result};
    if (!rows) return found;
    while (const auto row = mysql_fetch_row(rows.get())) {
        std::string line;
        for (unsigned i = 0; i < mysql_num_fields(rows.get()); ++i) line.append(i > 0 ? "\t" : "").append(row[i] != nullptr ? row[i] : "");
        found.push_back(std::move(line));
    }
    return found;
}

strings split(std::string_view text, char at) {
    strings parts;
    while (!text.empty()) {
        const auto part = text.substr(0, text.find(at));
        parts.emplace_back(part);
        text.remove_prefix(std::min(text.size(), part.size() + 1));
    }
    return parts;
}

// --- what may be set

/// Values that tell most about a number: its ends, and the small ones.
strings numbers(const std::string& least, const std::string& most) {
    std::set<std::string> values{"0", "1", "2", "10"};
    if (!least.empty()) values.insert(least);
    if (!most.empty()) values.insert(most);
    return {values.begin(), values.end()};
}

strings charsets_of(client& of) { return rows_of(of, "SELECT character_set_name FROM information_schema.character_sets"); }
strings collations_of(client& of) {
    return rows_of(of, "SELECT DISTINCT collation_name FROM information_schema.collations WHERE collation_name IS NOT NULL");
}

/// What MariaDB says of its own variables. https://mariadb.com/kb/en/information-schema-system_variables-table/
strings variables_of_mariadb(client& of) {
    strings all;
    for (const auto& row : rows_of(of,
                                   "SELECT variable_name, variable_type, COALESCE(numeric_min_value, ''), COALESCE(numeric_max_value, ''), "
                                   "COALESCE(enum_value_list, '') FROM information_schema.system_variables "
                                   "WHERE variable_scope LIKE 'SESSION%' AND read_only='NO' ORDER BY variable_name")) {
        auto columns = split(row, '\t');
        columns.resize(5);
        const auto& [name, type, least, most, listed] = std::tie(columns[0], columns[1], columns[2], columns[3], columns[4]);
        const auto words = split(listed, ',');
        strings values;
        if (type == "ENUM") {
            for (const auto& word : words) values.push_back("'" + word + "'");
        } else if (type == "SET") {
            values = {"''"};
            std::string together;
            for (const auto& word : words) {
                values.push_back("'" + word + "'");
                together += (together.empty() ? "" : ",") + word;
            }
            values.push_back("'" + together + "'");
        } else if (type == "FLAGSET") {
            for (const auto& word : words) {
                values.push_back("'" + word + "=on'");
                values.push_back("'" + word + "=off'");
            }
        } else if (type == "BOOLEAN") {
            values = {"0", "1"};
        } else if (type != "VARCHAR") {
            values = numbers(least, most);
        }
        for (const auto& value : values) all.push_back("SET SESSION " + name + " = " + value);
    }
    return all;
}

/// Older servers do not say what may be set, so each variable is offered some values: the server refuses what it does not take.
strings variables_of_any(client& of) {
    strings all;
    for (const auto& row : rows_of(of, "SHOW SESSION VARIABLES")) {
        const auto name = row.substr(0, row.find('\t'));
        for (const char* value : {"0", "1", "2", "10", "18446744073709551615", "'ON'", "'OFF'"}) all.push_back("SET SESSION " + name + " = " + value);
    }
    return all;
}

/// What no list has: texts, words that are statements, states.
const strings by_hand{
    "SET time_zone = '+13:00'", "SET time_zone = '-12:59'", "SET lc_messages = 'de_DE'", "SET lc_messages = 'ja_JP'", "SET lc_messages = 'ru_RU'",
    "SET lc_time_names = 'ar_SA'", "SET session_track_system_variables = '*'", "SET system_versioning_asof = '2001-01-01'",
    "SET default_storage_engine = 'MEMORY'", "SET optimizer_switch = 'default'", "SET character_set_results = NULL", "SET timestamp = 1",
    "SET timestamp = 4000000000.5", "SET sql_mode = 'ANSI'", "SET sql_mode = 'TRADITIONAL'", "SET sql_mode = 'DB2'", "SET sql_mode = 'MAXDB'",
    "SET sql_mode = 'MSSQL'", "SET sql_mode = 'MYSQL323'", "SET sql_mode = 'MYSQL40'", "SET sql_mode = 'ORACLE'", "SET sql_mode = 'POSTGRESQL'",
    "SET sql_mode = 'ORACLE,EMPTY_STRING_IS_NULL,NO_BACKSLASH_ESCAPES,PAD_CHAR_TO_FULL_LENGTH,HIGH_NOT_PRECEDENCE,NO_UNSIGNED_SUBTRACTION'",
    "SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,IGNORE_SPACE,REAL_AS_FLOAT,HIGH_NOT_PRECEDENCE,PAD_CHAR_TO_FULL_LENGTH,NO_BACKSLASH_ESCAPES'",
    "SET ROLE nobody_special", "SET ROLE NONE", "SET @dlock = 1, @id = 2, @granted = 3", "LOCK TABLES test.settings READ",
    "LOCK TABLES test.settings WRITE", "HANDLER test.settings OPEN", "USE information_schema", "USE mysql",
    "SET TRANSACTION READ ONLY", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SET SESSION TRANSACTION READ ONLY",
    "PREPARE dlock FROM 'SELECT 1'", "SELECT SQL_CALC_FOUND_ROWS 1", "FLUSH TABLES", "FLUSH STATUS",
};

std::vector<strings> settings_of(client& of, const kind& server) {
    std::vector<strings> all;
    const bool is_mariadb = server.traits.is_mariadb;
    for (const auto& charset : charsets_of(of)) {
        of.ask("CREATE DATABASE IF NOT EXISTS settings_" + charset + " CHARACTER SET " + charset);
        for (const char* which : {"client", "connection", "results", "database", "server", "filesystem"}) {
            all.push_back({std::string{"SET character_set_"} + which + " = " + charset});
        }
        all.push_back({"SET NAMES " + charset});
        all.push_back({"USE settings_" + charset, "SET CHARACTER SET utf8"});
        all.push_back({"SET character_set_connection = " + charset, "SET character_set_results = " + charset});
        all.push_back({"SET character_set_connection = " + charset, "SET character_set_results = " + charset, "SET sql_select_limit = 0",
                       "SET sql_mode = 'ORACLE'"});
    }
    for (const auto& collation : collations_of(of)) all.push_back({"SET collation_connection = " + collation});
    for (const auto& one : is_mariadb ? variables_of_mariadb(of) : variables_of_any(of)) all.push_back({one});
    for (const auto& one : by_hand) all.push_back({one});
    if (is_mariadb) {
        all.push_back({"DO GET_LOCK('of the program', 0)"});
    } else {
        for (const char* mode : {"REAL_AS_FLOAT", "PIPES_AS_CONCAT", "ANSI_QUOTES", "IGNORE_SPACE", "ONLY_FULL_GROUP_BY", "NO_UNSIGNED_SUBTRACTION",
                                 "NO_DIR_IN_CREATE", "NO_KEY_OPTIONS", "NO_TABLE_OPTIONS", "NO_FIELD_OPTIONS", "NO_AUTO_VALUE_ON_ZERO",
                                 "NO_BACKSLASH_ESCAPES", "STRICT_TRANS_TABLES", "STRICT_ALL_TABLES", "NO_ZERO_IN_DATE", "NO_ZERO_DATE",
                                 "ALLOW_INVALID_DATES", "ERROR_FOR_DIVISION_BY_ZERO", "NO_AUTO_CREATE_USER", "HIGH_NOT_PRECEDENCE",
                                 "NO_ENGINE_SUBSTITUTION", "PAD_CHAR_TO_FULL_LENGTH"}) {
            all.push_back({std::string{"SET sql_mode = '"} + mode + "'"});
        }
    }
    return all;
}

// --- the suite

class Settings : public NamedLock {
protected:
    Settings() {
        onlooker_.ask("CREATE TABLE IF NOT EXISTS test.settings (x INTEGER PRIMARY KEY) ENGINE=InnoDB");
        onlooker_.ask("CREATE ROLE IF NOT EXISTS nobody_special");
        onlooker_.ask("GRANT nobody_special TO root@localhost");
    }

    [[nodiscard]] bool many() const { return GetParam().traits.is_mariadb; }

    /// Nullopt: the server does not take it.
    bool apply(session& to, const strings& statements) {
        bool taken = true;
        for (const auto& one : statements) taken = ask(to, one).rfind("ERROR", 0) != 0 && taken;
        return taken;
    }

    [[nodiscard]] std::string holder_of(const std::string& name) { return onlooker_.holder_of(name); }

    /// The holders of these names, in one answer.
    std::string holders_of(const strings& names) {
        std::string sql = "SELECT CONCAT_WS(',', 'of'";
        for (const auto& name : names) sql += ", IS_USED_LOCK('" + name + "')";
        return onlooker_.ask(sql + ")");
    }

    void expect_free() { EXPECT_EQ(holders_of(names_), "of"); }

    /// Only `mine` has it: another session is refused, the server names the very name, and so do both sessions.
    template <class Lock, class Other>
    void expect_exclusive(session& of, Lock& mine, Other& theirs, const strings& keys) {
        EXPECT_TRUE(mine.owns_lock());
        EXPECT_FALSE(theirs.try_lock()) << "two own it";
        if (theirs.owns_lock()) theirs.unlock();
        const auto id = std::to_string(id_of(of));
        std::string by = "of";
        for (std::size_t i = 0; i < keys.size(); ++i) by += "," + id;
        EXPECT_EQ(holders_of(keys), by) << keys.front();
        const auto found = mine.holders();
        ASSERT_EQ(found.size(), 1U);
        EXPECT_EQ(found[0].session, id);
        if (!GetParam().traits.one_lock_per_session) EXPECT_EQ(found[0].description, GetParam().traits.root);
        else EXPECT_TRUE(found[0].description.starts_with("root@")) << found[0].description;  // MySQL 5.6 knows the host in one place only
    }

    template <class Lock>
    void expect_released(Lock& mine, const strings& keys) {
        EXPECT_EQ(unlock(mine), std::error_code{});
        EXPECT_FALSE(mine.owns_lock());
        EXPECT_EQ(holders_of(keys), "of") << keys.front();
    }

    template <class Lock>
    void cycle(session& of, const std::string& name, const strings& keys) {
        Lock mine{of, name}, theirs{other_, name};
        mine.lock();
        expect_exclusive(of, mine, theirs, keys);
        if constexpr (requires { mine.token(); }) {
            EXPECT_GT(mine.token().value, last_token_);
            last_token_ = mine.token().value;
        }
        expect_released(mine, keys);
    }

    /// The other session has it: the answer is no, and it costs the session nothing.
    template <class Lock>
    void meets_a_busy_one(session& of, Lock& mine, const std::string& name) {
        lock theirs{other_, name};
        theirs.lock();
        EXPECT_FALSE(mine.try_lock());
        EXPECT_FALSE(mine.try_lock_for(2ms));
        EXPECT_EQ(mysql_ping(raw(of)), 0) << "the session was ended";
        EXPECT_EQ(holder_of(name), std::to_string(id_of(other_)));
        theirs.unlock();
    }

    void suite(session& of) {
        if (!many()) {
            cycle<lock>(of, "nightly job", {"nightly job"});
            cycle<lock>(of, "it's \\ \"", {"it''s \\\\ \""});
            cycle<hashed_lock>(of, "Grüße", {hashed_name::key("Grüße")});
            cycle<fenced_lock>(of, "fenced", {"fenced"});
            multi_lock alone{of, {"nightly job"}};
            meets_a_busy_one(of, alone, "nightly job");
            return;
        }
        lock other{of, "another"};  // is held through all of it
        other.lock();
        cycle<lock>(of, "nightly job", {"nightly job"});
        cycle<lock>(of, "Grüße, it's \\ 中", {"Grüße, it''s \\\\ 中"});
        cycle<hashed_lock>(of, "Grüße", {hashed_name::key("Grüße")});
        cycle<fenced_lock>(of, "fenced", {"fenced"});
        lock near{other_, "nightly jobs"};
        lock mine{of, "nightly job"};
        mine.lock();
        EXPECT_TRUE(near.try_lock()) << "another name is another lock";
        near.unlock();
        lock busy{of, "busy"};
        meets_a_busy_one(of, busy, "busy");
        mine.unlock();
        many_names(of);
        multi_lock some{of, {"first of them", "Größe", "third"}};
        meets_a_busy_one(of, some, "third");
        EXPECT_EQ(holders_of({"first of them", "Größe", "third"}), "of");
        EXPECT_EQ(holder_of("another"), std::to_string(id_of(of)));
        expect_released(other, {"another"});
    }

    void many_names(session& of) {
        const strings names{"first of them", "Größe", "third"};
        multi_lock mine{of, names}, theirs{other_, names};
        mine.lock();
        expect_exclusive(of, mine, theirs, names);
        expect_released(mine, names);
        EXPECT_TRUE(mine.try_lock_for(1s));
        expect_released(mine, names);
    }

    /// Nullopt where the setting does not let it work: that is said, and nothing is locked.
    std::optional<errc> run(session& of) {
        try {
            suite(of);
            return std::nullopt;
        } catch (const lock_error& error) {
            refused_because_ = error.what();
            return error.reason();
        }
    }

    std::string url_ = url();
    session other_{url_};
    std::uint64_t last_token_ = 0;
    std::string refused_because_;
    const strings names_{"nightly job", "nightly jobs", "Grüße, it''s \\\\ 中", "it''s \\\\ \"", hashed_name::key("Grüße"), "fenced", "another",
                         "busy", "first of them", "Größe", "third", "before"};
};
INSTANTIATE_ON_BOTH_SERVERS(Settings);

/// Under these nothing can be done at all: a statement gets no memory, no time, or the id of somebody else.
bool may_refuse(const std::string& setting) {
    for (const char* name : {"max_session_mem_used", "max_statement_time", "pseudo_thread_id", "query_alloc_block_size = 18446744073709551615"}) {
        std::string lower = setting;
        for (auto& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
        if (lower.find(name) != std::string::npos) return true;
    }
    return false;
}

TEST_P(Settings, DecideNeitherWhatIsLockedNorHowAnAnswerReads) {
    int covered = 0, skipped = 0, refused = 0, failed = 0;
    for (const auto& setting : settings_of(onlooker_, GetParam())) {
        std::string what;
        for (const auto& one : setting) what += one + "; ";
        SCOPED_TRACE(what);
        const int failed_before = ::testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count();
        std::optional<session> fresh{std::in_place, url_};
        if (!apply(*fresh, setting)) {
            ++skipped;
            continue;
        }
        const auto said = run(*fresh);
        fresh.reset();  // a table that it has locked is wanted below
        if (said) {
            ++refused;
            EXPECT_TRUE(may_refuse(what)) << refused_because_;
            EXPECT_NE(*said, errc::lost) << refused_because_;
            expect_free();
        } else {
            ++covered;
            expect_free();
            session used{url_};  // it is known to dlock before the setting comes, and holds a lock
            lock before{used, "before"}, theirs{other_, "before"};
            before.lock();
            (void)apply(used, setting);
            expect_exclusive(used, before, theirs, {"before"});
            expect_released(before, {"before"});
            if (many()) many_names(used);
        }
        if (::testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count() > failed_before) {
            other_.reconnect();  // whatever was left there
            mysql::accept_one_lock_per_session(other_);
            std::cout << "FAILED UNDER " << what << '\n';
            if (++failed == 10) break;  // that is enough to see
        }
    }
    std::cout << GetParam().traits.name << ": " << covered << " settings covered, " << refused << " refused, " << skipped
              << " that the server does not take\n";
    RecordProperty("settings_covered", covered);
    RecordProperty("settings_refused", refused);
    RecordProperty("settings_not_taken", skipped);
    EXPECT_GT(covered, many() ? 1000 : 500);
}

}  // namespace
}  // namespace dlock::testing
