// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// SQLite's result codes in dlock's closed list.
//
// | SQLite                                                  | errc         |
// |---------------------------------------------------------|--------------|
// | SQLITE_BUSY                                             | none: it is a lost race, or the end of a wait |
// | SQLITE_FULL, SQLITE_NOMEM; EMFILE, ENFILE, ENOSPC, EDQUOT, EFBIG, ENOLCK below any code | exhausted |
// | SQLITE_READONLY_DBMOVED, SQLITE_IOERR_VNODE             | lost         |
// | SQLITE_LOCKED_SHAREDCACHE                               | unsupported  |
// | everything else                                         | server_error |
// https://www.sqlite.org/rescode.html
#pragma once

#include <string>

#include <dlock/error.hpp>

namespace dlock::sqlite {

/// \param code    SQLite's extended result code; becomes lock_error::native()
/// \param system  the errno below it; 0: none
/// \param doing   what failed, with the file's name: "open /var/lib/app/locks/….lock"
[[nodiscard]] lock_error failure(int code, int system, const std::string& doing);

}  // namespace dlock::sqlite
