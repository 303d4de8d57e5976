// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/sqlite/vfs.hpp>

#include <cerrno>
#include <cstddef>
#include <new>

#include <dlock/sqlite/sqlite_api.hpp>

namespace dlock::sqlite {
namespace {

using sqlite_api::sqlite3_file;
using sqlite_api::sqlite3_int64;
using sqlite_api::sqlite3_io_methods;
using sqlite_api::sqlite3_vfs;

/// Null: this SQLite was built without it.
sqlite3_vfs* unix_vfs() noexcept {
    static auto* const found = sqlite_api::sqlite3_vfs_find("unix");  // one object, as long as the library is loaded
    return found;
}

int access(sqlite3_vfs*, const char* file, int question, int* answer) noexcept {
    if (question != SQLITE_ACCESS_EXISTS) return unix_vfs()->xAccess(unix_vfs(), file, question, answer);
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
    return (static_cast<std::size_t>(unix_vfs()->szOsFile) + alignment - 1) / alignment * alignment;
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

/// SOCI always says that the file may be made. But it is there: we make them ourselves; and with O_CREAT the kernel refuses a
/// file of somebody else's in a directory like /tmp, to root, too. https://docs.kernel.org/admin-guide/sysctl/fs.html#protected-regular
int open_existing(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* given) noexcept {
    if ((flags & SQLITE_OPEN_MAIN_DB) != 0) flags &= ~SQLITE_OPEN_CREATE;
    return unix_vfs()->xOpen(unix_vfs(), name, file, flags, given);
}

int open(sqlite3_vfs* self, const char* name, sqlite3_file* file, int flags, int* given) noexcept {
    const int code = open_existing(self, name, file, flags, given);
    if (code != SQLITE_OK || file->pMethods == nullptr || (flags & SQLITE_OPEN_MAIN_DB) == 0) return code;
    auto* const ours = new (reinterpret_cast<std::byte*>(file) + offset()) addition{*file->pMethods, file->pMethods};
    ours->methods.iVersion = 1;  // without shared memory, and so without WAL, in which nobody is excluded
    ours->methods.xFileSize = size;
    ours->methods.xLock = lock;
    file->pMethods = &ours->methods;
    return code;
}

/// A copy of "unix" with another name, as SQLite's own variants of it are. https://www.sqlite.org/vfs.html
class variant {
public:
    template <class Change>
    variant(const char* name, Change change) {
        if (unix_vfs() == nullptr) return;
        vfs_ = *unix_vfs();
        vfs_.pNext = nullptr;
        vfs_.zName = name;
        change(vfs_);
        if (sqlite_api::sqlite3_vfs_register(&vfs_, 0) == SQLITE_OK) name_ = name;
    }

    [[nodiscard]] const char* name() const noexcept { return name_; }

private:
    sqlite3_vfs vfs_{};
    const char* name_ = "";
};

}  // namespace

const char* lock_vfs() {
    static variant made{"dlock", [](sqlite3_vfs& vfs) {
        vfs.szOsFile = static_cast<int>(offset() + sizeof(addition));
        vfs.xAccess = access;
        vfs.xOpen = open;
    }};
    return made.name();
}

const char* fence_vfs() {
    static variant made{"dlock-fence", [](sqlite3_vfs& vfs) { vfs.xOpen = open_existing; }};
    return made.name();
}

std::size_t longest_path() {
    constexpr std::size_t journal = 8;  // "-journal", which SQLite reckons to it
    const auto* const vfs = sqlite_api::sqlite3_vfs_find("unix");
    return (vfs != nullptr ? static_cast<std::size_t>(vfs->mxPathname) : 512) - journal;
}

const char* draft_vfs() { return sqlite_api::sqlite3_vfs_find("unix-none") != nullptr ? "unix-none" : ""; }

}  // namespace dlock::sqlite
