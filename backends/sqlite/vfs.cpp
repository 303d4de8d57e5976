// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/sqlite/vfs.hpp>

#include <soci/sqlite3/soci-sqlite3.h>

namespace dlock::sqlite {
namespace {

using sqlite_api::sqlite3_vfs;

sqlite3_vfs* unix_vfs = nullptr;

int access(sqlite3_vfs*, const char* file, int question, int* answer) noexcept {
    if (question != SQLITE_ACCESS_EXISTS) return unix_vfs->xAccess(unix_vfs, file, question, answer);
    *answer = 0;
    return SQLITE_OK;
}

/// A copy of "unix" with another name, as SQLite's own variants of it are. https://www.sqlite.org/vfs.html
const char* install() noexcept {
    static sqlite3_vfs ours;
    unix_vfs = sqlite_api::sqlite3_vfs_find("unix");
    if (unix_vfs == nullptr) return "";
    ours = *unix_vfs;
    ours.pNext = nullptr;
    ours.zName = "dlock";
    ours.xAccess = access;
    return sqlite_api::sqlite3_vfs_register(&ours, 0) == SQLITE_OK ? ours.zName : "";
}

}  // namespace

const char* lock_vfs() {
    static const char* const name = install();
    return name;
}

}  // namespace dlock::sqlite
