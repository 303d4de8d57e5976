// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <fcntl.h>
#include <soci/soci.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>

#include <dlock/sqlite.hpp>

#include "bench/dlock_rivals.hpp"
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
        require(sqlite3_busy_timeout(opened, 60'000) == SQLITE_OK);
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

class soci_prepared_statements final : public rival {
public:
    explicit soci_prepared_statements(const std::string& url)
        : db_{url}, acquire_{(db_.prepare << "BEGIN EXCLUSIVE")}, release_{(db_.prepare << "ROLLBACK")} {}

    void acquire() override { acquire_.execute(true); }
    void release() override { release_.execute(true); }

private:
    soci::session db_;
    soci::statement acquire_, release_;
};

class soci_one_time_statements final : public rival {
public:
    explicit soci_one_time_statements(const std::string& url) : db_{url} {}

    void acquire() override { db_ << "BEGIN EXCLUSIVE"; }
    void release() override { db_ << "ROLLBACK"; }

private:
    soci::session db_;
};

/// What a shell script would use. The kernel wakes who waits.
class flock_rival final : public rival {
public:
    explicit flock_rival(const std::string& file) : file_{::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)} {
        if (file_ == -1) throw std::system_error{errno, std::generic_category(), file};
    }
    ~flock_rival() override { ::close(file_); }

    void acquire() override { change(LOCK_EX); }
    void release() override { change(LOCK_UN); }

private:
    void change(int to) const {
        while (::flock(file_, to) == -1) {
            if (errno != EINTR) throw std::system_error{errno, std::generic_category(), "flock"};
        }
    }

    int file_;
};

std::string file_in(const std::string& folder) { return folder + "/rivals.sqlite"; }
std::string url_in(const std::string& folder) { return "sqlite3://dbname=\"" + file_in(folder) + '"'; }

}  // namespace

namespace sqlite_rivals {

std::string where() { return std::string{"SQLite "} + sqlite3_libversion(); }

locker raw(const std::string& folder) {
    return {"sqlite3, prepared", "sqlite3_prepared", [=] { return std::make_unique<sqlite3_prepared>(file_in(folder)); }};
}

locker soci_prepared(const std::string& folder) {
    return {"SOCI, prepared", "soci_prepared", [=] { return std::make_unique<soci_prepared_statements>(url_in(folder)); }};
}

locker soci_one_time(const std::string& folder) {
    return {"SOCI, one-time", "soci_one_time", [=] { return std::make_unique<soci_one_time_statements>(url_in(folder)); }};
}

locker flock(const std::string& folder) {
    return {"flock(2)", "flock", [=] { return std::make_unique<flock_rival>(folder + "/rivals.flock"); }};
}

rival_maker dlock(const std::string& folder, how way) {
    return [=] {
        return std::make_unique<dlock_rival<sqlite::lock, sqlite::session>>(way, std::make_shared<sqlite::session>(folder), the_name);
    };
}

}  // namespace sqlite_rivals
}  // namespace dlock::bench
