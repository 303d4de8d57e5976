// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/postgresql/last_words.hpp>

#include <cstddef>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace dlock::postgresql {
namespace {

using namespace std::string_view_literals;

std::string message(char type, std::string_view body) {
    std::string text{type};
    for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>((body.size() + 4) >> shift);
    return text.append(body);
}

const std::string fatal = message('E', "SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0"sv);
const std::string notice = message('N', "SNOTICE\0VNOTICE\0C00000\0MFATAL\0\0"sv);
const std::string notification = message('A', "\0\0\0\1VFATAL\0VFATAL\0"sv);
const std::string setting = message('S', "application_name\0VFATAL\0"sv);

bool heard(const std::string& messages) { return has_last_words(messages); }

TEST(LastWords, AreAFatalErrorInWhateverLanguage) {
    EXPECT_TRUE(heard(fatal));
    EXPECT_TRUE(heard(message('E', "SPANIK\0VPANIC\0C57P02\0\0"sv)));
    EXPECT_TRUE(heard(message('E', "S\xe8\x87\xb4\xe5\x91\xbd\0VFATAL\0C57P01\0\0"sv)));
    EXPECT_TRUE(heard(message('E', "C57P01\0VFATAL\0\0"sv))) << "the order of the fields is not promised";
}

TEST(LastWords, AreNoOtherError) {
    EXPECT_FALSE(heard(message('E', "SERROR\0VERROR\0C40001\0MVFATAL\0\0"sv)));
    EXPECT_FALSE(heard(message('E', "SFATAL\0C57P01\0Mbefore 9.6\0\0"sv))) << "a severity that may be translated";
    EXPECT_FALSE(heard(message('E', "SFATAL\0VFATALLY\0\0"sv)));
    EXPECT_FALSE(heard(message('E', "SFATAL\0\0VFATAL\0"sv))) << "behind the end of the fields";
    EXPECT_FALSE(heard(message('E', ""sv)));
}

TEST(LastWords, AreFoundBehindWhatMayComeAtAnyTime) {
    EXPECT_FALSE(heard(notice + notification + setting));
    EXPECT_TRUE(heard(notice + notification + setting + fatal));
    EXPECT_TRUE(heard(message('N', ""sv) + fatal));
}

TEST(LastWords, AreNotLookedForBehindAnythingElse) {
    EXPECT_FALSE(heard(message('Z', "I"sv) + fatal)) << "a rest of an answer: libpq has read half of it";
    EXPECT_FALSE(heard(std::string{"x"} + fatal));
    EXPECT_FALSE(heard(std::string{"N\0\0\0\3"sv} + fatal)) << "shorter than its own length";
    EXPECT_FALSE(heard(std::string{"N\xff\xff\xff\xff"sv} + fatal)) << "longer than all there is";
}

TEST(LastWords, AreFoundAsSoonAsEnoughOfThemHasCome) {
    const std::size_t severity = fatal.find("VFATAL") + sizeof "VFATAL";
    for (std::size_t size = 0; size < fatal.size(); ++size) EXPECT_EQ(heard(fatal.substr(0, size)), size >= severity) << size;
    for (std::size_t size = 0; size < notice.size(); ++size) EXPECT_FALSE(heard(notice.substr(0, size))) << size;
}

}  // namespace
}  // namespace dlock::postgresql
