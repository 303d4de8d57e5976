// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Connections that dlock opens: a password is found nowhere, whatever is wrong with the string or the server; what is wrong is told in one
// line; what time may cure is tried again, and what it cannot cure is told at once.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <soci/mysql/soci-mysql.h>
#include <soci/soci.h>

#include <dlock/memory/lock_manager.hpp>
#include <dlock/mysql/leased_lock.hpp>
#include <dlock/mysql/lock_manager.hpp>
#include <dlock/mysql/open_session.hpp>
#include <dlock/open_session.hpp>
#include <dlock/postgresql/leased_lock.hpp>
#include <dlock/postgresql/lock_manager.hpp>
#include <dlock/postgresql/open_session.hpp>

#include "tests/connections/captured.hpp"
#include "tests/examples/run_example.hpp"
#include "tests/servers/mariadb_server.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/postgresql.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

const std::string marker = "s3cr3t";

std::string replaced(std::string text, std::string_view what, std::string_view by) {
    for (auto at = text.find(what); at != text.npos; at = text.find(what, at + by.size())) text.replace(at, what.size(), by);
    return text;
}

/// Of the exception and of all that are nested in it.
std::string all_it_says(const std::exception& error) {
    std::string text = error.what();
    if (const auto* const mine = dynamic_cast<const lock_error*>(&error)) text += '|' + mine->native();
    try {
        std::rethrow_if_nested(error);
    } catch (const std::exception& inner) {
        text += '|' + all_it_says(inner);
    }
    return text;
}

struct on_postgresql {
    static constexpr const char* name = "PostgreSQL";
    static constexpr const char *wrong_password = "28P01", *no_database = "3D000", *refused = "Connection refused";
    static constexpr const char *scheme = "postgresql", *variable = "PGPASSWORD";
    static constexpr const char* end_all = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'bob'";
    using manager = postgresql::lock_manager;
    using managed_lock = postgresql::managed_lock;
    using leased_lock = postgresql::leased_lock;
    using server = postgresql_server;
    static auto open(const std::string& text) { return postgresql::open_session(text); }

    static void ask_for_passwords(server& s) {
        const auto file = s.directory() / "data/pg_hba.conf";
        const std::string before = contents(file);
        std::ofstream{file} << "local all bob scram-sha-256\nhost all bob all scram-sha-256\n" << before;
        soci::session{s.url()} << "SELECT pg_reload_conf()";
    }
    static void set_password(server& s, const std::string& password) {
        soci::session root{s.url()};
        root << "DO $$ BEGIN CREATE ROLE bob LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$";
        root << "ALTER ROLE bob PASSWORD '" + replaced(password, "'", "''") + "'";
    }
    static void kill_all(server& s) {
        int unused = 0;
        soci::session{s.url()} << end_all, soci::into(unused);
    }
    static constexpr const char* database = "postgres";
};

struct on_mariadb {
    static constexpr const char* name = "MariaDB";
    static constexpr const char *wrong_password = "1045", *no_database = "1049", *refused = "nobody answers";
    static constexpr const char *scheme = "mysql", *variable = "MYSQL_PWD";
    using manager = mysql::lock_manager;
    using managed_lock = mysql::managed_lock;
    using leased_lock = mysql::leased_lock;
    using server = mariadb_server;
    static auto open(const std::string& text) { return mysql::open_session(text); }

    static void ask_for_passwords(server&) {}
    static void set_password(server& s, const std::string& password) {
        soci::session root{s.url()};
        root << "CREATE USER IF NOT EXISTS bob";
        root << "ALTER USER bob IDENTIFIED BY '" + replaced(replaced(password, "\\", "\\\\"), "'", "''") + "'";
        root << "GRANT ALL ON *.* TO bob";
    }
    static void kill_all(server& s) { soci::session{s.url()} << "KILL USER bob"; }
    static constexpr const char* database = "test";
};

template <class Kind>
class OwnedConnections : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        server_ = std::make_unique<typename Kind::server>(server_options{.tcp = true});
        Kind::set_password(*server_, "initial");
        Kind::ask_for_passwords(*server_);
    }
    static void TearDownTestSuite() { server_.reset(); }

    /// SOCI's form, and a URI.
    static std::string list(const std::string& password, const std::string& database = Kind::database) {
        return std::string{Kind::scheme} + "://host=127.0.0.1 port=" + port() + " user=bob dbname=" + database + " password='" +
               replaced(replaced(password, "\\", "\\\\"), "'", "\\'") + "'";
    }
    static std::string uri(const std::string& password, const std::string& database = Kind::database) {
        std::string encoded;
        for (const char c : password) {
            constexpr std::string_view hex = "0123456789ABCDEF";
            const auto byte = static_cast<unsigned char>(c);
            if (std::isalnum(byte) != 0) encoded += c;
            else encoded.append("%").append(1, hex[byte >> 4]).append(1, hex[byte & 0xf]);
        }
        return std::string{Kind::scheme} + "://bob:" + encoded + "@127.0.0.1:" + port() + "/" + database;
    }
    static std::string port() {
        if constexpr (std::is_same_v<Kind, on_postgresql>) return std::to_string(server_->port());
        else return std::to_string(*server_->port());
    }
    static std::string tcp_url() { return server_->url(); }

    static inline std::unique_ptr<typename Kind::server> server_;
};

struct kind_name {
    template <class Kind>
    static std::string GetName(int) {
        return Kind::name;
    }
};
using kinds = ::testing::Types<on_postgresql, on_mariadb>;
TYPED_TEST_SUITE(OwnedConnections, kinds, kind_name);

/// One line that does not know the marker, or part of it.
void expect_clean(const std::exception& error) {
    const auto text = all_it_says(error);
    EXPECT_EQ(text.find("s3cr"), text.npos) << text;
    EXPECT_EQ(text.find("cr3t"), text.npos) << text;
    EXPECT_EQ(text.find('\n'), text.npos) << text;
    EXPECT_TRUE(text.starts_with("dlock: ")) << text;
}

TYPED_TEST(OwnedConnections, TellNoSecretWhateverIsWrongWithTheString) {
    // X: the secret, in a form that makes the string malformed or not. No server is there: S is the scheme, P a path without one.
    const std::vector<std::string> templates{
        "X", "X=", "=X", "X=X", "S://X", "S://X@", "S://:X@P", "S://bob:X@P/db", "S://bob:X@127.0.0.1:1/db", "S://X:pw@127.0.0.1:1/db",
        "S://bob:pw@127.0.0.1:X/db", "S://bob:pw@127.0.0.1:1/X", "S://bob:pw@127.0.0.1:1/db?X", "S://bob:pw@127.0.0.1:1/db?X=1",
        "S://bob:pw@127.0.0.1:1/db?user=X", "S://bob:pw@127.0.0.1:1/db?password=X", "S://bob:pw@127.0.0.1:1/db?sslmode=X",
        "S://bob:pw@127.0.0.1:1/db?charset=X", "S://bob:pw@127.0.0.1:1/db?options=X", "S://bob:pw@127.0.0.1:1/db?connect_timeout=X",
        "S://bob:pw@127.0.0.1:1/db?sslcert=X&sslkey=X", "S://bob:pw@127.0.0.1:1/db?service=X", "S://bob:pw@X@127.0.0.1:1/db",
        "S://bob:pw/X@127.0.0.1:1/db", "S://bob:1/X@127.0.0.1:1/db", "S://bob:pw@[X]/db", "S://bob:pw@[X/db", "S://bob:pw@X/db",
        "S://bob:pw@X:1/db", "S://bob:%X@127.0.0.1:1", "S://bob:X%@127.0.0.1:1", "S://bob:X%4@127.0.0.1:1", "S://127.0.0.1:1:X", "S://127.0.0.1:1,X/db",
        "S://host=127.0.0.1 port=1 password=X", "S://host=127.0.0.1 port=1 password='X", "S://host=127.0.0.1 port=1 password='X'",
        "S://host=127.0.0.1 port=1 password=\"X", "S://host=127.0.0.1 port=1 password=\"X\"", "S://host=127.0.0.1 port=1 user=X password=X dbname=X",
        "S://host=127.0.0.1 port=1 X", "S://host=127.0.0.1 port=1 X=1", "S://host=127.0.0.1 port=1 password X", "S://host=127.0.0.1 port=1 password = X",
        "S://host=127.0.0.1 port=X", "S://host=X port=1", "S://host='X' port=1 dbname=X", "S://hostaddr=X port=1", "S://host=127.0.0.1 port=1 sslmode=X",
        "S://host=127.0.0.1 port=1 gssencmode=X channel_binding=X", "S://host=127.0.0.1 port=1 passfile=X sslrootcert=X sslmode=verify-full",
        "S://host=127.0.0.1 port=1 service=X", "S://host=127.0.0.1 port=1 charset=X", "S://host=127.0.0.1 port=1 sslca=X", "S://host=127.0.0.1 port=1 options=X",
        "S://host=127.0.0.1 port=1 application_name=X", "S://host=127.0.0.1 port=1 reconnect=X", "S://host=127.0.0.1 port=1 target_session_attrs=X",
        "host=127.0.0.1 port=1 password=X", "host=127.0.0.1 port=1 password='X", "host=127.0.0.1 password=X port", "X://bob:pw@127.0.0.1:1/db",
        "oracle://bob:X@127.0.0.1:1/db", "S:bob:X@127.0.0.1", "S:/bob:X@127.0.0.1", "//bob:X@127.0.0.1", "bob:X@127.0.0.1:1/db"};
    const std::vector<std::string> secrets{marker,          marker + " " + marker, marker + "'" + marker,  "'" + marker, marker + "\\",  marker + "\n" + marker,
                                           marker + "=" + marker, marker + "@" + marker, marker + "/" + marker, marker + "%", marker + "\"" + marker, marker + std::string(1, '\0'),
                                           marker + "%00", marker + ":" + marker, marker + "\t#?&" + marker, std::string(100, 'x') + marker,
                                           marker + std::string(5000, 'y')};
    int tried = 0;
    std::string printed;
    {
        const captured out;
        for (const auto& form : templates) {
            for (const auto& secret : secrets) {
                auto text = replaced(replaced(form, "S:", std::string{TypeParam::scheme} + ":"), "P", "%2Fnowhere");
                text = replaced(text, "X", secret);
                SCOPED_TRACE(text);
                ++tried;
                try {
                    (void)TypeParam::open(text);
                    ADD_FAILURE() << "connected";
                } catch (const lock_error& error) {
                    expect_clean(error);
                    EXPECT_EQ(error.reason(), errc::not_connected);
                } catch (const std::exception& other) {
                    ADD_FAILURE() << "not a lock_error: " << other.what();
                }
            }
            // the same code behind other doors
            const auto text = replaced(replaced(form, "S:", std::string{TypeParam::scheme} + ":"), "X", marker);
            SCOPED_TRACE(text);
            const std::vector<std::function<void()>> doors{
                [&] { typename TypeParam::manager locks{text, {.reconnect_for = 0ms}}; },
                [&] { typename TypeParam::leased_lock lock{text, "k", 5s}; },
                [&] { (void)open_session(text); },
            };
            for (const auto& door : doors) {
                ++tried;
                try {
                    door();
                    ADD_FAILURE() << "connected";
                } catch (const std::exception& error) {
                    expect_clean(error);
                }
            }
        }
        printed = out.text();
    }
    EXPECT_EQ(printed, "") << "nothing is printed, least of all the secret";
    std::cout << tried << " strings\n";
}

TYPED_TEST(OwnedConnections, TellAtOnceThatAPasswordIsWrong) {
    TypeParam::set_password(*this->server_, "right");
    const captured out;
    for (const auto& text : {this->list(marker), this->uri(marker)}) {
        const auto begin = clock::now();
        const std::vector<std::function<void()>> doors{
            [&] { (void)TypeParam::open(text); },
            [&] { typename TypeParam::manager locks{text, {.reconnect_for = 60s}}; },
            [&] { typename TypeParam::leased_lock lock{text, "k", 5s}; },
        };
        for (const auto& door : doors) {
            const auto error = error_of(door);
            expect_clean(error);
            EXPECT_EQ(error.code(), std::errc::not_connected);
            EXPECT_TRUE(error.permanent());
            EXPECT_EQ(error.native(), TypeParam::wrong_password);
            EXPECT_NE(std::string_view{error.what()}.find("to 127.0.0.1, port " + this->port()), std::string_view::npos) << error.what();
            EXPECT_EQ(std::string_view{error.what()}.find("bob"), std::string_view::npos) << error.what();
        }
        EXPECT_LT(clock::now() - begin, 30s);
    }
    EXPECT_EQ(out.text(), "");
}

TYPED_TEST(OwnedConnections, TellAtOnceThatThereIsNoSuchDatabase) {
    TypeParam::set_password(*this->server_, marker);
    for (const auto& text : {this->list(marker, "s3cr3t_db"), this->uri(marker, "s3cr3t_db")}) {
        const auto error = error_of([&] { typename TypeParam::manager locks{text, {.reconnect_for = 60s}}; });
        expect_clean(error);
        EXPECT_EQ(error.reason(), errc::not_connected);
        EXPECT_TRUE(error.permanent());
        EXPECT_EQ(error.native(), TypeParam::no_database);
    }
}

TYPED_TEST(OwnedConnections, TakeAnyPasswordInAnyForm) {
    for (const std::string password : {"plain", "a b", "it's", R"(back\slash)", R"("double")", "a@b:c/d?e#f%41&g=h", "tab\tnewline\n", "'", " lead", "trail ",
                                       "two  blanks", R"(\')", "Käse", "password=x", R"(x" y' z\ =)"}) {
        SCOPED_TRACE(password);
        TypeParam::set_password(*this->server_, password);
        for (const auto& text : {this->list(password), this->uri(password)}) {
            typename TypeParam::leased_lock lock{text, "k", 5s};
            EXPECT_TRUE(lock.try_lock());
        }
        TypeParam::open(this->uri(password))->reconnect();
        const auto error = error_of([&] { (void)TypeParam::open(this->list(password + "x")); });
        EXPECT_EQ(error.native(), TypeParam::wrong_password) << "the server does look";
    }
}

TYPED_TEST(OwnedConnections, TakeThePasswordFromTheEnvironmentToo) {
    TypeParam::set_password(*this->server_, "from outside");
    const auto text = std::string{TypeParam::scheme} + "://bob@127.0.0.1:" + this->port() + "/" + TypeParam::database;
    const auto error = error_of([&] { (void)TypeParam::open(text); });
    EXPECT_TRUE(error.permanent()) << error.what();
    ::setenv(TypeParam::variable, "from outside", 1);
    EXPECT_NO_THROW((void)TypeParam::open(text));
    ::unsetenv(TypeParam::variable);
}

TYPED_TEST(OwnedConnections, TellNoSecretWhenTheyAreOpenedAgain) {
    TypeParam::set_password(*this->server_, marker);
    typename TypeParam::manager locks{this->uri(marker), {.reconnect_for = 60s}};
    typename TypeParam::managed_lock managed{locks, "managed"};
    typename TypeParam::leased_lock leased{this->list(marker), "leased", 2s};
    const auto session = TypeParam::open(this->uri(marker));
    const std::scoped_lock held{managed, leased};
    TypeParam::set_password(*this->server_, "another");
    TypeParam::kill_all(*this->server_);
    await([&] { return !managed.owns_lock() && !leased.owns_lock(); }, "both are lost");
    const captured out;
    const auto begin = clock::now();
    const std::vector<std::function<void()>> calls{[&] { managed.lock(); }, [&] { (void)managed.try_lock(); }, [&] { (void)managed.holders(); },
                                                   [&] { leased.lock(); }, [&] { leased.lock(); }, [&] { session->reconnect(); }};
    for (const auto& call : calls) {
        const auto error = error_of(call);
        expect_clean(error);
        EXPECT_EQ(error.reason(), errc::not_connected) << error.what();
        EXPECT_TRUE(error.permanent());
    }
    EXPECT_LT(clock::now() - begin, 30s) << "nobody waited for time to cure it";
    EXPECT_EQ(out.text(), "");
    TypeParam::set_password(*this->server_, marker);
    const auto locks_again = [&] {
        try {
            return managed.try_lock();
        } catch (const lock_error&) {
            return false;  // what it was told a moment ago, for up to 2 s
        }
    };
    await(locks_again, "the manager looks again");
    leased.lock();
}

TYPED_TEST(OwnedConnections, ThatAreRefusedAreTriedAgain) {
    const auto text = std::string{TypeParam::scheme} + "://bob:" + marker + "@127.0.0.1:1/db";
    const auto error = error_of([&] { (void)TypeParam::open(text); });
    expect_clean(error);
    EXPECT_EQ(error.code(), std::errc::not_connected);
    EXPECT_FALSE(error.permanent());
    EXPECT_EQ(std::string{error.what()}.find("session lost"), std::string::npos);
    EXPECT_NE(std::string{error.what()}.find("127.0.0.1"), std::string::npos) << error.what();
    EXPECT_NE(std::string{error.what()}.find(TypeParam::refused), std::string::npos) << error.what();
}

TYPED_TEST(OwnedConnections, PrintNothing) {
    TypeParam::set_password(*this->server_, marker);
    const captured out;
    {
        typename TypeParam::leased_lock lock{this->uri(marker), "k", 5s};
        typename TypeParam::manager locks{this->uri(marker)};
        typename TypeParam::managed_lock managed{locks, "m"};
        const std::scoped_lock held{lock, managed};
    }
    EXPECT_EQ(out.text(), "");
}

TYPED_TEST(OwnedConnections, ToAServerThatSaysNothingEndInTime) {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), length), 0);
    ASSERT_EQ(::listen(listener, 10), 0);
    ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length), 0);
    const auto text = std::string{TypeParam::scheme} + "://bob:" + marker + "@127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/db?connect_timeout=2";
    const auto begin = clock::now();
    const auto error = error_of([&] { (void)TypeParam::open(text); });
    expect_clean(error);
    EXPECT_EQ(error.reason(), errc::not_connected);
    EXPECT_FALSE(error.permanent());
    EXPECT_LT(clock::now() - begin, 20s);
    ::close(listener);
}

// --- of PostgreSQL

TEST(OwnedConnectionsOnPostgreSQL, KeepNoticesToThemselves) {
    const auto& server = postgresql_server::shared();
    soci::session root{server.url()};
    root << "DROP ROLE IF EXISTS chatty";
    root << "CREATE ROLE chatty LOGIN SUPERUSER";
    root << "ALTER ROLE chatty SET client_min_messages = 'debug1'";  // every statement of a lock is told about
    const auto url = "postgresql://host=" + server.host() + " user=chatty dbname=postgres";
    const captured out;
    {
        postgresql::leased_lock lock{url, "k", 1s};
        const std::scoped_lock held{lock};
        const auto session = postgresql::open_session(url);
        *session << "DO $$ BEGIN RAISE NOTICE 'hello'; END $$";
        session->reconnect();
    }
    EXPECT_EQ(out.text(), "");
}

TEST(OwnedConnectionsOnPostgreSQL, FoldWhatLibpqSaysOfSeveralHosts) {
    const auto error = error_of([] { postgresql::lock_manager locks{"postgresql://bob:s3cr3t@127.0.0.1:1,localhost:1,[::1]:1/db"}; });
    expect_clean(error);
    EXPECT_FALSE(error.permanent());
}

TEST(OwnedConnectionsOnPostgreSQL, GoOnToTheHostThatAnswers) {
    const auto& server = postgresql_server::shared();
    const auto session = postgresql::open_session("postgresql://dlock@127.0.0.1:1," + replaced(server.host(), "/", "%2F") + ":5432/postgres");
    EXPECT_EQ(ask<int>(*session, "SELECT 1"), 1);
}

TEST(OwnedConnectionsOnPostgreSQL, AreTriedAgainWhileThereIsNoRoomForThem) {
    const postgresql_server server{{.settings = {"max_connections=5", "superuser_reserved_connections=0", "max_wal_senders=0"}}};
    std::vector<std::shared_ptr<soci::session>> all;
    for (int i = 0; i < 5; ++i) all.push_back(postgresql::open_session(server.url()));
    const auto error = error_of([&] { (void)postgresql::open_session(server.url()); });
    EXPECT_EQ(error.native(), "53300");
    EXPECT_FALSE(error.permanent());
}

// --- an example, whose stderr is read

TEST(OwnedConnectionsOfTheNightlyJob, TellNoSecret) {
    for (const std::string on : {"postgresql://bob:s3cr3t@127.0.0.1:1/db", "postgresql://host=127.0.0.1 port=1 password='s3cr3t", "postgresql://bob:s3cr3t%@h",
                                 "postgresql://host=/nowhere password=s3 cr3t", "mysql://host=127.0.0.1 port=1 password='s3cr3t", "mysql://bob:s3cr3t@127.0.0.1:1/db",
                                 "host=h password=s3cr3t", "s3cr3t", "oracle://bob:s3cr3t@h"}) {
        for (const bool by_name : {true, false}) {
            const auto said = by_name ? run_example({"nightly_job", "--on", on}) : run_example({"nightly_job", on, "x"});
            EXPECT_NE(said.status, 0) << on;
            EXPECT_EQ(said.output.find("s3"), said.output.npos) << on << ": " << said.output;
            EXPECT_EQ(said.output.find("cr3t"), said.output.npos) << on << ": " << said.output;
        }
    }
}

}  // namespace
}  // namespace dlock::testing
