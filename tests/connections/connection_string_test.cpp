// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What a connection string means: the same as to libpq, whose parser is asked. Here no driver connects.
#include <dlock/mysql/connection_string.hpp>
#include <dlock/postgresql/connection_string.hpp>

#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <libpq-fe.h>

#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

using values = std::map<std::string, std::string>;

std::optional<values> as_libpq_reads(const std::string& text) {
    char* message = nullptr;
    PQconninfoOption* const options = PQconninfoParse(text.c_str(), &message);
    PQfreemem(message);
    if (options == nullptr) return std::nullopt;
    values found;
    for (const auto* one = options; one->keyword != nullptr; ++one) {
        if (one->val != nullptr) found[one->keyword] = one->val;
    }
    PQconninfoFree(options);
    return found;
}

values of(const soci_support::connection_options& options) {
    values found;
    for (const auto& [name, value] : options.all()) found[name] = value;
    return found;
}

values as_dlock_reads(std::string_view text) {
    auto found = of(postgresql::connection_string(text));
    EXPECT_EQ(as_libpq_reads(postgresql::uri_of(postgresql::connection_string(text))), found) << "libpq gets something else";
    return found;
}

values with_limit(values expected) {
    expected.emplace("connect_timeout", "10");
    return expected;
}

TEST(ConnectionString, OfPostgreSqlIsWhatLibpqTakes) {
    for (const std::string text : {
             "postgresql://", "postgres://", "postgresql:///", "postgresql://db1", "postgresql://db1:5433", "postgresql://db1:/",
             "postgresql:///app", "postgresql://bob@db1/app", "postgresql://bob:pw@db1:5433/app", "postgresql://:pw@db1/",
             "postgresql://bob:@db1/app", "postgresql://bob:p%40s%3As%2F%25@db1/app", "postgresql://bob:a?b#c&d@db1/app",
             "postgresql://db1:1,db2:2,db3/app", "postgresql://db1,db2/app?target_session_attrs=primary", "postgresql://[::1]:5432/app",
             "postgresql://[::1],[2001:db8::7]:9/app", "postgresql://%2Ftmp%2Fsockets/app", "postgresql:///app?host=/tmp&port=5433",
             "postgresql://db1/app?sslmode=require&application_name=a%20b", "postgresql://db1/?user=bob&password=x%26y%3Dz",
             "postgresql://db1/app?ssl=true", "postgresql://db1?dbname=app", "postgresql://bob@/app", "postgresql://b%20b@db1/a%20b",
             "dbname=app", "host=db1 port=5433 dbname=app user=bob password=pw", "  dbname = app   user='bob' ", "password='a b' user=c",
             R"(password='it\'s' user=b\ b)", R"(password=a\\b)", "password='' user=x", "options='-c a=b -c c=d'", "", "host=db1,db2 port=1,2",
             "host='db1'user='bob'", "password=it's user=x", "password= user=x", "connect_timeout=3", "dbname=x dbname=y",
         }) {
        SCOPED_TRACE(text);
        const auto libpq = as_libpq_reads(text);
        ASSERT_TRUE(libpq);
        EXPECT_EQ(as_dlock_reads(text), with_limit(*libpq));
    }
}

TEST(ConnectionString, OfSociStaysWhatItWas) {
    const values app = with_limit({{"dbname", "app"}, {"host", "/tmp/x"}, {"user", "bob"}});
    EXPECT_EQ(as_dlock_reads("postgresql://dbname=app host=/tmp/x user=bob"), app);
    EXPECT_EQ(as_dlock_reads("postgresql://  dbname = app\thost='/tmp/x'\nuser=\"bob\" singlerow=true"), app);
    EXPECT_EQ(as_dlock_reads(R"(postgresql://password="a b" user="'c d'")"), with_limit({{"password", "a b"}, {"user", "c d"}}));
    EXPECT_EQ(of(mysql::connection_string("mysql://db=app user='bob' pass='a b' unix_socket=/tmp/x port=1 reconnect=1")),
              with_limit({{"dbname", "app"}, {"user", "bob"}, {"password", "a b"}, {"unix_socket", "/tmp/x"}, {"port", "1"}, {"reconnect", "1"}}));
}

TEST(ConnectionString, OfMySqlCanBeAUri) {
    EXPECT_EQ(of(mysql::connection_string("mysql://bob:p%40w@db1:3307/app?charset=utf8mb4&read_timeout=5")),
              with_limit({{"dbname", "app"}, {"user", "bob"}, {"password", "p@w"}, {"host", "db1"}, {"port", "3307"}, {"charset", "utf8mb4"},
                          {"read_timeout", "5"}}));
    EXPECT_EQ(of(mysql::connection_string("mariadb://bob@db1:/")), with_limit({{"user", "bob"}, {"host", "db1"}}));
    EXPECT_EQ(mysql::connection_string(R"(mysql://pass='it\'s \\ "here"')").quoted(), R"(password='it\'s \\ "here"' connect_timeout='10')");
}

TEST(ConnectionString, NamesTheTimeItMayTakeUnlessThatIsNamed) {
    EXPECT_EQ(as_dlock_reads("dbname=app connect_timeout=30").at("connect_timeout"), "30");
    EXPECT_EQ(as_dlock_reads("postgresql://db1/?connect_timeout=0").at("connect_timeout"), "0") << "for ever, if one says so";
    EXPECT_EQ(of(mysql::connection_string("mysql://host=x connect_timeout=3")).at("connect_timeout"), "3");
    ::setenv("PGCONNECT_TIMEOUT", "7", 1);
    EXPECT_FALSE(as_dlock_reads("dbname=app").contains("connect_timeout")) << "libpq takes it from there";
    ::unsetenv("PGCONNECT_TIMEOUT");
}

/// Where and what, without a value.
struct wrong {
    std::string text;
    std::string says;
};

const std::vector<wrong> of_both{
    {"://s3cr3t", "at its beginning, something has no '='"},
    {"bob:s3cr3t@host/db", "at its beginning, something has no '='"},
    {"s3cr3t", "at its beginning, something has no '='"},
    {"oracle://bob:s3cr3t@host", "at its beginning, there is the name of another kind of server"},
    {"s3cr3t=x", "at its beginning, there is an option that does not exist"},
    {"host=h s3cr3t=x", "behind 'host=', there is an option that does not exist"},
    {"host=h password=a s3cr3t", "behind 'password=', something has no '='"},
    {"host=h password='s3cr3t", "behind 'password=', a quote is not closed"},
    {"host=h password=\"s3cr3t", "behind 'password=', a quote is not closed"},
    {"password=s3cr3t\\", "behind 'password=', nothing comes after a backslash"},
    {"password='s3cr3t\\", "behind 'password=', nothing comes after a backslash"},
    {"host=h port=s3cr3t", "behind 'port=', there is no number"},
    {"host=h port=70000", "behind 'port=', there is no number"},
    {"connect_timeout=s3cr3t", "behind 'connect_timeout=', there is no number"},
    {"connect_timeout=-1", "behind 'connect_timeout=', there is no number"},
    {std::string{"password=s3cr3t\0x", 17}, "there is a NUL"},
    {"U://bob:pw@s3cr3t@host/db", "in its host, there is an '@'"},
    {"U://bob:s3/cr3t@host/db", "in its port, there is no number"},
    {"U://bob:1/s3cr3t@host/db", "behind its host, there is an '@'"},
    {"U://bob:s3cr3t%@host", "in its password, a '%' is not followed"},
    {"U://bob:s3cr3t%zz@host", "in its password, a '%' is not followed"},
    {"U://bob:s3cr3t%0@host", "in its password, a '%' is not followed"},
    {"U://bob:s3cr3t%00@host", "in its password, there is a %00"},
    {"U://s3cr3t%@host", "in its user, a '%' is not followed"},
    {"U://host:s3cr3t", "in its port, there is no number"},
    {"U://host:5432:s3cr3t/db", "in its port, there is no number"},
    {"U://[s3cr3t", "in its host, a '[' is not closed"},
    {"U://[::1]s3cr3t/", "in its host, something stands behind a ']'"},
    {"U://ho s3cr3t/", "in its host, there is a blank"},
    {"U://host/db%s3cr3t", "behind its host, a '%' is not followed"},
    {"U://host/db?s3cr3t", "behind its '?', an option has no '='"},
    {"U://host/db?s3cr3t=x", "behind its '?', there is an option that does not exist"},
    {"U://host/db?user=a&s3cr3t=x", "behind 'user=', there is an option that does not exist"},
    {"U://host/db?user=a=s3cr3t", "behind its '?', an option has two '='"},
    {"U://host/db?password=s3cr3t%", "behind 'password=', a '%' is not followed"},
    {"U://host/db?user=a&port=s3cr3t", "behind 'port=', there is no number"},
};

template <class Read>
void expect_malformed(Read read, const std::vector<wrong>& all, const std::string& scheme) {
    for (const auto& one : all) {
        for (const bool with_scheme : {true, false}) {
            auto text = one.text;
            if (text.starts_with("U://")) text = scheme + text.substr(1);
            else if (with_scheme && text.find("://") == text.npos && text.find('=') != text.npos) text = scheme + "://" + text;
            SCOPED_TRACE(text);
            const auto error = error_of([&] { (void)read(text); });
            EXPECT_EQ(error.reason(), errc::not_connected);
            EXPECT_TRUE(error.permanent());
            EXPECT_NE(std::string_view{error.what()}.find(one.says), std::string_view::npos) << error.what();
            EXPECT_EQ(std::string_view{error.what()}.find("s3"), std::string_view::npos) << error.what();
            EXPECT_EQ(std::string_view{error.what()}.find("cr3t"), std::string_view::npos) << error.what();
        }
    }
}

TEST(ConnectionString, ThatIsMalformedIsToldWithoutAValue) {
    expect_malformed(postgresql::connection_string, of_both, "postgresql");
    expect_malformed(postgresql::connection_string, of_both, "postgres");
    expect_malformed(mysql::connection_string, of_both, "mysql");
    expect_malformed(mysql::connection_string, of_both, "mariadb");
    expect_malformed(postgresql::connection_string, {{"mysql://bob:s3cr3t@host", "postgresql://"}, {"host=a,b port=1,s3cr3t", "behind 'port='"}}, "postgres");
    expect_malformed(mysql::connection_string,
                     {{"postgresql://bob:s3cr3t@host", "mysql://"}, {"U://a,s3cr3t/db", "another host"}, {"reconnect=s3cr3t", "behind 'reconnect='"}}, "mysql");
}

TEST(ConnectionString, OfAnyTextIsRefusedOrMeansTheSameToLibpq) {
    constexpr std::string_view pieces[] = {"postgresql://", "a", "b1", ":", "/", "@", "?", "&", "=", "%41", "%", ",", "[", "]", " ", "'", "\"",
                                           "\\", "\n", "host", "user=", "password=", "dbname=", "port=", "54", "sslmode=", "::1", "."};
    std::minstd_rand random{7};
    int read = 0;
    for (int i = 0; i < 100'000; ++i) {
        std::string text = i % 2 == 0 ? "postgresql://" : "";
        for (auto n = random() % 12; n > 0; --n) text += pieces[random() % std::size(pieces)];
        std::optional<values> found;
        try {
            found = of(postgresql::connection_string(text));
        } catch (const lock_error& error) {
            ASSERT_EQ(error.reason(), errc::not_connected) << text;
            ASSERT_TRUE(error.permanent()) << text;
            continue;
        }
        ++read;
        ASSERT_EQ(as_libpq_reads(postgresql::uri_of(postgresql::connection_string(text))), found) << text;
        const auto libpq = as_libpq_reads(text);
        const std::string_view rest = text.starts_with("postgresql://") ? std::string_view{text}.substr(13) : "/";
        const auto first = rest.find_first_of("=:/@?[,%");
        // libpq 17 and newer cut blanks off, and refuse them elsewhere in a URI; to dlock they are part of the text, as they were.
        const bool has_blanks = text.starts_with("postgresql://") && text.find_first_of(" \n") != text.npos && PQlibVersion() >= 170'000;
        const bool is_socis = text.find('"') != text.npos || rest.find_first_not_of(" \n") == rest.npos || (first != rest.npos && rest[first] == '=');
        if (is_socis || has_blanks || !libpq) continue;
        ASSERT_EQ(*found, with_limit(*libpq)) << text;
    }
    EXPECT_GT(read, 5'000) << "the texts are too wild to say anything";
}

}  // namespace
}  // namespace dlock::testing
