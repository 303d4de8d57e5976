// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The database that a lock directory is beside. Internal to this backend.
//
// A path is only a name: the identity of a database is its file, by device and inode. The locks are in a directory that is
// called by the path, so they mean something only while the path is the one name of the file. A file that was renamed,
// replaced or deleted has lost them; one with two names (hard links, or a mount of the file alone) would have two
// directories, and is refused. SQLite, too, keeps its journal by the path, and advises against both:
// https://www.sqlite.org/howtocorrupt.html#_multiple_links_to_the_same_file
//
// The database is never opened here: see file_id.hpp. SQLite tells whether the path names the file that it has open.
#pragma once

#include <filesystem>

#include <dlock/soci/fwd.hpp>
#include <dlock/sqlite/file_id.hpp>

namespace dlock::sqlite {

class home {
public:
    /// Makes nothing.
    /// \throws lock_error  unsupported: the session is not SQLite's; its database has no file of which the identity can be known,
    ///                     or one with several names. lost: it is closed, or the file was renamed, replaced or deleted
    explicit home(soci::session& database);

    /// Of the database; absolute, without symbolic links.
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
    [[nodiscard]] file_id id() const noexcept { return id_; }

    /// Where its locks are.
    [[nodiscard]] std::filesystem::path directory() const { return path_.string() + "-locks"; }

    /// Whether the path is the one name of the file. A question to the file system.
    [[nodiscard]] bool in_place() const noexcept;

    /// \throws lock_error  unsupported: the file has several names; lost: the path names another file, or none
    void require_in_place() const;

private:
    std::filesystem::path path_;
    file_id id_;
};

}  // namespace dlock::sqlite
