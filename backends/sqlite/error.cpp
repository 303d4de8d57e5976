// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/sqlite/error.hpp>

#include <cerrno>
#include <system_error>

#include <dlock/sqlite/sqlite_api.hpp>

namespace dlock::sqlite {
namespace {

errc reason(int code, int system) noexcept {
    switch (system) {
        case EMFILE:
        case ENFILE:
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
        case ENOLCK: return errc::exhausted;
        default: break;
    }
    switch (code) {
        case SQLITE_READONLY_DBMOVED:
        case SQLITE_IOERR_VNODE: return errc::lost;
        case SQLITE_IOERR_NOMEM: return errc::exhausted;
        case SQLITE_LOCKED_SHAREDCACHE: return errc::unsupported;
        default: break;
    }
    switch (code & 0xff) {
        case SQLITE_FULL:
        case SQLITE_NOMEM: return errc::exhausted;
        default: return errc::server_error;
    }
}

}  // namespace

lock_error failure(int code, int system, const std::string& doing) {
    std::string what = "dlock: cannot " + doing + ": " + sqlite_api::sqlite3_errstr(code);
    if (system != 0) what += " (" + std::generic_category().message(system) + ")";
    if (code == SQLITE_LOCKED_SHAREDCACHE) {
        what += "; this program has switched SQLite's shared cache on, with which two sessions of one process cannot wait for each other: "
                "sqlite3_enable_shared_cache(0), before any session is made";
    }
    return {reason(code, system), what, std::to_string(code)};
}

}  // namespace dlock::sqlite
