// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/sqlite.hpp>
#include <dlock/sqlite/multi_lock.hpp>

#include <filesystem>
#include <string>

#include <sqlite3.h>

#include "tests/conformance/suite.hpp"
#include "tests/servers/temporary_directory.hpp"

namespace dlock::testing {
namespace {

const std::filesystem::path& directory() {
    static const temporary_directory made;
    return made.path();
}

struct own_session {
    static constexpr const char* title = "OwnSession";
    sqlite::session& session() { return session_; }
    sqlite::session session_{directory()};
};

/// Whether nobody has the lock database, as SQLite itself sees it.
bool is_free(const std::filesystem::path& file) {
    sqlite3* onlooker = nullptr;
    EXPECT_EQ(sqlite3_open(file.c_str(), &onlooker), SQLITE_OK);
    const bool free = sqlite3_exec(onlooker, "BEGIN EXCLUSIVE; ROLLBACK", nullptr, nullptr, nullptr) == SQLITE_OK;
    sqlite3_close(onlooker);
    return free;
}

struct sqlite_kind {
    static constexpr auto backends = hana::tuple_t<sqlite::lock_database, one_by_one<sqlite::lock_database>>;
    static constexpr auto owners = hana::tuple_t<own_session>;
    static std::optional<int> waiters() { return std::nullopt; }  // a waiter polls, and the file does not show it
    static int held() {
        int found = 0;
        for (const auto& entry : std::filesystem::directory_iterator{directory()}) {
            if (entry.path().extension() == ".lock" && !is_free(entry.path())) ++found;
        }
        return found;
    }
};

}  // namespace

INSTANTIATE_LOCK_CONFORMANCE(sqlite_kind);

}  // namespace dlock::testing
