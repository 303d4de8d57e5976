// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/error.hpp>

#include <string>
#include <system_error>
#include <type_traits>

#include <gtest/gtest.h>

namespace dlock {
namespace {

static_assert(std::is_base_of_v<std::system_error, lock_error>);
static_assert(std::is_error_code_enum_v<errc> && !std::is_error_condition_enum_v<errc>);
static_assert(std::is_nothrow_copy_constructible_v<std::error_code>);

struct row {
    errc reason;
    std::errc equal_to;
    const char* message;
};

class Errc : public ::testing::TestWithParam<row> {};

TEST_P(Errc, EqualsTheStandardsConditionAndNoOther) {
    const auto& [reason, equal_to, message] = GetParam();
    const std::error_code code = reason;
    EXPECT_EQ(code, equal_to);
    EXPECT_EQ((lock_error{reason, "what"}.code()), equal_to);
    EXPECT_NE(code, std::errc::interrupted);
    EXPECT_NE(code, std::make_error_code(equal_to)) << "a condition, not the same code";
}

TEST_P(Errc, SaysWhatItIs) {
    const auto& [reason, equal_to, message] = GetParam();
    const std::error_code code = reason;
    EXPECT_EQ(code.message(), message);
    EXPECT_EQ(code.category(), lock_category());
    EXPECT_TRUE(code) << "0 means success to everybody";
}

TEST_P(Errc, IsTheReasonOfItsLockError) {
    const auto& [reason, equal_to, message] = GetParam();
    const lock_error error{reason, "dlock: a sentence", "40P01"};
    EXPECT_EQ(error.reason(), reason);
    EXPECT_EQ(error.code(), reason);
    EXPECT_EQ(error.native(), "40P01");
    EXPECT_EQ(error.what(), "dlock: a sentence: " + std::string{message});
}

INSTANTIATE_TEST_SUITE_P(, Errc,
                         ::testing::Values(row{errc::timed_out, std::errc::timed_out, "timed out"},
                                           row{errc::cancelled, std::errc::operation_canceled, "cancelled"},
                                           row{errc::deadlock, std::errc::resource_deadlock_would_occur, "deadlock"},
                                           row{errc::lost, std::errc::connection_aborted, "session lost"},
                                           row{errc::not_connected, std::errc::not_connected, "not connected"},
                                           row{errc::not_owner, std::errc::operation_not_permitted, "not the owner"},
                                           row{errc::already_owned, std::errc::resource_deadlock_would_occur, "already owned"},
                                           row{errc::bad_key, std::errc::invalid_argument, "bad key"},
                                           row{errc::unsupported, std::errc::not_supported, "unsupported"},
                                           row{errc::exhausted, std::errc::no_lock_available, "lock table exhausted"},
                                           row{errc::server_error, std::errc::io_error, "server error"}),
                         [](const auto& of) {
                             std::string name = of.param.message;
                             std::erase(name, ' ');
                             return name;
                         });

TEST(LockCategory, IsCalledDlock) { EXPECT_STREQ(lock_category().name(), "dlock"); }

TEST(LockCategory, HasNoMoreThanThese) {
    const int after_the_last = static_cast<int>(errc::server_error) + 1;
    for (const int value : {0, -1, after_the_last}) {
        const std::error_code code{value, lock_category()};
        EXPECT_EQ(code.message(), "unknown");
        EXPECT_EQ(code.default_error_condition(), (std::error_condition{value, lock_category()}));
    }
}

TEST(LockError, HasNoNativeCodeWhenNoServerSpoke) { EXPECT_EQ((lock_error{errc::timed_out, "what"}.native()), ""); }

TEST(LockError, IsOneLineWhateverTheServerSaid) {
    const auto what = [](const std::string& text) {
        const std::string whole = lock_error{errc::server_error, text}.what();
        const std::string behind = ": server error";
        EXPECT_TRUE(whole.ends_with(behind)) << whole;
        return whole.substr(0, whole.size() - behind.size());
    };
    EXPECT_EQ(what("dlock: ERROR:  no\nDETAIL:  none\nHINT:  ask\n"), "dlock: ERROR:  no DETAIL:  none HINT:  ask");
    EXPECT_EQ(what("a\r\n\tb\n\n \n  c"), "a b c");
    EXPECT_EQ(what("\n a"), "a");
    EXPECT_EQ(what("a \n"), "a");
    EXPECT_EQ(what("two  blanks, and one at the end "), "two  blanks, and one at the end ");
    EXPECT_EQ(what("\x1b[31mred\x7f\b"), "[31mred");
    EXPECT_EQ(what(std::string{"be\0fore", 7}), "be fore");
    EXPECT_EQ(what("\n"), "");
    EXPECT_EQ(what("K\xc3\xa4se"), "K\xc3\xa4se") << "not what is above ASCII";
}

TEST(LockError, SaysWhetherTimeMayCureIt) {
    EXPECT_FALSE((lock_error{errc::not_connected, "what"}.permanent()));
    EXPECT_TRUE((lock_error{errc::not_connected, "what", "28P01", true}.permanent()));
}

TEST(LockError, IsCaughtAsASystemError) {
    try {
        throw lock_error{errc::exhausted, "what", "53200"};
    } catch (const std::system_error& error) {
        EXPECT_EQ(error.code(), std::errc::no_lock_available);
    }
}

}  // namespace
}  // namespace dlock
