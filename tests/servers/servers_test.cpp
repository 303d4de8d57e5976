// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The servers start, answer through SOCI, survive a crash and a restart, and leave nothing behind.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <soci/soci.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>

#include "tests/servers/child_process.hpp"
#include "tests/servers/find_program.hpp"
#include "tests/servers/mariadb_server.hpp"
#include "tests/servers/mysql_server.hpp"
#include "tests/servers/pgbouncer.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/servers/temporary_directory.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;

template <class Value = int>
Value ask(const std::string& url, const std::string& query) {
    soci::session session{url};
    Value answer{};
    session << query, soci::into(answer);
    return answer;
}

namespace fs = std::filesystem;

/// Whether the process runs. A zombie, which its parent has not waited for yet, has no command line.
bool runs(pid_t process) { return !contents("/proc/" + std::to_string(process) + "/cmdline").empty(); }

/// Knows whether a server's process or any child of it lives, also after the folder was removed.
class witness {
public:
    explicit witness(const fs::path& folder) : log_{::open((folder / "log").c_str(), O_RDONLY | O_CLOEXEC)} {}
    ~witness() { ::close(log_); }
    witness(const witness&) = delete;
    witness& operator=(const witness&) = delete;

    [[nodiscard]] bool server_lives() const {
        const bool alone = ::flock(log_, LOCK_EX | LOCK_NB) == 0;
        ::flock(log_, LOCK_UN);
        return !alone;
    }

private:
    int log_;
};

template <class Server>
struct Servers : ::testing::Test {};

struct ServerName {
    template <class Server>
    static std::string GetName(int) {
        if (std::is_same_v<Server, postgresql_server>) return "PostgreSql";
        return std::is_same_v<Server, mariadb_server> ? "MariaDb" : "MySql56";
    }
};

using every_server = ::testing::Types<postgresql_server, mariadb_server, mysql_server>;
TYPED_TEST_SUITE(Servers, every_server, ServerName);

TYPED_TEST(Servers, SharedOneIsStartedOnce) {
    auto& server = TypeParam::shared();
    const auto pid = server.pid();
    EXPECT_EQ(ask(server.url(), "select 42"), 42);
    server.start();
    EXPECT_EQ(TypeParam::shared().pid(), pid);
}

TYPED_TEST(Servers, ASecondOneIsIndependentAndLeavesNothingBehind) {
    std::optional<TypeParam> second;
    std::thread{[&second] { second.emplace(); }}.join();  // the end of this thread is not the end of the server
    const auto folder = second->directory();
    const witness seen{folder};
    EXPECT_TRUE(seen.server_lives());

    soci::session{second->url()} << "create table only_here (x integer)";
    EXPECT_EQ(ask(second->url(), "select count(*) from only_here"), 0);
    EXPECT_THROW(ask(TypeParam::shared().url(), "select count(*) from only_here"), soci::soci_error);

    second.reset();
    EXPECT_FALSE(seen.server_lives());
    EXPECT_FALSE(fs::exists(folder));
}

TYPED_TEST(Servers, KeepDataAndAddressWhenStoppedOrKilled) {
    TypeParam server{{.tcp = true}};
    const auto url = server.url();
    const witness seen{server.directory()};
    soci::session{url} << "create table kept (x integer)";

    server.stop();
    EXPECT_FALSE(seen.server_lives());
    EXPECT_THROW(ask(url, "select 1"), soci::soci_error);
    server.start();
    soci::session{url} << "insert into kept values (7)";

    const soci::session idle{url};  // the crash happens to somebody
    server.kill();
    EXPECT_FALSE(seen.server_lives());
    EXPECT_THROW(ask(url, "select 1"), soci::soci_error);
    server.start();
    EXPECT_EQ(server.url(), url);
    EXPECT_EQ(ask(url, "select x from kept"), 7);
}

TYPED_TEST(Servers, AreUntouchedByAForkedCopyOfTheTest) {
    auto& server = TypeParam::shared();
    const pid_t copy = ::fork();
    if (copy == 0) ::exit(0);  // runs the destructors of what is static, hence of the shared server
    int status = -1;
    ASSERT_EQ(::waitpid(copy, &status, 0), copy);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(ask(server.url(), "select 42"), 42);
}

TYPED_TEST(Servers, EndWhenTheTestIsKilled) {
    const temporary_directory notes;
    ::setenv("SERVERS_TEST_NOTE", (notes.path() / "note").c_str(), 0);  // already set in the test that will be killed
    const std::string note = ::getenv("SERVERS_TEST_NOTE");
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EXIT(
        {
            const TypeParam server;
            std::ofstream{note} << server.pid() << ' ' << server.directory().string();
            ::kill(::getpid(), SIGKILL);
        },
        ::testing::KilledBySignal(SIGKILL), "");
    ::unsetenv("SERVERS_TEST_NOTE");

    pid_t server = -1;
    fs::path folder;
    ASSERT_TRUE(std::ifstream{note} >> server >> folder);
    for (const auto deadline = std::chrono::steady_clock::now() + 30s; runs(server) || in_use(folder / "log");) {
        ASSERT_LT(std::chrono::steady_clock::now(), deadline);
        std::this_thread::sleep_for(1ms);
    }
}

TEST(ServerProcess, SaysWhyItDidNotStart) {
    try {
        const mysql_server server{{.settings = {"no_such_setting=1"}}};
        ADD_FAILURE() << "started";
    } catch (const std::runtime_error& refusal) {
        EXPECT_NE(std::string{refusal.what()}.find("unknown variable 'no_such_setting=1'"), std::string::npos)
            << refusal.what();
    }
}

TEST(PostgresqlServer, TakesSettingsAndLogsStatements) {
    const postgresql_server server{
        {.settings = {"max_locks_per_transaction=10", "max_connections=10", "log_statement=all"}}};
    EXPECT_EQ(ask<std::string>(server.url(), "select current_setting('max_locks_per_transaction')"), "10");
    EXPECT_EQ(ask<std::string>(server.url(), "select current_setting('max_connections')"), "10");
    EXPECT_NE(server.log().find("statement: select current_setting('max_connections')"), std::string::npos);
}

TEST(PostgresqlServer, LosesNothingByAnImmediateShutdown) {
    auto& server = postgresql_server::shared();
    soci::session{server.url()} << "create table kept as select 7 as x";
    server.stop(postgresql_server::shutdown::immediate);
    server.start();
    EXPECT_EQ(ask(server.url(), "select x from kept"), 7);
}

TEST(PostgresqlServer, StandbyReplicates) {
    const auto& primary = postgresql_server::shared();
    const postgresql_server standby{postgresql_server::standby_of{primary}};
    EXPECT_EQ(ask<std::string>(standby.url(), "select pg_is_in_recovery()::text"), "true");
    EXPECT_THROW(soci::session{standby.url()} << "create table refused (x integer)", soci::soci_error);
}

TEST(MysqlFamily, LogsStatements) {
    const mysql_server server{{.settings = {"general_log=1"}}};
    ask(server.url(), "select 4242");
    EXPECT_NE(server.log().find("select 4242"), std::string::npos) << server.log();
}

TEST(MysqlFamily, SaysItsVersions) {
    EXPECT_NE(ask<std::string>(mariadb_server::shared().url(), "select version()").find("MariaDB"), std::string::npos);
    EXPECT_EQ(ask<std::string>(mysql_server::shared().url(), "select version()"), "5.6.24");
}

TEST(Pgbouncer, PassesSessionsOn) {
    for (const bool tcp : {false, true}) {
        pgbouncer bouncer{postgresql_server::shared(), pool_mode::session, {.tcp = tcp}};
        const auto url = bouncer.url();
        EXPECT_EQ(ask(url, "select 42"), 42);
        bouncer.stop();
        EXPECT_THROW(ask(url, "select 42"), soci::soci_error);
        bouncer.start();
        EXPECT_EQ(ask(url, "select 42"), 42);
    }
}

TEST(Pgbouncer, InTransactionModeTwoClientsShareASession) {
    const pgbouncer bouncer{postgresql_server::shared(), pool_mode::transaction, {.settings = {"default_pool_size=1"}}};
    const auto pid = [](soci::session& session) {
        int answer = 0;
        session << "select pg_backend_pid()", soci::into(answer);
        return answer;
    };
    soci::session one{bouncer.url()}, two{bouncer.url()};
    EXPECT_EQ(pid(one), pid(two));
}

TEST(ChildProcess, TellsHowItEnded) {
    EXPECT_EQ(child_process({.command = {"sh", "-c", "exit 3"}}).wait(30s), 3);
    EXPECT_EQ(child_process({.command = {"sh", "-c", "kill -9 $$"}}).wait(30s), 128 + SIGKILL);
    EXPECT_EQ(child_process({.command = {"/no/such/program"}}).wait(30s), 127);
}

TEST(ChildProcess, GetsEnvironmentDirectoryAndLog) {
    const temporary_directory folder;
    const auto log = folder.path() / "log";
    ::setenv("GREETING", "overridden", 1);
    run({.command = {"sh", "-c", "echo $GREETING; pwd >&2"},
         .environment = {"GREETING=hello"},
         .directory = "/usr",
         .log = log},
        30s);
    EXPECT_EQ(contents(log), "hello\n/usr\n");
}

TEST(ChildProcess, InheritsNoDescriptorAndNoBlockedSignal) {
    int channel[2];
    ASSERT_EQ(::pipe(channel), 0);
    sigset_t blocked;
    ::sigemptyset(&blocked);
    ::sigaddset(&blocked, SIGTERM);
    ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &blocked, nullptr), 0);
    child_process child{{.command = {"sleep", "1000"}}};
    ASSERT_EQ(::pthread_sigmask(SIG_UNBLOCK, &blocked, nullptr), 0);

    ::close(channel[1]);
    char none;
    EXPECT_EQ(::read(channel[0], &none, 1), 0);  // end of file: nobody else holds the other end
    ::close(channel[0]);

    EXPECT_TRUE(child.running());
    EXPECT_EQ(child.wait(1ms), std::nullopt);
    child.signal(SIGTERM);
    EXPECT_EQ(child.wait(30s), 128 + SIGTERM);
}

TEST(ChildProcess, IsNotRootWhenUnprivileged) {
    const temporary_directory folder;
    const auto log = folder.path() / "log";
    run({.command = {"id", "-u"}, .directory = folder.path(), .log = log, .unprivileged = true}, 30s);
    EXPECT_NE(contents(log), "0\n");
}

TEST(TemporaryDirectory, RemovesWhatAKilledTestHasLeft) {
    const temporary_directory kept;
    std::string left = "/tmp/dlock-server.XXXXXX";
    ASSERT_NE(::mkdtemp(left.data()), nullptr);
    run({.command = {fs::read_symlink("/proc/self/exe"), "--gtest_filter=ChildProcess.IsNotRoot*", "--gtest_output="},
         .environment = {"TEST_PREMATURE_EXIT_FILE="}},
        60s);
    EXPECT_FALSE(fs::exists(left));
    EXPECT_TRUE(fs::exists(kept.path()));
}

TEST(FindProgram, NamesThePackage) {
    try {
        (void)find_program("no_such_server", "postgresql-99");
        ADD_FAILURE() << "found";
    } catch (const std::runtime_error& missing) {
        EXPECT_STREQ(missing.what(), "no_such_server not found: apt-get install postgresql-99 (or run ./setup)");
    }
}

/// Sets a variable for as long as it lives.
class in_environment {
public:
    in_environment(const char* name, const std::string& value) : name_{name} {
        if (const char* const before = ::getenv(name); before != nullptr) before_ = before;
        ::setenv(name, value.c_str(), 1);
    }
    ~in_environment() { before_ ? ::setenv(name_, before_->c_str(), 1) : ::unsetenv(name_); }
    in_environment(const in_environment&) = delete;
    in_environment& operator=(const in_environment&) = delete;

private:
    const char* name_;
    std::optional<std::string> before_;
};

TEST(FindProgram, TakesTheServerOfTheMatrixThatTheTestIsToRunOn) {
    const temporary_directory folder;
    const auto program = folder.path() / "mysql-10/usr/sbin/mysqld";
    fs::create_directories(program.parent_path());
    fs::create_symlink("/bin/true", program);
    const in_environment all{"DLOCK_SERVER_FOLDER", folder.path()}, chosen{"DLOCK_TEST_SERVERS", "mysqlrouter-9 mysql-10"};
    EXPECT_EQ(matrix_server("mysql"), folder.path() / "mysql-10");
    EXPECT_EQ(matrix_server("mariadb"), std::nullopt);
    EXPECT_EQ(find_server_program("mysql", "mysqld", "none"), program);
    EXPECT_EQ(find_server_program("mariadb", "sh", "none").filename(), "sh") << "the machine's own";
    try {
        (void)find_server_program("mysqlrouter", "mysqlrouter", "none");
        ADD_FAILURE() << "found";
    } catch (const std::runtime_error& missing) {
        EXPECT_EQ(missing.what(), "mysqlrouter not found in " + (folder.path() / "mysqlrouter-9").string() + ": ./setup --matrix");
    }
}

}  // namespace
}  // namespace dlock::testing
