// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/sqlite/database.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include <soci/soci.h>

#include <dlock/soci/native.hpp>
#include <dlock/soci/standard_descriptors.hpp>
#include <dlock/sqlite/error.hpp>
#include <dlock/sqlite/sql.hpp>
#include <dlock/sqlite/sqlite_api.hpp>

namespace dlock::sqlite {
namespace {

namespace fs = std::filesystem;
using namespace sqlite_api;

/// SOCI tells the primary code only, and SQLite forgets errno with the connection that failed; so it is asked for again.
int errno_at(const fs::path& file) {
    const auto parent = file.parent_path();
    errno = 0;
    if (::faccessat(AT_FDCWD, file.c_str(), R_OK | W_OK, AT_EACCESS) != 0 && errno != ENOENT) return errno;
    if (errno == ENOENT) {
        errno = 0;
        if (::faccessat(AT_FDCWD, parent.c_str(), W_OK | X_OK, AT_EACCESS) != 0) return errno;
    }
    const int directory = ::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);  // needs a descriptor, and nothing else
    if (directory < 0) return errno;
    ::close(directory);
    return 0;
}

std::unique_ptr<soci::session> open(const fs::path& file, const std::string& vfs) {
    if (!soci_support::fill_standard_descriptors()) {
        throw failure(SQLITE_CANTOPEN, errno, "put /dev/null in the place of a closed descriptor 0, 1 or 2, before opening " + file.string());
    }
    const std::string name = vfs.empty() ? "" : "vfs=" + vfs + " ";
    try {
        return std::make_unique<soci::session>(soci::sqlite3, name + "dbname=\"" + file.string() + "\"");
    } catch (const soci::sqlite3_soci_error& e) {
        if (e.result() == SQLITE_ERROR) {  // an automatic extension of the program's says why
            throw lock_error{errc::server_error, "dlock: cannot open " + file.string() + ": " + e.what(), std::to_string(SQLITE_ERROR)};
        }
        throw failure(e.result(), errno_at(file), "open " + file.string());
    }
}

/// A program's automatic extensions run on every connection of its process, so on these, too: what it may have set there for
/// its own is undone. https://www.sqlite.org/c3ref/auto_extension.html
void make_ours(sqlite3* connection) noexcept {
    sqlite3_set_authorizer(connection, nullptr, nullptr);
    sqlite3_progress_handler(connection, 0, nullptr, nullptr);
    sqlite3_commit_hook(connection, nullptr, nullptr);
    sqlite3_rollback_hook(connection, nullptr, nullptr);
    sqlite3_update_hook(connection, nullptr, nullptr);
    sqlite3_trace_v2(connection, 0, nullptr, nullptr);
    sqlite3_busy_handler(connection, nullptr, nullptr);
    if (sqlite3_get_autocommit(connection) == 0) (void)sqlite3_exec(connection, "ROLLBACK", nullptr, nullptr, nullptr);
    (void)sqlite3_exec(connection, sql::ours, nullptr, nullptr, nullptr);
}

}  // namespace

void finalize::operator()(sqlite3_stmt* of) const noexcept { sqlite3_finalize(of); }

database::database(const fs::path& file, const std::string& vfs)
    : path_{file.string()},
      session_{open(file, vfs)},
      native_{soci_support::native<soci::sqlite3_session_backend>(*session_, "sqlite3").conn_} {
    make_ours(native_);
    sqlite3_extended_result_codes(native_, 1);
    // A database that cannot be written is opened all the same, and BEGIN EXCLUSIVE on it is a reader.
    if (sqlite3_db_readonly(native_, "main") != 0) throw failure(SQLITE_READONLY, errno_at(file), "write to " + path_);

    if (sqlite3_file_control(native_, "main", SQLITE_FCNTL_FILE_POINTER, &file_) != SQLITE_OK ||
        file_->pMethods == nullptr) {
        throw failure(SQLITE_CANTOPEN, 0, "open " + path_);
    }

    // SQLite compares the path with the file that it has open, so it was this one that stat(2) found just before.
    const auto found = identify(path_.c_str());
    int moved = 1;
    if (sqlite3_file_control(native_, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved == 0) id_ = found;
}

database::~database() = default;

statement database::prepare(const char* sql) const {
    sqlite3_stmt* prepared = nullptr;
    if (const int code = sqlite3_prepare_v3(native_, sql, -1, SQLITE_PREPARE_PERSISTENT, &prepared, nullptr); code != SQLITE_OK) {
        throw error(code, "use");
    }
    return statement{prepared};
}

lock_error database::error(int code, const char* doing) const {
    return failure(code, sqlite3_system_errno(native_), doing + (" " + path_));
}

int run(sqlite3_stmt* what, std::string* text) noexcept {
    if (sqlite3_step(what) == SQLITE_ROW && text != nullptr) {
        *text = reinterpret_cast<const char*>(sqlite3_column_text(what, 0));
    }
    return sqlite3_reset(what);
}

}  // namespace dlock::sqlite
