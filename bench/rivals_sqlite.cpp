// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <soci/soci.h>
#include <sqlite3.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

#include <dlock/sqlite.hpp>

#include "bench/dlock_rival.hpp"
#include "bench/rivals.hpp"

namespace dlock::bench {
namespace {

/// A database with a table in it: in an empty one, BEGIN EXCLUSIVE would make and delete a journal.
class sqlite3_prepared final : public rival {
public:
    explicit sqlite3_prepared(const std::string& file) {
        sqlite3* opened = nullptr;
        const int code = sqlite3_open(file.c_str(), &opened);
        database_.reset(opened);
        require(code == SQLITE_OK);
        require(sqlite3_exec(opened, "CREATE TABLE IF NOT EXISTS t (x)", nullptr, nullptr, nullptr) == SQLITE_OK);
        acquire_ = prepare("BEGIN EXCLUSIVE");
        release_ = prepare("ROLLBACK");
    }

    void acquire() override { execute(acquire_); }
    void release() override { execute(release_); }

private:
    struct close {
        void operator()(sqlite3* d) const noexcept { sqlite3_close_v2(d); }
        void operator()(sqlite3_stmt* s) const noexcept { sqlite3_finalize(s); }
    };
    using statement = std::unique_ptr<sqlite3_stmt, close>;

    void require(bool ok) const {
        if (!ok) throw std::runtime_error{sqlite3_errmsg(database_.get())};
    }

    statement prepare(const char* sql) {
        sqlite3_stmt* prepared = nullptr;
        require(sqlite3_prepare_v3(database_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &prepared, nullptr) ==
                SQLITE_OK);
        return statement{prepared};
    }

    void execute(const statement& s) {
        require(sqlite3_step(s.get()) == SQLITE_DONE);
        sqlite3_reset(s.get());
    }

    std::unique_ptr<sqlite3, close> database_;
    statement acquire_, release_;
};

std::string open(const std::string& file) { return "sqlite3://dbname=\"" + file + '"'; }

class soci_prepared final : public rival {
public:
    explicit soci_prepared(const std::string& file)
        : db_{open(file)}, acquire_{(db_.prepare << "BEGIN EXCLUSIVE")}, release_{(db_.prepare << "ROLLBACK")} {}

    void acquire() override { acquire_.execute(true); }
    void release() override { release_.execute(true); }

private:
    soci::session db_;
    soci::statement acquire_, release_;
};

class soci_one_time final : public rival {
public:
    explicit soci_one_time(const std::string& file) : db_{open(file)} {}

    void acquire() override { db_ << "BEGIN EXCLUSIVE"; }
    void release() override { db_ << "ROLLBACK"; }

private:
    soci::session db_;
};

}  // namespace

std::vector<contest> sqlite_contests(const std::string& directory) {
    std::filesystem::create_directories(directory);
    const std::string file = directory + "/rivals.sqlite";
    const std::string where = std::string{"SQLite "} + sqlite3_libversion();
    const auto locks = [=](how way, const std::string& id, const std::string& what) {
        return contest{
            .where = where,
            .id = id,
            .what = what,
            .contenders =
                {
                    {"sqlite3, prepared", "sqlite3_prepared", [=] { return std::make_unique<sqlite3_prepared>(file); }},
                    {"dlock", "dlock",
                     [=] {
                         return std::make_unique<dlock_rival<sqlite::lock, sqlite::session>>(way, directory,
                                                                                             "dlock benchmark");
                     }},
                    {"SOCI, prepared", "soci_prepared", [=] { return std::make_unique<soci_prepared>(file); }},
                    {"SOCI, one-time", "soci_one_time", [=] { return std::make_unique<soci_one_time>(file); }},
                },
            .goal = 1.25,
        };
    };
    return {locks(how::lock, "sqlite/lock", "lock(), unlock()"),
            locks(how::try_lock, "sqlite/try_lock", "try_lock(), unlock()")};
}

}  // namespace dlock::bench
