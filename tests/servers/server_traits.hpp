// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What one version of a server has and another has not, so far as tests depend on it: the one table of it. A test that
// needs what its server lacks skips, with the sentence that belongs to the trait.
#pragma once

#include <string>

namespace dlock::testing::server_traits {

/// A feature, and why a server does without: empty when it has it.
struct feature {
    const char* lacking;
    explicit operator bool() const noexcept { return *lacking == '\0'; }
};
inline constexpr feature present{""};

struct postgresql {
    int since;  ///< the row holds for this major version and later ones, up to the next row
    feature unlogged_sequences;
    feature names_its_backups_since_15;  ///< pg_backup_start(), not pg_start_backup()
};

/// The row of the PostgreSQL that this test runs on. Throws std::runtime_error if it is older than all.
[[nodiscard]] const postgresql& of_postgresql();

struct mysql {
    bool is_mariadb;
    int since;                    ///< as above: 1011 is 10.11
    const char* name;             ///< as cases of tests are called
    feature one_lock_per_session; ///< GET_LOCK() frees the session's other one, folds names, waits in whole seconds
    feature users;                ///< knows whom it has let in
};

/// The row of the MariaDB, or the genuine MySQL, that this test runs on.
[[nodiscard]] const mysql& of_mariadb();
[[nodiscard]] const mysql& of_mysql();

}  // namespace dlock::testing::server_traits

/// In a test: skips it unless the server has the feature.
#define NEEDS(...) \
    if (const auto& needed = __VA_ARGS__; !needed) GTEST_SKIP() << needed.lacking
