// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What backends/sqlite relies on, asked of SQLite itself and of the kernel. When one of these fails on another version,
// the backend is wrong there.
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

#include <gtest/gtest.h>

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

/// A connection and the statements of the backend.
class connection {
public:
    explicit connection(const fs::path& file, int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, const char* vfs = nullptr) {
        if (sqlite3_open_v2(file.c_str(), &database, flags, vfs) != SQLITE_OK) throw std::runtime_error{sqlite3_errmsg(database)};
    }
    ~connection() { sqlite3_close(database); }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    int run(const char* sql) const { return sqlite3_exec(database, sql, nullptr, nullptr, nullptr); }
    int lock() const { return run("BEGIN EXCLUSIVE"); }
    int lock_shared() const {
        const int code = run("BEGIN");
        return code == SQLITE_OK ? run("PRAGMA main.user_version") : code;
    }
    int unlock() const { return run("ROLLBACK"); }
    bool in_transaction() const { return sqlite3_get_autocommit(database) == 0; }

    /// Which lock SQLite has on the file.
    int state() const {
        int state = -1;
        EXPECT_EQ(sqlite3_file_control(database, "main", SQLITE_FCNTL_LOCKSTATE, &state), SQLITE_OK);
        return state;
    }
    /// The same, asked of the VFS.
    int state_of_file() const {
        int state = -1;
        EXPECT_EQ(vfs_file()->pMethods->xFileControl(vfs_file(), SQLITE_FCNTL_LOCKSTATE, &state), SQLITE_OK);
        return state;
    }
    bool reserved() const {
        int reserved = -1;
        EXPECT_EQ(vfs_file()->pMethods->xCheckReservedLock(vfs_file(), &reserved), SQLITE_OK);
        return reserved != 0;
    }
    sqlite3_file* vfs_file() const {
        sqlite3_file* opened = nullptr;
        EXPECT_EQ(sqlite3_file_control(database, "main", SQLITE_FCNTL_FILE_POINTER, &opened), SQLITE_OK);
        return opened;
    }
    bool moved() const {
        int moved = -1;
        EXPECT_EQ(sqlite3_file_control(database, "main", SQLITE_FCNTL_HAS_MOVED, &moved), SQLITE_OK);
        return moved != 0;
    }
    bool journal_open() const {
        sqlite3_file* journal = nullptr;
        EXPECT_EQ(sqlite3_file_control(database, "main", SQLITE_FCNTL_JOURNAL_POINTER, &journal), SQLITE_OK);
        return journal != nullptr && journal->pMethods != nullptr;
    }

    sqlite3* database = nullptr;
};

/// Another process with a connection of its own, that does one thing at a time: X locks, S locks shared, R rolls back; W answers
/// first and then waits to lock.
/// Forked while this one has no database open.
class other_process {
public:
    explicit other_process(const fs::path& file) {
        int ask[2], tell[2];
        if (::pipe2(ask, O_CLOEXEC) != 0 || ::pipe2(tell, O_CLOEXEC) != 0) throw std::runtime_error{"pipe"};
        pid = ::fork();
        if (pid == 0) {
            ::close(ask[1]);
            ::close(tell[0]);
            serve(file, ask[0], tell[1]);
        }
        ::close(ask[0]);
        ::close(tell[1]);
        ask_ = ask[1];
        answer_ = tell[0];
    }
    ~other_process() {
        ::close(ask_);
        ::close(answer_);
        if (pid > 0) ::waitpid(pid, nullptr, 0);
    }
    other_process(const other_process&) = delete;
    other_process& operator=(const other_process&) = delete;

    int operator()(char what) {
        int code = -1;
        if (::write(ask_, &what, 1) != 1 || ::read(answer_, &code, sizeof code) != sizeof code) throw std::runtime_error{"the other process died"};
        return code;
    }
    void kill() {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        pid = -1;
    }

    pid_t pid = -1;

private:
    [[noreturn]] static void serve(const fs::path& file, int ask, int tell) {
        std::unique_ptr<connection> c;
        for (char what; ::read(ask, &what, 1) == 1;) {
            if (!c) c = std::make_unique<connection>(file);
            if (what == 'W') sqlite3_busy_timeout(c->database, 60'000);
            const int code = what == 'W' ? SQLITE_OK : what == 'X' ? c->lock() : what == 'S' ? c->lock_shared() : c->unlock();
            if (::write(tell, &code, sizeof code) != sizeof code) break;
            if (what == 'W') c->lock();
        }
        ::_exit(0);
    }

    int ask_, answer_;
};

class SqliteBehaviour : public testing::Test {
protected:
    SqliteBehaviour() {
        const char* const parent = std::getenv("TEST_TMPDIR");
        std::string name = (parent != nullptr ? std::string{parent} : "/tmp") + "/dlock-sqlite.XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error{"mkdtemp"};
        directory = name;
        file = directory / "x.lock";
    }
    ~SqliteBehaviour() override { fs::remove_all(directory); }

    void create() const {
        const connection c{file};
        ASSERT_EQ(c.run("PRAGMA journal_mode = OFF; PRAGMA page_size = 512; CREATE TABLE dlock (name TEXT)"), SQLITE_OK);
    }

    /// The lines of /proc/locks about the file, as kind, first byte and last byte.
    std::set<std::string> kernel_locks(pid_t of = ::getpid()) const {
        struct stat found {};
        ::stat(file.c_str(), &found);
        std::set<std::string> all;
        std::ifstream locks{"/proc/locks"};
        for (std::string line; std::getline(locks, line);) {
            char kind[8]{}, last[24]{};
            int pid = 0;
            unsigned long long inode = 0, first = 0;
            if (std::sscanf(line.c_str(), "%*u: POSIX %*s %7s %d %*x:%*x:%llu %llu %23s", kind, &pid, &inode, &first, last) == 5 &&
                inode == found.st_ino && pid == of) {
                all.insert(std::string{kind} + " " + std::to_string(first) + " " + last);
            }
        }
        return all;
    }

    fs::path directory, file;
};

using locks = std::set<std::string>;
const locks writer{"WRITE 1073741824 1073742335"};          // PENDING, RESERVED and all shared bytes, merged
const locks reader{"READ 1073741826 1073742335"};           // the 510 shared bytes
const locks waiting_writer{"READ 1073741826 1073742335", "WRITE 1073741824 1073741825"};

TEST_F(SqliteBehaviour, BeginExclusiveLocksTheFileAndRollbackFreesIt) {
    create();
    const connection a{file}, b{file};
    ASSERT_EQ(a.lock(), SQLITE_OK);
    EXPECT_EQ(a.state(), SQLITE_LOCK_EXCLUSIVE);
    EXPECT_FALSE(a.journal_open());
    EXPECT_EQ(kernel_locks(), writer);
    EXPECT_EQ(b.lock(), SQLITE_BUSY) << "two connections of one process exclude each other";
    ASSERT_EQ(a.unlock(), SQLITE_OK);
    EXPECT_EQ(a.state(), SQLITE_LOCK_NONE);
    EXPECT_EQ(kernel_locks(), locks{});
    EXPECT_EQ(b.lock(), SQLITE_OK);
}

TEST_F(SqliteBehaviour, RefusedBeginExclusiveLeavesNoTransactionAndNoLock) {
    create();
    other_process other{file};
    for (const char held : {'X', 'S'}) {
        ASSERT_EQ(other(held), SQLITE_OK);
        const connection a{file};
        EXPECT_EQ(a.lock(), SQLITE_BUSY);
        EXPECT_FALSE(a.in_transaction());
        EXPECT_EQ(a.state(), SQLITE_LOCK_NONE);
        EXPECT_EQ(kernel_locks(), locks{});
        ASSERT_EQ(other('R'), SQLITE_OK);
    }
}

TEST_F(SqliteBehaviour, RefusedReaderHasATransactionToRollBack) {
    create();
    other_process other{file};
    ASSERT_EQ(other('X'), SQLITE_OK);
    const connection a{file};
    EXPECT_EQ(a.lock_shared(), SQLITE_BUSY);
    EXPECT_TRUE(a.in_transaction());
    EXPECT_EQ(a.state(), SQLITE_LOCK_NONE);
    EXPECT_EQ(a.unlock(), SQLITE_OK);
    EXPECT_FALSE(a.in_transaction());
}

TEST_F(SqliteBehaviour, ReadersShareAndKeepWritersOut) {
    create();
    other_process other{file};
    ASSERT_EQ(other('S'), SQLITE_OK);
    const connection a{file}, b{file};
    ASSERT_EQ(a.lock_shared(), SQLITE_OK);
    EXPECT_EQ(a.state(), SQLITE_LOCK_SHARED) << "a statement that has ended keeps its lock inside of BEGIN";
    EXPECT_FALSE(a.journal_open());
    EXPECT_EQ(kernel_locks(), reader);
    EXPECT_EQ(kernel_locks(other.pid), reader);
    EXPECT_EQ(b.lock(), SQLITE_BUSY);
    ASSERT_EQ(a.unlock(), SQLITE_OK);
    EXPECT_EQ(kernel_locks(), locks{});
    EXPECT_EQ(b.lock(), SQLITE_BUSY);
    ASSERT_EQ(other('R'), SQLITE_OK);
    EXPECT_EQ(b.lock(), SQLITE_OK);
}

/// What happens while a busy handler naps for the first time.
struct stage {
    std::function<void()> during;
    int naps = 0;
};

TEST_F(SqliteBehaviour, WaitingWriterLetsNoNewReaderInAndGivesUpCleanly) {
    create();
    other_process holder{file}, late{file};
    ASSERT_EQ(holder('S'), SQLITE_OK);
    const connection a{file};
    locks seen;
    int late_reader = -1;
    stage s{[&] {
        seen = kernel_locks();
        late_reader = late('S');
    }};
    sqlite3_busy_handler(a.database, [](void* p, int) {
        auto& now = *static_cast<stage*>(p);
        if (now.naps++ == 0) now.during();
        return now.naps < 3 ? 1 : 0; }, &s);
    EXPECT_EQ(a.lock(), SQLITE_BUSY);
    EXPECT_EQ(s.naps, 3) << "the handler is asked until it says no, and not again";
    EXPECT_EQ(seen, waiting_writer);
    EXPECT_EQ(late_reader, SQLITE_BUSY);
    EXPECT_EQ(a.state(), SQLITE_LOCK_NONE);
    EXPECT_EQ(kernel_locks(), locks{});
    ASSERT_EQ(late('R'), SQLITE_OK);
    EXPECT_EQ(late('S'), SQLITE_OK);
}

TEST_F(SqliteBehaviour, ReaderOvertakesAWaitingWriterWhereItsProcessReadsAlready) {
    create();
    other_process writer_there{file};
    const connection a{file}, b{file};
    ASSERT_EQ(a.lock_shared(), SQLITE_OK);
    ASSERT_EQ(writer_there('W'), SQLITE_OK);
    for (const auto limit = clock::now() + 30s; kernel_locks(writer_there.pid) != waiting_writer;) ASSERT_LT(clock::now(), limit);
    EXPECT_EQ(b.lock_shared(), SQLITE_OK) << "then docs/sqlite.md can promise more";
}

TEST_F(SqliteBehaviour, WaitingWriterShowsAsReservedToWhoReadsAlready) {
    create();
    other_process writer_there{file};
    const connection a{file}, b{file};
    ASSERT_EQ(a.lock_shared(), SQLITE_OK);
    EXPECT_FALSE(b.reserved());
    ASSERT_EQ(writer_there('W'), SQLITE_OK);
    for (const auto limit = clock::now() + 30s; kernel_locks(writer_there.pid) != waiting_writer;) ASSERT_LT(clock::now(), limit);
    EXPECT_TRUE(b.reserved());
    EXPECT_TRUE(a.reserved());
    writer_there.kill();
    EXPECT_FALSE(b.reserved());
}

TEST_F(SqliteBehaviour, FileItselfTellsItsLock) {
    create();
    const connection a{file};
    for (const bool exclusive : {true, false}) {
        EXPECT_EQ(a.state_of_file(), SQLITE_LOCK_NONE);
        ASSERT_EQ(exclusive ? a.lock() : a.lock_shared(), SQLITE_OK);
        EXPECT_EQ(a.state_of_file(), exclusive ? SQLITE_LOCK_EXCLUSIVE : SQLITE_LOCK_SHARED);
        EXPECT_EQ(a.state_of_file(), a.state());
        ASSERT_EQ(a.unlock(), SQLITE_OK);
    }
}

TEST_F(SqliteBehaviour, ReadLockOnADirectoryIsSeenByOthersAndEndsWithItsProcess) {
    const auto sees = [this](off_t byte) {
        const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct flock asked {};
        asked.l_type = F_WRLCK;
        asked.l_start = byte;
        asked.l_len = 1;
        EXPECT_EQ(::fcntl(fd, F_GETLK, &asked), 0);
        ::close(fd);
        return asked.l_type != F_UNLCK;
    };
    constexpr off_t byte = 0x3fff'ffff'ffff'ffff;
    int said[2];
    ASSERT_EQ(::pipe2(said, O_CLOEXEC), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        struct flock mark {};
        mark.l_type = F_RDLCK;
        mark.l_start = byte;
        mark.l_len = 1;
        const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        const bool done = ::fcntl(fd, F_SETLK, &mark) == 0;
        (void)!::write(said[1], &done, 1);
        for (;;) ::pause();
    }
    bool done = false;
    EXPECT_EQ(::read(said[0], &done, 1), 1);
    EXPECT_TRUE(done);
    EXPECT_TRUE(sees(byte));
    EXPECT_FALSE(sees(byte - 1));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    EXPECT_FALSE(sees(byte));
    ::close(said[0]);
    ::close(said[1]);
}

TEST_F(SqliteBehaviour, BusyHandlerMayAskWhetherTheFileMoved) {
    create();
    other_process holder{file};
    ASSERT_EQ(holder('X'), SQLITE_OK);
    const connection a{file};
    sqlite3_busy_handler(a.database, [](void* p, int count) {
        if (count == 0) fs::rename(*static_cast<fs::path*>(p), static_cast<fs::path*>(p)->string() + ".old");
        return count < 2 ? 1 : 0; }, &file);
    EXPECT_EQ(a.lock(), SQLITE_BUSY);
    EXPECT_TRUE(a.moved());
}

TEST_F(SqliteBehaviour, InterruptDoesNotEndABusyWait) {
    create();
    other_process holder{file};
    ASSERT_EQ(holder('X'), SQLITE_OK);
    const connection a{file};
    sqlite3_busy_timeout(a.database, 200);
    std::atomic<bool> done = false;
    std::thread interrupter{[&] {
        while (!done) {
            sqlite3_interrupt(a.database);
            std::this_thread::sleep_for(5ms);
        }
    }};
    const auto start = clock::now();
    EXPECT_EQ(a.lock() & 0xff, SQLITE_BUSY);
    EXPECT_GE(clock::now() - start, 200ms) << "then the backend could do without a handler of its own";
    done = true;
    interrupter.join();
}

TEST_F(SqliteBehaviour, PreparingOurStatementsDoesNotTouchTheFile) {
    create();
    other_process holder{file};
    ASSERT_EQ(holder('X'), SQLITE_OK);
    const connection a{file};
    for (const char* sql : {"BEGIN EXCLUSIVE", "BEGIN", "PRAGMA main.user_version", "ROLLBACK"}) {
        sqlite3_stmt* prepared = nullptr;
        EXPECT_EQ(sqlite3_prepare_v3(a.database, sql, -1, SQLITE_PREPARE_PERSISTENT, &prepared, nullptr), SQLITE_OK) << sql;
        sqlite3_finalize(prepared);
    }
}

TEST_F(SqliteBehaviour, KilledHolderIsFreeAtOnce) {
    create();
    for (const char held : {'X', 'S'}) {
        other_process other{file};
        ASSERT_EQ(other(held), SQLITE_OK);
        other.kill();
        const connection a{file};
        EXPECT_EQ(a.lock(), SQLITE_OK);
    }
}

TEST_F(SqliteBehaviour, ClosingAnyDescriptorOfTheFileDropsTheLock) {
    create();
    other_process other{file};
    const connection a{file};
    ASSERT_EQ(a.lock(), SQLITE_OK);
    ASSERT_EQ(other('X'), SQLITE_BUSY);
    ::close(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(a.state(), SQLITE_LOCK_EXCLUSIVE) << "SQLite does not notice";
    EXPECT_EQ(other('X'), SQLITE_OK) << "then the rule never to open a lock file could go";
}

TEST_F(SqliteBehaviour, StatDoesNotDropTheLock) {
    create();
    other_process other{file};
    const connection a{file};
    ASSERT_EQ(a.lock(), SQLITE_OK);
    EXPECT_FALSE(a.moved());
    struct stat found {};
    ASSERT_EQ(::stat(file.c_str(), &found), 0);
    EXPECT_EQ(other('X'), SQLITE_BUSY);
}

TEST_F(SqliteBehaviour, ForkedChildDoesNotInheritTheLock) {
    create();
    other_process other{file};
    const connection a{file};
    ASSERT_EQ(a.lock(), SQLITE_OK);
    if (const pid_t child = ::fork(); child == 0) {
        ::_exit(kernel_locks(::getpid()).empty() ? 0 : 1);
    } else {
        int status = -1;
        ::waitpid(child, &status, 0);
        EXPECT_EQ(status, 0);
    }
    EXPECT_EQ(kernel_locks(), writer) << "and its end takes nothing away";
    EXPECT_EQ(other('X'), SQLITE_BUSY);
}

TEST_F(SqliteBehaviour, UnlinkedFileIsLockedTwice) {
    create();
    other_process other{file};
    const connection a{file};
    ASSERT_EQ(a.lock(), SQLITE_OK);
    EXPECT_FALSE(a.moved());
    fs::remove(file);
    EXPECT_TRUE(a.moved());
    EXPECT_EQ(a.unlock(), SQLITE_OK);
    EXPECT_EQ(a.lock(), SQLITE_OK) << "SQLite does not notice";
    EXPECT_EQ(other('X'), SQLITE_OK) << "then nobody would need to compare inodes";
}

TEST_F(SqliteBehaviour, ReplacedAndRenamedFilesHaveMoved) {
    create();
    const connection a{file};
    fs::copy_file(file, directory / "copy");
    fs::rename(directory / "copy", file);
    EXPECT_TRUE(a.moved());
    const connection b{file};
    EXPECT_FALSE(b.moved());
    fs::rename(file, directory / "elsewhere");
    EXPECT_TRUE(b.moved());
}

TEST_F(SqliteBehaviour, DatabaseWithoutAFileDoesNotSayWhetherItMoved) {
    int moved = -1;
    const connection with_file{file};
    EXPECT_EQ(sqlite3_file_control(with_file.database, "main", SQLITE_FCNTL_HAS_MOVED, &moved), SQLITE_OK);
    for (const char* vfs : {"memdb", "unix"}) {
        const connection c{vfs == std::string{"memdb"} ? file : fs::path{":memory:"}, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs};
        EXPECT_EQ(sqlite3_file_control(c.database, "main", SQLITE_FCNTL_HAS_MOVED, &moved), SQLITE_NOTFOUND) << vfs;
    }
    const connection memory{file, SQLITE_OPEN_READWRITE, "memdb"};
    // 3.40 has the name that it was given, 3.53 none: the first could be taken for a file's.
    const std::string name = sqlite3_db_filename(memory.database, "main");
    EXPECT_TRUE(name.empty() || name == file) << name;
}

TEST_F(SqliteBehaviour, FileWithoutFcntlLocksDoesNotKnowThatItMoved) {
    create();
    for (const char* vfs : {"unix-none", "unix-dotfile"}) {
        const connection c{file, SQLITE_OPEN_READWRITE, vfs};
        fs::rename(file, directory / "elsewhere");
        EXPECT_FALSE(c.moved()) << vfs << ": then the backend need not refuse it";
        fs::rename(directory / "elsewhere", file);
    }
    const connection c{file, SQLITE_OPEN_READWRITE, "unix-excl"};
    fs::rename(file, directory / "elsewhere");
    EXPECT_TRUE(c.moved());
}

TEST_F(SqliteBehaviour, WritersDoNotExcludeReadersInWalMode) {
    create();
    const connection a{file}, b{file};
    ASSERT_EQ(a.run("PRAGMA journal_mode = WAL"), SQLITE_OK);
    ASSERT_EQ(a.lock(), SQLITE_OK);
    EXPECT_EQ(b.lock_shared(), SQLITE_OK);
    EXPECT_NE(a.state(), SQLITE_LOCK_EXCLUSIVE) << "what the backend looks at";
    EXPECT_TRUE(a.journal_open()) << "what the backend looks at";
    EXPECT_TRUE(b.journal_open()) << "what the backend looks at";
}

TEST_F(SqliteBehaviour, BeginExclusiveOnAReadOnlyDatabaseExcludesNobody) {
    create();
    const connection a{file, SQLITE_OPEN_READONLY}, b{file};
    EXPECT_EQ(sqlite3_db_readonly(a.database, "main"), 1);
    ASSERT_EQ(a.lock(), SQLITE_OK);
    EXPECT_NE(a.state(), SQLITE_LOCK_EXCLUSIVE);
    EXPECT_EQ(b.lock_shared(), SQLITE_OK);
}

TEST_F(SqliteBehaviour, EmptyFileLocksAsWell) {
    std::ofstream{file};
    const connection a{file}, b{file}, c{file};
    ASSERT_EQ(a.lock(), SQLITE_OK);
    EXPECT_EQ(a.state(), SQLITE_LOCK_EXCLUSIVE);
    EXPECT_TRUE(a.journal_open()) << "with a journal, which is not WAL";
    EXPECT_EQ(b.lock_shared(), SQLITE_BUSY);
    b.unlock();
    a.unlock();
    EXPECT_EQ(b.lock_shared(), SQLITE_OK);
    EXPECT_EQ(c.lock_shared(), SQLITE_OK);
    EXPECT_EQ(a.lock(), SQLITE_BUSY);
}

TEST_F(SqliteBehaviour, FileIsNotInheritedByAnotherProgram) {
    create();
    const connection a{file};
    ASSERT_EQ(a.lock(), SQLITE_OK);
    int found = 0;
    for (const auto& entry : fs::directory_iterator{"/proc/self/fd"}) {
        std::error_code gone;
        if (fs::read_symlink(entry.path(), gone) != fs::canonical(file)) continue;
        ++found;
        EXPECT_NE(::fcntl(std::stoi(entry.path().filename()), F_GETFD) & FD_CLOEXEC, 0);
    }
    EXPECT_EQ(found, 1);
}

sqlite3_io_methods methods_without_size;
int sizes_asked = 0;

TEST_F(SqliteBehaviour, FileMayBeToldItsSizeByAnother) {
    create();
    static sqlite3_vfs ours = *sqlite3_vfs_find("unix");
    ours.zName = "dlock-behaviour";
    ours.xOpen = [](sqlite3_vfs*, const char* name, sqlite3_file* opened, int flags, int* given) {
        auto* const real = sqlite3_vfs_find("unix");
        const int code = real->xOpen(real, name, opened, flags, given);
        if (code != SQLITE_OK || (flags & SQLITE_OPEN_MAIN_DB) == 0) return code;
        methods_without_size = *opened->pMethods;
        methods_without_size.xFileSize = [](sqlite3_file*, sqlite3_int64* size) {
            ++sizes_asked;
            return *size = 1024, SQLITE_OK;
        };
        opened->pMethods = &methods_without_size;
        return code;
    };
    ASSERT_EQ(sqlite3_vfs_register(&ours, 0), SQLITE_OK);
    {
        ASSERT_EQ(fs::file_size(file), 1024u);
        const connection a{file, SQLITE_OPEN_READWRITE, "dlock-behaviour"}, b{file};
        ASSERT_EQ(a.lock(), SQLITE_OK);
        EXPECT_GT(sizes_asked, 0) << "then the VFS of the backend can go";
        EXPECT_EQ(kernel_locks(), writer);
        EXPECT_EQ(b.lock(), SQLITE_BUSY);
        ASSERT_EQ(a.unlock(), SQLITE_OK);
        EXPECT_EQ(b.lock(), SQLITE_OK);
        EXPECT_EQ(a.lock_shared(), SQLITE_BUSY);
    }
    sqlite3_vfs_unregister(&ours);
}

int questions = 0;

TEST_F(SqliteBehaviour, CopyOfTheUnixVfsWorksAndSharesItsLocks) {
    create();
    static sqlite3_vfs ours = *sqlite3_vfs_find("unix");
    ours.zName = "dlock-behaviour";
    ours.xAccess = [](sqlite3_vfs*, const char* path, int question, int* answer) {
        EXPECT_EQ(question, SQLITE_ACCESS_EXISTS);
        const std::string asked{path};
        EXPECT_TRUE(asked.ends_with("-journal") || asked.ends_with("-wal")) << asked;
        ++questions;
        return *answer = 0, SQLITE_OK;
    };
    ASSERT_EQ(sqlite3_vfs_register(&ours, 0), SQLITE_OK);
    {
        const connection a{file, SQLITE_OPEN_READWRITE, "dlock-behaviour"}, b{file};
        ASSERT_EQ(a.lock(), SQLITE_OK);
        EXPECT_EQ(questions, 2);
        EXPECT_EQ(a.state(), SQLITE_LOCK_EXCLUSIVE);
        EXPECT_EQ(kernel_locks(), writer);
        EXPECT_EQ(b.lock(), SQLITE_BUSY);
        ASSERT_EQ(a.unlock(), SQLITE_OK);
        EXPECT_EQ(b.lock(), SQLITE_OK);
        EXPECT_EQ(a.lock_shared(), SQLITE_BUSY);
        a.unlock();
        b.unlock();
        ASSERT_EQ(b.run("PRAGMA journal_mode = WAL"), SQLITE_OK);
        ASSERT_EQ(a.lock(), SQLITE_OK);
        EXPECT_TRUE(a.journal_open()) << "WAL mode shows in the header, too";
        a.unlock();
    }
    sqlite3_vfs_unregister(&ours);
}

TEST_F(SqliteBehaviour, DatabaseMadeAsideIsCompleteUnderItsOwnName) {
    const fs::path draft = directory / "draft";
    {
        const connection c{draft};
        ASSERT_EQ(c.run("PRAGMA journal_mode = OFF; PRAGMA page_size = 512; BEGIN; CREATE TABLE dlock (name TEXT); COMMIT"), SQLITE_OK);
    }
    fs::create_hard_link(draft, file);
    std::error_code failed;
    fs::create_hard_link(draft, file, failed);
    EXPECT_EQ(failed, std::errc::file_exists) << "the second creator is told";
    fs::remove(draft);
    const connection a{file};
    EXPECT_EQ(fs::file_size(file), 1024u);
    EXPECT_EQ(a.run("SELECT * FROM dlock"), SQLITE_OK);
    ASSERT_EQ(a.lock(), SQLITE_OK);
    EXPECT_FALSE(a.journal_open()) << "journal_mode = OFF is not remembered in the file, and no journal is needed";
}

}  // namespace
