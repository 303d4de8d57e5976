// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A new file of a lock directory, made under another name and then linked to its own: nobody sees one that is half made,
// or has not got its mode yet, and of several who make it at the same time one does. Internal to this backend.
//
// The file of a key is never opened to be made: closing it would free a lock that another thread has got meanwhile.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include <dlock/error.hpp>
#include <dlock/sqlite/database.hpp>
#include <dlock/sqlite/file_id.hpp>
#include <dlock/sqlite/size_signal.hpp>

namespace dlock::sqlite {

class draft {
public:
    /// Makes it, empty. While it lives, a file that gets too large is an error, and no signal.
    /// \throws lock_error  server_error, exhausted: the message names `of` and the reason
    explicit draft(const std::filesystem::path& of);

    /// Removes it.
    ~draft();
    draft(const draft&) = delete;
    draft& operator=(const draft&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

    /// Gives it its own name, unless there is such a file by now. Where the file system has no links an empty file is made in
    /// its place, which is a database to SQLite, too, and only slower to lock.
    /// \throws lock_error  server_error, exhausted
    void publish() const;

    /// The length of what is added to the file's name.
    static constexpr std::size_t longest_addition = 7 + 2 * 10;

private:
    std::filesystem::path of_, path_;
    size_signal_blocked no_signal_;
};

/// Opens a file, and makes it before, by `fill(draft)`, when it is not there; again when somebody has deleted it meanwhile.
/// \throws lock_error  as draft and database
template <class Fill>
[[nodiscard]] database open_or_make(const std::filesystem::path& file, const std::string& vfs, Fill fill) {
    for (int deleted = 0;; ++deleted) {
        if (!identify(file.c_str())) {
            const draft aside{file};
            fill(aside);
            aside.publish();
        }
        try {
            return database{file, vfs};
        } catch (const lock_error&) {
            if (deleted == 100 || identify(file.c_str())) throw;
        }
    }
}

}  // namespace dlock::sqlite
