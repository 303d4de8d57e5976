// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Which file a path names, asked by stat(2).
//
// Nothing here may ever open a lock file: closing any descriptor of a file drops all POSIX locks that the process has on
// it, and with them SQLite's. https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <sys/stat.h>

#include <optional>

namespace dlock::sqlite {

struct file_id {
    dev_t device;
    ino_t inode;

    friend bool operator==(const file_id&, const file_id&) = default;
};

/// Nothing when there is no such file, or it cannot be asked; errno tells.
[[nodiscard]] inline std::optional<file_id> identify(const char* path) noexcept {
    struct stat found;
    if (::stat(path, &found) != 0) return std::nullopt;
    return file_id{found.st_dev, found.st_ino};
}

}  // namespace dlock::sqlite
