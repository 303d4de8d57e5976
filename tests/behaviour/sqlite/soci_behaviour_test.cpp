// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What backends/sqlite relies on, asked of SOCI's SQLite backend. (Its header has SQLite's functions in a namespace of its
// own, so these are apart from the others; where SOCI 4.1 declares none, here they are.)
#include <cstdarg>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>
#include <soci/soci.h>

namespace sqlite_api {
#include <sqlite3.h>
}
#include <soci/sqlite3/soci-sqlite3.h>

namespace {

namespace fs = std::filesystem;

sqlite_api::sqlite3* native(soci::session& s) { return static_cast<soci::sqlite3_session_backend*>(s.get_backend())->conn_; }

class SociSqliteBehaviour : public testing::Test {
protected:
    SociSqliteBehaviour() {
        const char* const parent = std::getenv("TEST_TMPDIR");
        std::string name = (parent != nullptr ? std::string{parent} : "/tmp") + "/dlock-sqlite.XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error{"mkdtemp"};
        directory = fs::canonical(name);
    }
    ~SociSqliteBehaviour() override { fs::remove_all(directory); }

    std::string opened(const fs::path& file, const std::string& options = "") {
        soci::session s{soci::sqlite3, options + "dbname=\"" + file.string() + "\""};
        return sqlite_api::sqlite3_db_filename(native(s), "main");
    }

    fs::path directory;
};

TEST_F(SociSqliteBehaviour, OpensAnyPathInQuotes) {
    for (const char* name : {"x", "a b", "a  b", " a", "a=b", "a=b c=d", "vfs=none", "tab\tbed", "100%", "what?#", "file:x", "'", "\xc3\xa9"}) {
        fs::create_directory(directory / name);
        const auto file = directory / name / "x.lock";
        EXPECT_EQ(opened(file), file.string()) << name;
        EXPECT_EQ(opened(file, "vfs=unix "), file.string()) << name;
    }
}

TEST_F(SociSqliteBehaviour, MisreadsAPathWithAQuote) {
    fs::create_directory(directory / "a \"b");
    const auto file = directory / "a \"b" / "x.lock";
    std::string name;
    try {
        name = opened(file);
    } catch (const soci::soci_error&) {
    }
    EXPECT_NE(name, file.string()) << "then session need not refuse it";
}

TEST_F(SociSqliteBehaviour, TakesAVfs) {
    EXPECT_THROW((soci::session{soci::sqlite3, "vfs=no-such-vfs dbname=\"" + (directory / "x").string() + "\""}), soci::soci_error);
}

TEST_F(SociSqliteBehaviour, IsConnectedWhateverHappens) {
    soci::session s{soci::sqlite3, "dbname=\"" + (directory / "x").string() + "\""};
    fs::remove(directory / "x");
    EXPECT_TRUE(s.is_connected()) << "then it could be trusted";
}

TEST_F(SociSqliteBehaviour, TellsThePrimaryResultCode) {
    try {
        soci::session s{soci::sqlite3, "dbname=\"" + (directory / "missing" / "x").string() + "\""};
        ADD_FAILURE() << "it was opened";
    } catch (const soci::sqlite3_soci_error& e) {
        EXPECT_EQ(e.result(), SQLITE_CANTOPEN);
    }
}

TEST_F(SociSqliteBehaviour, DatabasesOfNobodyElseHaveNoFileName) {
    for (const char* name : {":memory:", "", "file::memory:?cache=shared"}) {
        soci::session s;
        try {
            s.open(soci::sqlite3, std::string{"dbname=\""} + name + "\"");
        } catch (const soci::soci_error&) {
            EXPECT_EQ(std::string{name}, "") << "which SOCI 4.1 refuses";
            continue;
        }
        const char* const file = sqlite_api::sqlite3_db_filename(native(s), "main");
        EXPECT_TRUE(file == nullptr || *file == '\0') << name << ": " << file;
    }
}

TEST_F(SociSqliteBehaviour, KeepsEveryByteOfAText) {
    soci::session s{soci::sqlite3, "dbname=:memory:"};
    const std::string text{"a\0b\xff", 4};
    s << "CREATE TABLE t (x TEXT NOT NULL)";
    s << "INSERT INTO t VALUES (:x)", soci::use(text);
    std::string kept;
    s << "SELECT hex(x) FROM t", soci::into(kept);
    EXPECT_EQ(kept, "610062FF");
}

}  // namespace
