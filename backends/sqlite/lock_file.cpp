// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/sqlite/lock_file.hpp>

#include <cerrno>
#include <string>

#include <dlock/error.hpp>
#include <dlock/sqlite/draft.hpp>
#include <dlock/sqlite/error.hpp>
#include <dlock/sqlite/sql.hpp>
#include <dlock/sqlite/sqlite_api.hpp>
#include <dlock/sqlite/vfs.hpp>

namespace dlock::sqlite {
namespace {

namespace fs = std::filesystem;
using namespace sqlite_api;

void fill(const draft& aside, const key& k) {
    const database made{aside.path(), draft_vfs()};
    const auto run_or_throw = [&](const statement& what) {
        errno = 0;  // SQLite does not always keep it
        const int code = run(what.get()), primary = code & 0xff;
        if (code != SQLITE_OK) throw failure(code, primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN ? errno : 0, "create " + made.path());
    };
    for (const char* const sql : sql::create) run_or_throw(made.prepare(sql));
    const auto insert = made.prepare(sql::insert);
    sqlite3_bind_text64(insert.get(), 1, k.kind().data(), k.kind().size(), SQLITE_STATIC, SQLITE_UTF8);
    sqlite3_bind_text64(insert.get(), 2, k.name().data(), k.name().size(), SQLITE_STATIC, SQLITE_UTF8);
    run_or_throw(insert);
    run_or_throw(made.prepare(sql::commit));
}

lock_error is_in_wal_mode(const database& what) {
    return {errc::unsupported, "dlock: " + what.path() + " is in WAL mode, in which writers do not exclude readers; "
                               "PRAGMA journal_mode = DELETE puts it back"};
}

}  // namespace

lock_file::lock_file(const fs::path& file, const key& k, const home* beside)
    : home_{beside},
      database_{open_or_make(file, lock_vfs(), [&k](const draft& aside) { fill(aside, k); })},
      begin_exclusive_{database_.prepare(sql::begin_exclusive)},
      begin_shared_{database_.prepare(sql::begin_shared)},
      read_{database_.prepare(sql::read)},
      release_{database_.prepare(sql::release)} {
    sqlite3_busy_handler(database_.native(), on_busy, this);
}

bool lock_file::try_acquire(mode m) { return begin(m, nullptr); }

bool lock_file::acquire(mode m, queue::place& in_line, deadline until, const std::stop_token& stop) {
    const wait w{in_line, until, stop};
    while (m == mode::shared && in_line.reads_here() && writer_is_there()) {
        if (!nap(w)) return false;
    }
    return begin(m, &w);
}

bool lock_file::begin(mode m, const wait* w) {
    wait_ = w;
    int code = run(m == mode::exclusive ? begin_exclusive_.get() : begin_shared_.get());
    if (code == SQLITE_OK && m == mode::shared) code = run(read_.get());
    wait_ = nullptr;
    if (code == SQLITE_OK) {
        require_grip(m);
        return true;
    }
    const int system = sqlite3_system_errno(database_.native());
    release();  // a reader's transaction is open, although its read was refused
    if ((code & 0xff) == SQLITE_BUSY) return false;
    if (in_wal_mode()) throw is_in_wal_mode(database_);
    throw failure(code, system, "lock " + database_.path());
}

/// https://www.sqlite.org/c3ref/io_methods.html
bool lock_file::writer_is_there() const noexcept {
    int reserved = 0;
    return database_.file()->pMethods->xCheckReservedLock(database_.file(), &reserved) == SQLITE_OK && reserved != 0;
}

/// As the file says, which the VFS refuses then. https://www.sqlite.org/fileformat.html#file_format_version_numbers
bool lock_file::in_wal_mode() const noexcept {
    unsigned char read_version = 0;
    constexpr sqlite3_int64 at = 19;
    return database_.file()->pMethods->xRead(database_.file(), &read_version, 1, at) == SQLITE_OK && read_version == 2;
}

void lock_file::release() noexcept {
    if (sqlite3_get_autocommit(database_.native()) == 0) (void)run(release_.get());
}

bool lock_file::unlocked() const noexcept {
    return sqlite3_get_autocommit(database_.native()) != 0 && state() == SQLITE_LOCK_NONE;
}

/// The lock that this connection has on the file, asked of the VFS: sqlite3_file_control() would ask the same, with a
/// search for the database's name and two mutexes around it.
int lock_file::state() const noexcept {
    int state = -1;
    (void)database_.file()->pMethods->xFileControl(database_.file(), SQLITE_FCNTL_LOCKSTATE, &state);
    return state;
}

/// Looks at what SQLite did, not at what it said: the lock it holds on the file, and, of a reader, that it has neither a
/// journal nor a log open. A log means WAL mode, in which a writer has no EXCLUSIVE lock; a journal is the empty file of
/// create().
void lock_file::require_grip(mode m) const {
    const int wanted = m == mode::exclusive ? SQLITE_LOCK_EXCLUSIVE : SQLITE_LOCK_SHARED;
    const int has = state();
    if (has == wanted) {
        if (m == mode::exclusive) return;
        sqlite3_file* journal = nullptr;
        (void)sqlite3_file_control(database_.native(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &journal);
        if (journal == nullptr || journal->pMethods == nullptr) return;
    }

    std::string journal_mode;
    const int code = run(database_.prepare(sql::journal_mode).get(), &journal_mode);
    if (code != SQLITE_OK) throw database_.error(code, "look at");
    if (journal_mode == "wal") throw is_in_wal_mode(database_);
    if (has != wanted) {
        throw lock_error{errc::unsupported, "dlock: SQLite began a transaction on " + database_.path() + " without locking the file"};
    }
}

/// https://www.sqlite.org/c3ref/busy_handler.html
int lock_file::on_busy(void* self, int) noexcept {
    auto& file = *static_cast<lock_file*>(self);
    return file.wait_ != nullptr && file.nap(*file.wait_) ? 1 : 0;
}

/// False: the wait is over.
bool lock_file::nap(const wait& w) noexcept {
    if (w.until.expired() || w.stop.stop_requested() || !in_place()) return false;
    w.in_line.nap(w.until, w.stop);
    return true;
}

}  // namespace dlock::sqlite
