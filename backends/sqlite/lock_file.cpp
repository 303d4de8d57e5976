// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/sqlite/lock_file.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string_view>
#include <system_error>
#include <thread>

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <dlock/error.hpp>
#include <dlock/soci/native.hpp>
#include <dlock/sqlite/error.hpp>
#include <dlock/sqlite/sql.hpp>
#include <dlock/sqlite/vfs.hpp>

namespace dlock::sqlite {
namespace {

namespace fs = std::filesystem;
using namespace sqlite_api;
using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds shortest_nap = 50us;
constexpr unsigned doublings = 5;  // up to 1.6 ms

/// SOCI tells the primary code only, and SQLite forgets errno with the connection that failed; so it is asked for again.
int errno_at(const fs::path& file) {
    const int directory = ::open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0) return errno;
    errno = 0;
    if (::faccessat(directory, file.filename().c_str(), R_OK | W_OK, AT_EACCESS) != 0 && errno == ENOENT) {
        errno = 0;
        (void)!::faccessat(directory, ".", W_OK | X_OK, AT_EACCESS);
    }
    const int code = errno;
    ::close(directory);
    return code;
}

std::unique_ptr<soci::session> open(const fs::path& file, std::string_view vfs) {
    const std::string name = vfs.empty() ? "" : "vfs=" + std::string{vfs} + " ";
    try {
        return std::make_unique<soci::session>(soci::sqlite3, name + "dbname=\"" + file.string() + "\"");
    } catch (const soci::sqlite3_soci_error& e) {
        throw failure(e.result(), errno_at(file), "open " + file.string());
    }
}

void fill(const fs::path& draft, const key& k) {
    const auto database = open(draft, "");
    try {
        for (const char* const sql : sql::create) *database << sql;
        *database << sql::insert, soci::use(k.kind()), soci::use(k.name());
        *database << sql::commit;
    } catch (const soci::sqlite3_soci_error& e) {
        const auto& native = soci_support::native<soci::sqlite3_session_backend>(*database, "sqlite3");
        throw failure(e.result(), sqlite3_system_errno(native.conn_), "create " + draft.string());
    }
}

/// Makes the database under another name and then links it to its own: nobody sees one that is half made, and of several
/// who create it at the same time one does. Where the file system has no links SQLite makes an empty one by itself, which
/// is only slower to lock.
void create(const fs::path& file, const key& k) {
    std::random_device random;
    const fs::path draft = file.string() + "-draft-" + std::to_string(random()) + std::to_string(random());
    std::error_code failed, ignored;
    try {
        fill(draft, k);
        fs::create_hard_link(draft, file, failed);
    } catch (...) {
        fs::remove(draft, ignored);
        throw;
    }
    fs::remove(draft, ignored);
}

/// Runs a statement that answers at most one row, of which nobody reads more than `text`.
int run(sqlite3_stmt* statement, std::string* text = nullptr) noexcept {
    if (sqlite3_step(statement) == SQLITE_ROW && text != nullptr) {
        *text = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
    }
    return sqlite3_reset(statement);
}

}  // namespace

void lock_file::finalize::operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }

lock_file::lock_file(const fs::path& file, const key& k) : path_{file.string()} {
    if (!identify(path_.c_str())) create(file, k);
    connection_ = open(file, lock_vfs());
    database_ = soci_support::native<soci::sqlite3_session_backend>(*connection_, "sqlite3").conn_;
    sqlite3_extended_result_codes(database_, 1);
    // A database that cannot be written is opened all the same, and BEGIN EXCLUSIVE on it is a reader.
    if (sqlite3_db_readonly(database_, "main") != 0) throw failure(SQLITE_READONLY, errno_at(file), "lock " + path_);

    // SQLite compares the path with the file that it has open, so it was this one that stat(2) found just before.
    const auto found = identify(path_.c_str());
    int moved = 1;
    if (sqlite3_file_control(database_, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved == 0) id_ = found;

    begin_exclusive_ = prepare(sql::begin_exclusive);
    begin_shared_ = prepare(sql::begin_shared);
    read_ = prepare(sql::read);
    release_ = prepare(sql::release);
    sqlite3_busy_handler(database_, on_busy, this);
    jitter_.seed(std::random_device{}());
}

lock_file::~lock_file() = default;

lock_file::statement lock_file::prepare(const char* sql) const {
    sqlite3_stmt* prepared = nullptr;
    if (const int code = sqlite3_prepare_v3(database_, sql, -1, SQLITE_PREPARE_PERSISTENT, &prepared, nullptr); code != SQLITE_OK) {
        throw failure(code, sqlite3_system_errno(database_), "use " + path_);
    }
    return statement{prepared};
}

bool lock_file::acquire(mode m, deadline until, const std::stop_token& stop) {
    wait w{until, stop};
    wait_ = &w;
    int code = run(m == mode::exclusive ? begin_exclusive_.get() : begin_shared_.get());
    if (code == SQLITE_OK && m == mode::shared) code = run(read_.get());
    wait_ = nullptr;
    if (code == SQLITE_OK) {
        require_grip(m);
        return true;
    }
    const int system = sqlite3_system_errno(database_);
    release();  // a reader's transaction is open, although its read was refused
    if ((code & 0xff) == SQLITE_BUSY) return false;
    throw failure(code, system, "lock " + path_);
}

void lock_file::release() noexcept {
    if (sqlite3_get_autocommit(database_) == 0) (void)run(release_.get());
}

bool lock_file::unlocked() const noexcept {
    int state = -1;
    return sqlite3_get_autocommit(database_) != 0 &&
           sqlite3_file_control(database_, "main", SQLITE_FCNTL_LOCKSTATE, &state) == SQLITE_OK && state == SQLITE_LOCK_NONE;
}

bool lock_file::in_place() const noexcept { return id_ && identify(path_.c_str()) == id_; }

/// Looks at what SQLite did, not at what it said: the lock it holds on the file, and that it has neither a journal nor a
/// log open. A log means WAL mode; a journal is the empty file of create().
void lock_file::require_grip(mode m) const {
    const int wanted = m == mode::exclusive ? SQLITE_LOCK_EXCLUSIVE : SQLITE_LOCK_SHARED;
    int state = -1;
    sqlite3_file* journal = nullptr;
    (void)sqlite3_file_control(database_, "main", SQLITE_FCNTL_LOCKSTATE, &state);
    (void)sqlite3_file_control(database_, "main", SQLITE_FCNTL_JOURNAL_POINTER, &journal);
    if (state == wanted && (journal == nullptr || journal->pMethods == nullptr)) return;

    std::string journal_mode;
    const int code = run(prepare(sql::journal_mode).get(), &journal_mode);
    if (code != SQLITE_OK) throw failure(code, sqlite3_system_errno(database_), "look at " + path_);
    if (journal_mode == "wal") {
        throw lock_error{errc::unsupported, "dlock: " + path_ + " is in WAL mode, in which writers do not exclude readers; "
                                            "PRAGMA journal_mode = DELETE puts it back"};
    }
    if (state != wanted) {
        throw lock_error{errc::unsupported, "dlock: SQLite began a transaction on " + path_ + " without locking the file"};
    }
}

/// https://www.sqlite.org/c3ref/busy_handler.html
int lock_file::on_busy(void* self, int) noexcept {
    auto& file = *static_cast<lock_file*>(self);
    return file.wait_ != nullptr && file.nap(*file.wait_) ? 1 : 0;
}

/// Sleeps for a random time between half an interval and a whole one, which doubles from 50 µs to 1.6 ms: short enough
/// that a stop request needs no more than a look at it. False: the wait is over.
bool lock_file::nap(wait& w) noexcept {
    if (w.until.expired() || w.stop.stop_requested() || !in_place()) return false;
    const auto longest = shortest_nap * (1 << std::min(w.naps++, doublings));
    std::chrono::nanoseconds time{std::uniform_int_distribution{longest.count() / 2, longest.count()}(jitter_)};
    if (!w.until.is_never()) time = std::min(time, w.until.remaining<std::chrono::nanoseconds>());
    std::this_thread::sleep_for(time);
    return true;
}

}  // namespace dlock::sqlite
