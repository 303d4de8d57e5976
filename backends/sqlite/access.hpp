// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Who may use what this backend makes. Internal to it.
//
// SQLite gives a journal the mode of its database, whatever the umask, and, as root, its owner and group: all who share
// the database share the journal. So it is here: a lock directory takes them from its database, and the files in a lock
// directory from the directory. https://www.sqlite.org/src/doc/trunk/src/os_unix.c (findCreateFileMode)
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <sys/stat.h>
#include <unistd.h>

namespace dlock::sqlite {

/// What a directory needs so that who may read or write `file` may do so in it.
[[nodiscard]] inline mode_t directory_mode(const struct stat& file) noexcept {
    return (file.st_mode & 0777) | ((file.st_mode & 0444) >> 2) | S_IRWXU;
}

/// What a file needs so that who may make files in the directory may write in it.
[[nodiscard]] inline mode_t file_mode(const struct stat& directory) noexcept { return (directory.st_mode & 0666) | S_IRUSR | S_IWUSR; }

/// To be called by who has just made it, with the mode 0700 or 0600. As far as this process may: a group of which it is no member
/// it cannot give.
inline void give(int made, const struct stat& like, mode_t mode) noexcept {
    (void)!::fchown(made, ::geteuid() == 0 ? like.st_uid : static_cast<uid_t>(-1), like.st_gid);
    (void)::fchmod(made, mode);
}

}  // namespace dlock::sqlite
