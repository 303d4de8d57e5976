// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What class result reads of an answer that has fewer rows or columns than were asked for.
#include <dlock/postgresql/result.hpp>

#include <array>

#include <gtest/gtest.h>

namespace dlock::postgresql {
namespace {

TEST(PostgreSQLResult, ALetterIsReadWhereThereIsOneAndElseNowhere) {
    PGresult* const raw = PQmakeEmptyPGresult(nullptr, PGRES_TUPLES_OK);
    std::array<char, 5> name{"said"};
    std::array<PGresAttDesc, 2> columns{};
    for (auto& column : columns) column.name = name.data();
    ASSERT_NE(PQsetResultAttrs(raw, static_cast<int>(columns.size()), columns.data()), 0);
    const result answer{raw};
    EXPECT_EQ(answer.letter(0), '\0') << "no row";
    std::array<char, 2> yes{"t"};
    ASSERT_NE(PQsetvalue(raw, 0, 0, yes.data(), 1), 0);
    ASSERT_NE(PQsetvalue(raw, 0, 1, nullptr, -1), 0);
    EXPECT_TRUE(answer.is_true(0));
    EXPECT_EQ(answer.letter(1), '\0') << "NULL";
    EXPECT_EQ(answer.letter(2), '\0') << "fewer columns than were asked for";
    EXPECT_FALSE(answer.is_true(2));
}

}  // namespace
}  // namespace dlock::postgresql
