// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A directory of lock databases: the owner of SQLite locks, as a soci::session is the owner of a server's.
//
// Each key is a file of its own in the directory, each lock that is held a connection to its file. Sessions of the same
// directory exclude each other, in one process as in many. What is held is free when the session ends, and at once when
// the process does, however it ends.
//
// One thread at a time uses a session and its locks; which thread may change. In a forked child a session is lost and
// holds nothing. Make sessions after fork(), or in a program that exec() starts: SQLite does not survive a fork while it
// has locks, and a child that was forked while any session of its parent held one, or asked for one, can make no session
// at all. https://www.sqlite.org/howtocorrupt.html#_carrying_an_open_database_connection_across_a_fork_
//
// The directory is on a local file system. On a network one the locks are as good as its fcntl(2) locks, and SQLite warns
// of those: https://www.sqlite.org/faq.html#q5
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

#include <dlock/fencing_token.hpp>
#include <dlock/soci/fwd.hpp>
#include <dlock/sqlite/key.hpp>

namespace dlock::sqlite {

class home;
class lock_files;

/// What must be remembered of a grant.
struct grant {
    std::uint64_t serial = 0;  ///< counts the grants of a session
    fencing_token token{};     ///< of a fenced lock
};

class session {
public:
    /// Creates the directory unless it is there; its parent must be. Who may make files in it may lock.
    /// \throws lock_error  server_error: it cannot be created, or is no directory; unsupported: its path contains a '"', which SOCI
    ///                     cannot open, or is longer than SQLite opens, or this process was forked while its parent held a lock
    ///                     or asked for one
    explicit session(const std::filesystem::path& directory);

    /// Frees what is held.
    ~session();
    session(const session&) = delete;
    session& operator=(const session&) = delete;

    /// Absolute, without symbolic links.
    [[nodiscard]] const std::filesystem::path& directory() const noexcept;

    /// How many locks it holds.
    [[nodiscard]] std::size_t held() const noexcept;

    /// The file that stands for a key. Do not open it in a process that uses dlock: closing it would free the lock.
    [[nodiscard]] std::filesystem::path file(const key& k) const;

    /// What holders() says of this process instead of its command line, for the locks of this directory: the first 1024 bytes
    /// of it. For all of its sessions there, as /proc/locks knows processes only; the last one who sets it says it, until the
    /// process has no session there any more. Empty: the command line. Writes a file.
    /// \throws lock_error  server_error, exhausted: it cannot be written; unsupported: there is no /proc; lost: in a forked child
    void set_label(std::string_view text);

private:
    friend struct lock_database;
    friend struct fenced_lock_database;
    friend std::shared_ptr<session> session_beside(soci::session& database);

    explicit session(const home& beside);

    std::unique_ptr<lock_files> files_;
};

/// The directory of locks that belongs to the SQLite database of a session: beside it, `<file>-locks`. Makes nothing.
/// \throws lock_error  unsupported: the session is not SQLite's, or its database has no file of which the identity can be known, or one
///                     with several names; lost: the session is closed, or the file was renamed, replaced or deleted
[[nodiscard]] std::filesystem::path directory_beside(soci::session& database);

/// The session of that directory, the same one for as long as somebody keeps it: so what two locks made from one
/// soci::session do to each other is what they would do on any other server (errc::already_owned). Any thread.
///
/// Its locks are those of the database's file: they are lost when that is renamed, replaced or deleted, and then the session gets
/// no more (errc::lost). A directory that is not there is made with the mode of the database, its group and, by root, its owner.
/// \throws lock_error  as directory_beside() and session's constructor
[[nodiscard]] std::shared_ptr<session> session_beside(soci::session& database);

/// The label of this process for the locks beside the database, as session::set_label(), whether or not it has a session there
/// by then: it stays until it is set to nothing or the process ends. For the locks of make_lock(). Any thread.
/// \throws lock_error  as session_beside() and session::set_label()
void set_label(soci::session& database, std::string_view text);

}  // namespace dlock::sqlite
