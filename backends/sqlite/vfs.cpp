// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/sqlite/vfs.hpp>

#include <cerrno>
#include <cstddef>
#include <new>

#include <soci/sqlite3/soci-sqlite3.h>

namespace dlock::sqlite {
namespace {

using sqlite_api::sqlite3_file;
using sqlite_api::sqlite3_int64;
using sqlite_api::sqlite3_io_methods;
using sqlite_api::sqlite3_vfs;

sqlite3_vfs* unix_vfs = nullptr;

int access(sqlite3_vfs*, const char* file, int question, int* answer) noexcept {
    if (question != SQLITE_ACCESS_EXISTS) return unix_vfs->xAccess(unix_vfs, file, question, answer);
    *answer = 0;
    return SQLITE_OK;
}

/// What stands behind the fields of "unix" in each database file.
struct addition {
    sqlite3_io_methods methods;
    const sqlite3_io_methods* unixs;
    sqlite3_int64 size = 0;
};

std::size_t offset() noexcept {
    constexpr auto alignment = alignof(addition);
    return (static_cast<std::size_t>(unix_vfs->szOsFile) + alignment - 1) / alignment * alignment;
}

addition& addition_to(sqlite3_file* file) noexcept {
    return *std::launder(reinterpret_cast<addition*>(reinterpret_cast<std::byte*>(file) + offset()));
}

/// An empty file can become a database; a database stays as large as it was made.
int size(sqlite3_file* file, sqlite3_int64* answer) noexcept {
    auto& ours = addition_to(file);
    if (ours.size == 0) {
        if (const int code = ours.unixs->xFileSize(file, &ours.size); code != SQLITE_OK) return code;
    }
    *answer = ours.size;
    return SQLITE_OK;
}

/// Where no lock can be had at all "unix" says that somebody has it, and who waits would wait for ever.
int lock(sqlite3_file* file, int level) noexcept {
    errno = 0;
    const int code = addition_to(file).unixs->xLock(file, level);
    return code == SQLITE_BUSY && errno == ENOLCK ? SQLITE_IOERR_LOCK : code;
}

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* given) noexcept {
    const int code = unix_vfs->xOpen(unix_vfs, name, file, flags, given);
    if (code != SQLITE_OK || file->pMethods == nullptr || (flags & SQLITE_OPEN_MAIN_DB) == 0) return code;
    auto* const ours = new (reinterpret_cast<std::byte*>(file) + offset()) addition{*file->pMethods, file->pMethods};
    ours->methods.xFileSize = size;
    ours->methods.xLock = lock;
    file->pMethods = &ours->methods;
    return code;
}

/// A copy of "unix" with another name, as SQLite's own variants of it are. https://www.sqlite.org/vfs.html
const char* install() noexcept {
    static sqlite3_vfs ours;
    unix_vfs = sqlite_api::sqlite3_vfs_find("unix");
    if (unix_vfs == nullptr) return "";
    ours = *unix_vfs;
    ours.pNext = nullptr;
    ours.zName = "dlock";
    ours.szOsFile = static_cast<int>(offset() + sizeof(addition));
    ours.xAccess = access;
    ours.xOpen = open;
    return sqlite_api::sqlite3_vfs_register(&ours, 0) == SQLITE_OK ? ours.zName : "";
}

}  // namespace

const char* lock_vfs() {
    static const char* const name = install();
    return name;
}

const char* draft_vfs() { return sqlite_api::sqlite3_vfs_find("unix-none") != nullptr ? "unix-none" : ""; }

}  // namespace dlock::sqlite
