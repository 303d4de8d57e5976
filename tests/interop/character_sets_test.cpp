// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// MariaDB compares the bytes of a name as they were sent. dlock's are UTF-8 on every connection; a client that encodes its
// names in something else locks another lock as soon as one goes beyond ASCII. docs/keys.md warns of it.
#include <string>

#include <gtest/gtest.h>
#include <soci/soci.h>

#include <dlock/mysql.hpp>

#include "tests/interop/client.hpp"
#include "tests/process/holder_process.hpp"

namespace dlock::testing {
namespace {

std::string answer_while_dlock_holds(const std::string& name, const std::string& character_set) {
    soci::session session{on_mariadb.url()};
    mysql::lock lock{session, name};
    lock.lock();
    holder_process client{command_line(on_mariadb, python("with_mysqlclient.py", {character_set}))};
    EXPECT_EQ(client.answer(), "ready");
    return client.ask("try " + name);
}

TEST(InteropCharacterSets, AnAsciiNameIsTheSameLockInAnyOfThem) {
    EXPECT_EQ(answer_while_dlock_holds("cafe", "utf8mb4"), "busy");
    EXPECT_EQ(answer_while_dlock_holds("cafe", "latin1"), "busy");
}

TEST(InteropCharacterSets, OtherNamesAreTheSameLockOnlyWhereTheClientEncodesThemInUtf8) {
    EXPECT_EQ(answer_while_dlock_holds("café", "utf8mb4"), "busy");
    EXPECT_EQ(answer_while_dlock_holds("café", "latin1"), "held");
}

}  // namespace
}  // namespace dlock::testing
