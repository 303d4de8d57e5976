// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// One connection to one SQLite file, opened through SOCI, and the statements on it. Internal to this backend.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <dlock/error.hpp>
#include <dlock/soci/fwd.hpp>
#include <dlock/sqlite/file_id.hpp>

namespace sqlite_api {
struct sqlite3;
struct sqlite3_file;
struct sqlite3_stmt;
}  // namespace sqlite_api

namespace dlock::sqlite {

struct finalize {
    void operator()(sqlite_api::sqlite3_stmt* of) const noexcept;
};
using statement = std::unique_ptr<sqlite_api::sqlite3_stmt, finalize>;

class database {
public:
    /// Opens the file, for writing; creates an empty one when it is not there.
    /// \param vfs  SQLite's name of the way to the disk; empty: its default
    /// \throws lock_error  server_error, exhausted: the message names the file and the reason
    database(const std::filesystem::path& file, const std::string& vfs);
    ~database();
    database(const database&) = delete;
    database& operator=(const database&) = delete;

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] sqlite_api::sqlite3* native() const noexcept { return native_; }
    /// SQLite's way to the file, for questions that need none of its own state.
    [[nodiscard]] sqlite_api::sqlite3_file* file() const noexcept { return file_; }
    [[nodiscard]] soci::session& session() const noexcept { return *session_; }

    /// To be run again and again.
    /// \throws lock_error  server_error, exhausted
    [[nodiscard]] statement prepare(const char* sql) const;

    /// Whether the path still names the file that is open here.
    [[nodiscard]] bool in_place() const noexcept { return id_ && identify(path_.c_str()) == id_; }

    /// What to throw for a code of this connection. \param doing  "lock", "create"; the path comes behind it
    [[nodiscard]] lock_error error(int code, const char* doing) const;

private:
    std::string path_;
    std::unique_ptr<soci::session> session_;
    sqlite_api::sqlite3* native_ = nullptr;
    sqlite_api::sqlite3_file* file_ = nullptr;
    std::optional<file_id> id_;
};

/// Runs a statement that answers at most one row, of which nobody reads more than `text`. SQLite's code.
int run(sqlite_api::sqlite3_stmt* what, std::string* text = nullptr) noexcept;

}  // namespace dlock::sqlite
