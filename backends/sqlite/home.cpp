// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/sqlite/home.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include <soci/soci.h>

#include <dlock/error.hpp>
#include <dlock/soci/native.hpp>
#include <dlock/sqlite/sqlite_api.hpp>

namespace dlock::sqlite {
namespace {

namespace fs = std::filesystem;
using namespace sqlite_api;

constexpr const char* instead = "; give dlock::sqlite::session a directory";

/// The file of the path itself: behind a symbolic link the database has another name, and its locks another directory.
std::optional<struct stat> look_at(const fs::path& path) noexcept {
    struct stat found;
    if (::lstat(path.c_str(), &found) != 0) return std::nullopt;
    return found;
}

/// Whether the file alone is mounted there (`docker run -v ./app.db:/app.db`): it has another path, which no link count tells. Of a
/// kernel before 5.8, which cannot say, it is believed that it is not. https://man7.org/linux/man-pages/man2/statx.2.html
bool is_mount(const fs::path& path) noexcept {
#ifdef STATX_ATTR_MOUNT_ROOT
    struct statx found;
    return ::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, 0, &found) == 0 && (found.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
#else
    (void)path;
    return false;
#endif
}

/// SQLite's ways to the disk without fcntl(2) locks do not remember which file they have opened. "shim/unix" is a shim over
/// "unix". https://www.sqlite.org/vfs.html
bool forgets_its_file(sqlite3* database) {
    char* name = nullptr;
    if (sqlite3_file_control(database, "main", SQLITE_FCNTL_VFSNAME, &name) != SQLITE_OK || name == nullptr) return false;
    std::string_view last{name};
    last.remove_prefix(last.rfind('/') + 1);
    const bool forgets = last == "unix-none" || last == "unix-dotfile";
    sqlite3_free(name);
    return forgets;
}

lock_error moved(const fs::path& path) {
    return {errc::lost, "dlock: the database " + path.string() + " was renamed, replaced or deleted since this session opened it, and the "
                        "locks beside it with it; open it again"};
}

}  // namespace

home::home(soci::session& database) : id_{} {
    auto* const native = soci_support::native<soci::sqlite3_session_backend>(database, "sqlite3").conn_;
    const char* const file = sqlite3_db_filename(native, "main");
    const std::string name = file != nullptr ? file : "";

    std::error_code failed;
    path_ = fs::canonical(name, failed);
    const auto found = look_at(path_);
    // It compares the path with the file that is open, so it was this one that was found just before.
    int elsewhere = 1;
    if (name.empty() || sqlite3_file_control(native, "main", SQLITE_FCNTL_HAS_MOVED, &elsewhere) != SQLITE_OK) {
        throw lock_error{errc::unsupported, "dlock: this SQLite database is in memory or temporary, or its VFS does not tell which file it is: "
                                            "nothing says who else has it, so no lock can be made for it" + std::string{instead}};
    }
    if (forgets_its_file(native)) {
        throw lock_error{errc::unsupported, "dlock: the database " + name + " is open through a VFS that does not remember which file it has "
                                            "opened; open it through \"unix\" or \"unix-excl\"" + instead + " otherwise"};
    }
    if (failed || !found || elsewhere != 0) throw moved(name);
    id_ = {found->st_dev, found->st_ino};
    if (is_mount(path_)) {
        throw lock_error{errc::unsupported, "dlock: the database " + name + " is mounted by itself, without its directory, so who has it by "
                                            "its other path would look for its locks elsewhere; mount the directory" + instead + " otherwise"};
    }
    require_in_place();
}

bool home::in_place() const noexcept {
    const auto found = look_at(path_);
    return found && file_id{found->st_dev, found->st_ino} == id_ && found->st_nlink == 1;
}

void home::require_in_place() const {
    const auto found = look_at(path_);
    if (!found || file_id{found->st_dev, found->st_ino} != id_) throw moved(path_);
    if (found->st_nlink == 1) return;
    throw lock_error{errc::unsupported, "dlock: the database " + path_.string() + " has " + std::to_string(found->st_nlink) +
                                        " names (hard links), and locks beside one of them exclude nobody beside another; leave it one" + instead +
                                        " otherwise"};
}

}  // namespace dlock::sqlite
