// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What each key policy computes, and what it refuses. The vectors come from other implementations (Python's hashlib,
// sqlalchemy-dlock): keys are a wire format, and a test that computed them with our own code would follow its mistakes.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <dlock/detail/blake2b.hpp>
#include <dlock/detail/utf8.hpp>
#include <dlock/error.hpp>
#include <dlock/keys/each.hpp>
#include <dlock/keys/hashed_key.hpp>
#include <dlock/keys/hashed_name.hpp>
#include <dlock/keys/in_namespace.hpp>
#include <dlock/keys/integer_key.hpp>
#include <dlock/keys/integer_pair_key.hpp>
#include <dlock/keys/verbatim_key.hpp>

namespace {

using namespace dlock;
using namespace std::string_view_literals;
using testing::HasSubstr;

constexpr std::int64_t min64 = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t max64 = std::numeric_limits<std::int64_t>::max();
constexpr std::int32_t min32 = std::numeric_limits<std::int32_t>::min();
constexpr std::int32_t max32 = std::numeric_limits<std::int32_t>::max();

template <class Digest>
std::string hex(const Digest& digest) {
    std::string text;
    for (const std::uint8_t byte : digest) {
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 15];
    }
    return text;
}

/// size bytes that show it when a block is dropped, doubled or taken out of turn
std::string pattern(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) {
        text[i] = static_cast<char>(static_cast<unsigned char>(i * 7 + size));
    }
    return text;
}

/// What a refused name's error says; empty, and a failure, if the name is not refused.
template <class F>
std::string refusal(F&& make_key) {
    try {
        static_cast<void>(make_key());
        ADD_FAILURE() << "the name was not refused";
        return {};
    } catch (const lock_error& e) {
        EXPECT_EQ(e.code(), errc::bad_key);
        EXPECT_EQ(e.code(), std::errc::invalid_argument);
        EXPECT_EQ(e.native(), "");
        EXPECT_TRUE(std::string_view{e.what()}.starts_with("dlock: ")) << e.what();
        return e.what();
    }
}

// --- BLAKE2b --------------------------------------------------------------------------------------------------------

TEST(Blake2b, EqualsTheReferenceOnBothSidesOfEveryBlock) {
    constexpr std::pair<std::size_t, std::string_view> vectors[] = {
        {0, "cae66941d9efbd404e4d88758ea67670"},    {1, "4a9e6f9b8d43f6ad008f8c291929dee2"},
        {63, "f15df1d728bff150c83f40a108e3e723"},   {64, "78840b3e810f99e41cff30d688b1826b"},
        {65, "3e2f594f49e1e629f20acbf6b6189aa3"},   {111, "99578237a2191ec469416154f2ed6c0a"},
        {127, "4bdfe90a02a9650321e48e485acc8498"},  {128, "117ca2028a4b08156b399fd29adea911"},
        {129, "bf505197d50347255a4f8bc3a3c4e184"},  {255, "67aebb0a5aae8eab2b88ce6bd9b54eb4"},
        {256, "dbb08d79105462394550aa4d4e10133f"},  {257, "1aad2e646e9ff664e7294e2b30abef52"},
        {384, "492d5c9b3582e521216444487d160627"},  {1000, "81c26b9c7a14e1ff952a2e90155aaead"},
        {4096, "faf1f858d198aed5b8196bb93a7f6d93"}, {65537, "3b48bcb053ccd033b61117ccc9814d14"},
    };
    for (const auto& [size, digest] : vectors) {
        EXPECT_EQ(hex(detail::blake2b<16>(pattern(size))), digest) << size << " bytes";
    }
}

TEST(Blake2b, EqualsTheReferenceAtEveryLengthUpTo1024) {
    std::string digests;
    for (std::size_t size = 0; size <= 1024; ++size) {
        const auto digest = detail::blake2b<8>(pattern(size));
        digests.append(digest.begin(), digest.end());
    }
    EXPECT_EQ(hex(detail::blake2b<32>(digests)), "6b3129d5ec8ac97e3e3c985cf0db8dea01246ff9aad21afac691e3a90544be99");
}

TEST(Blake2b, EqualsTheReferenceAtEveryDigestSize) {
    const std::string message = pattern(129);
    std::string digests;
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        const auto append = [&](const auto& digest) { digests.append(digest.begin(), digest.end()); };
        (append(detail::blake2b<I + 1>(message)), ...);
    }
    (std::make_index_sequence<64>{});
    EXPECT_EQ(hex(detail::blake2b<32>(digests)), "cb4d87f8aa075cb453fde2feb1e695296e3f9abe000a5ec5bb6a2daa2fa437a8");
}

TEST(Blake2b, EqualsTheExampleOfRfc7693) {
    EXPECT_EQ(hex(detail::blake2b<64>("abc"sv)),
              "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
              "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
}

static_assert(detail::little_endian<std::uint32_t>(std::array<std::uint8_t, 4>{1, 2, 3, 4}) == 0x04030201);
static_assert(detail::little_endian<std::int32_t>(std::array<std::uint8_t, 4>{0xfe, 0xff, 0xff, 0xff}) == -2);
static_assert(detail::little_endian<std::uint16_t>(std::array<std::uint8_t, 4>{1, 2, 3, 4}) == 0x0201);

// --- hashed_key -----------------------------------------------------------------------------------------------------

// Measured at sqlalchemy-dlock.
static_assert(hashed_key::key("") == -5426141060434712860);
static_assert(hashed_key::key("a") == 3405396810240292928);
static_assert(hashed_key::key("user/001") == -8875347467275493450);
static_assert(hashed_key::key("中文键") == 5697847437496594319);
static_assert(hashed_key::key("\0"sv) == 5224996704525874836);
static_assert(hashed_key::key("my_lock") == 2421358271294105688);

TEST(HashedKey, EqualsTheOriginalForALongName) {
    EXPECT_EQ(hashed_key::key(std::string(1000, 'y')), -9079255273931152150);
}

TEST(HashedKey, TakesBytesThatAreNotText) {
    std::array<std::byte, 32> counting{};
    for (std::size_t i = 0; i < counting.size(); ++i) {
        counting[i] = static_cast<std::byte>(i);
    }
    EXPECT_EQ(hashed_key::key(counting), 6581816045526316608);
    EXPECT_EQ(hashed_key::key(std::vector{std::byte{0xff}, std::byte{0xfe}, std::byte{0x80}}), 4570683044333394758);
    EXPECT_EQ(hashed_key::key("\xff\xfe\x80"), 4570683044333394758);
    EXPECT_EQ(hashed_key::key(std::span<const std::byte>{}), hashed_key::key(""));
}

TEST(HashedKey, SeparatesRandomNamesAndRandomBytes) {
    std::mt19937_64 random{20240229};
    std::set<std::int64_t> keys;
    for (int i = 0; i < 100; ++i) {
        std::array<std::uint8_t, 32> bytes{};
        std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<std::uint8_t>(random()); });
        const std::string name = hex(bytes);
        ASSERT_EQ(name.size(), 64u);
        keys.insert(hashed_key::key(name));

        const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
        EXPECT_EQ(hashed_key::key(std::as_bytes(std::span{bytes})), hashed_key::key(text));
        keys.insert(hashed_key::key(text));
    }
    EXPECT_EQ(keys.size(), 200u);
}

// --- integer_key ----------------------------------------------------------------------------------------------------

static_assert(integer_key::key(0) == 0);
static_assert(integer_key::key(-1) == -1);
static_assert(integer_key::key(min64) == min64);
static_assert(integer_key::key(max64) == max64);
static_assert(integer_key::key(std::uint8_t{255}) == 255);
static_assert(integer_key::key(std::int8_t{-128}) == -128);
static_assert(integer_key::key(~0u) == 4294967295);
static_assert(integer_key::key(static_cast<std::uint64_t>(max64)) == max64);

TEST(IntegerKey, IsTheIntegerUnchanged) {
    std::mt19937_64 random{1};
    for (int i = 0; i < 100; ++i) {
        const auto id = static_cast<std::int64_t>(random());
        EXPECT_EQ(integer_key::key(id), id);
    }
}

TEST(IntegerKey, RefusesWhatDoesNotFit) {
    EXPECT_THAT(refusal([] { return integer_key::key(std::uint64_t{1} << 63); }),
                HasSubstr("between -9223372036854775808 and 9223372036854775807; this one is 9223372036854775808"));
    EXPECT_THAT(refusal([] { return integer_key::key(~std::uint64_t{0}); }), HasSubstr("18446744073709551615"));
}

// --- integer_pair_key -----------------------------------------------------------------------------------------------

static_assert(integer_pair_key::key(1, 2) == integer_pair{1, 2});
static_assert(integer_pair_key::key(min32, max32) == integer_pair{min32, max32});
static_assert(integer_pair_key::key(std::int64_t{min32}, std::uint64_t{max32}) == integer_pair{min32, max32});
static_assert(integer_pair_key::key(integer_pair{3, 4}) == integer_pair{3, 4});
static_assert(integer_pair{} == integer_pair{0, 0});
static_assert(integer_pair{1, 2} != integer_pair{2, 1});
static_assert(integer_pair{1, 9} < integer_pair{2, 0} && integer_pair{-1, 0} < integer_pair{0, -1} &&
              integer_pair{1, 1} < integer_pair{1, 2});

TEST(IntegerPairKey, RefusesWhatDoesNotFitOnEitherSide) {
    constexpr std::int64_t above = std::int64_t{max32} + 1;
    constexpr std::int64_t below = std::int64_t{min32} - 1;
    EXPECT_THAT(refusal([] { return integer_pair_key::key(above, 0); }),
                HasSubstr("between -2147483648 and 2147483647; this one is 2147483648"));
    EXPECT_THAT(refusal([] { return integer_pair_key::key(0, above); }), HasSubstr("2147483648"));
    EXPECT_THAT(refusal([] { return integer_pair_key::key(below, 0); }), HasSubstr("this one is -2147483649"));
    EXPECT_THAT(refusal([] { return integer_pair_key::key(0, below); }), HasSubstr("this one is -2147483649"));
    EXPECT_THAT(refusal([] { return integer_pair_key::key(0u, ~0u); }), HasSubstr("4294967295"));
}

// --- UTF-8 ----------------------------------------------------------------------------------------------------------

constexpr bool is_character(std::string_view text) { return detail::utf8_front(text) == text.size(); }

// The first and the last character of each row of Unicode's table 3-7 …
static_assert(is_character("\x00"sv) && is_character("\x7f"));
static_assert(is_character("\xc2\x80") && is_character("\xdf\xbf"));
static_assert(is_character("\xe0\xa0\x80") && is_character("\xe0\xbf\xbf"));
static_assert(is_character("\xe1\x80\x80") && is_character("\xec\xbf\xbf"));
static_assert(is_character("\xed\x80\x80") && is_character("\xed\x9f\xbf"));
static_assert(is_character("\xee\x80\x80") && is_character("\xef\xbf\xbf"));
static_assert(is_character("\xf0\x90\x80\x80") && is_character("\xf0\xbf\xbf\xbf"));
static_assert(is_character("\xf1\x80\x80\x80") && is_character("\xf3\xbf\xbf\xbf"));
static_assert(is_character("\xf4\x80\x80\x80") && is_character("\xf4\x8f\xbf\xbf"));

// … and what lies beside them.
constexpr std::string_view not_characters[] = {
    "\x80",              // a continuation without a beginning
    "\xbf",              //
    "\xc0\x80",          // overlong NUL
    "\xc1\xbf",          // overlong U+007F
    "\xe0\x80\x80",      // overlong NUL
    "\xe0\x9f\xbf",      // overlong U+07FF
    "\xed\xa0\x80",      // U+D800, the first surrogate
    "\xed\xbf\xbf",      // U+DFFF, the last one
    "\xf0\x80\x80\x80",  // overlong NUL
    "\xf0\x8f\xbf\xbf",  // overlong U+FFFF
    "\xf4\x90\x80\x80",  // U+110000
    "\xf5\x80\x80\x80",  // U+140000
    "\xf8\x88\x80\x80\x80",
    "\xfe",
    "\xff",
    "\xc2",  // cut off …
    "\xe1\x80",
    "\xe0\xa0",
    "\xf1\x80\x80",
    "\xf0\x90",
    "\xc2\x41",  // … or continued by something else
    "\xc2\xc2",
    "\xe1\x41\x80",
    "\xe1\x80\x41",
    "\xe1\x80\xc0",
    "\xf1\x80\x80\x7f",
    "\xf1\x80\x41\x80",
    "\xf1\x41\x80\x80",
};
static_assert(std::ranges::all_of(not_characters, [](std::string_view text) { return detail::utf8_front(text) == 0; }));
static_assert(detail::utf8_front("") == 0);

static_assert(detail::utf8_prefix("").characters == 0);
static_assert(detail::utf8_prefix("a中😀\0é"sv).characters == 5 && detail::utf8_prefix("a中😀\0é"sv).bytes == 11);
static_assert(detail::utf8_prefix("a中\xff\xff").characters == 2 && detail::utf8_prefix("a中\xff\xff").bytes == 4);

TEST(Utf8, EveryCodePointIsOneCharacterAndEverySurrogateNone) {
    for (std::uint32_t c = 0; c <= 0x10ffff; ++c) {
        const auto low = [c](unsigned shift) { return static_cast<char>(0x80 | (c >> shift & 0x3f)); };
        const auto first = [c](unsigned mark, unsigned shift) { return static_cast<char>(mark | c >> shift); };
        const std::string text = c < 0x80      ? std::string{first(0, 0)}
                                 : c < 0x800   ? std::string{first(0xc0, 6), low(0)}
                                 : c < 0x10000 ? std::string{first(0xe0, 12), low(6), low(0)}
                                               : std::string{first(0xf0, 18), low(12), low(6), low(0)};
        const bool surrogate = c >= 0xd800 && c <= 0xdfff;
        ASSERT_EQ(detail::utf8_front(text + "x"), surrogate ? 0 : text.size()) << std::hex << c;
    }
}

// --- verbatim_key ---------------------------------------------------------------------------------------------------

using name64 = verbatim_key<64>;

std::string repeated(std::string_view text, std::size_t times) {
    std::string all;
    while (times-- > 0) {
        all += text;
    }
    return all;
}

TEST(VerbatimKey, IsTheNameUnchanged) {
    for (const std::string_view name : {"a"sv, "user/001"sv, " A b\t"sv, "中文键"sv, "e\u0301"sv, "\x7f\x01"sv}) {
        EXPECT_EQ(name64::key(name), name);
    }
    std::mt19937_64 random{2};
    for (int i = 0; i < 100; ++i) {
        std::array<std::uint8_t, 32> bytes{};
        std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<std::uint8_t>(random()); });
        EXPECT_EQ(name64::key(hex(bytes)), hex(bytes));
    }
}

TEST(VerbatimKey, CountsCharactersNotBytes) {
    for (const std::string_view character : {"x"sv, "é"sv, "中"sv, "😀"sv}) {
        EXPECT_EQ(name64::key(repeated(character, 64)), repeated(character, 64));
        EXPECT_THAT(refusal([&] { return name64::key(repeated(character, 65)); }),
                    HasSubstr("dlock: a name must have at most 64 characters; this one has 65: use hashed_name"));
    }
    EXPECT_EQ(verbatim_key<1>::key("x"), "x");
    EXPECT_THAT(refusal([] { return verbatim_key<1>::key("xy"); }), HasSubstr("at most 1 characters; this one has 2"));
}

TEST(VerbatimKey, CountsBytesToo) {
    using name192 = verbatim_key<64, 192>;
    EXPECT_EQ(name192::key(repeated("中", 64)).size(), 192u);
    EXPECT_EQ(name192::key(repeated("😀", 48)).size(), 192u);
    EXPECT_THAT(refusal([] { return name192::key(repeated("😀", 48) + "x"); }),
                HasSubstr("dlock: a name must have at most 192 bytes; this one has 193: use hashed_name"));
}

TEST(VerbatimKey, RefusesTheEmptyName) {
    EXPECT_THAT(refusal([] { return name64::key(""); }), HasSubstr("at least 1 character; this one has none"));
}

TEST(VerbatimKey, RefusesNul) {
    EXPECT_THAT(refusal([] { return name64::key("k\0x"sv); }),
                HasSubstr("no NUL; this one has one, at byte 1: use hashed_name"));
    EXPECT_THAT(refusal([] { return name64::key("\0"sv); }), HasSubstr("at byte 0"));
    EXPECT_THAT(refusal([] { return name64::key("kk\0"sv); }), HasSubstr("at byte 2"));
}

TEST(VerbatimKey, RefusesWhatIsNotUtf8WithoutRepeatingIt) {
    for (const std::string_view bad : not_characters) {
        const std::string message = refusal([&] { return name64::key("中" + std::string{bad} + "tail"); });
        EXPECT_THAT(message, HasSubstr("must be UTF-8; this one is not, at byte 3: use hashed_name"));
        EXPECT_EQ(detail::utf8_prefix(message).bytes, message.size());
        EXPECT_THAT(message, testing::Not(HasSubstr("tail")));
    }
}

// --- hashed_name ----------------------------------------------------------------------------------------------------

TEST(HashedName, EqualsTheReference) {
    EXPECT_EQ(hashed_name::key(""), "dl:cae66941d9efbd404e4d88758ea67670");
    EXPECT_EQ(hashed_name::key("a"), "dl:27c35e6e9373877f29e562464e46497e");
    EXPECT_EQ(hashed_name::key("user/001"), "dl:5c4c4a3301dd2a391dece053b81b275b");
    EXPECT_EQ(hashed_name::key("中文键"), "dl:7affceaab1aceeef89ff26dd549254ff");
}

TEST(HashedName, IsShortAsciiThatEveryServerKeepsApart) {
    std::set<std::string> keys;
    for (const std::string_view name :
         {""sv, "k"sv, "K"sv, "k "sv, "é"sv, "e\u0301"sv, "k\0x"sv, "k\0y"sv, "\xff"sv, "\xfe"sv}) {
        const std::string key = hashed_name::key(name);
        EXPECT_EQ(key.size(), 35u);
        EXPECT_EQ(key.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz:"), key.npos) << key;
        EXPECT_EQ(name64::key(key), key);
        keys.insert(key);
    }
    EXPECT_EQ(keys.size(), 10u);
    EXPECT_EQ(hashed_name::key(std::string(100'000, 'x')).size(), 35u);
}

// --- in_namespace ---------------------------------------------------------------------------------------------------

using billing = in_namespace<"billing", hashed_key>;
using invoices = in_namespace<"invoices", billing>;

static_assert(billing::key("42") == 9111336434475263879);
static_assert(billing::key("42") == hashed_key::key("billing:42"));
static_assert(billing::key("") == hashed_key::key("billing:"));
static_assert(invoices::key("42") == hashed_key::key("billing:invoices:42"));
static_assert(invoices::key("42") != in_namespace<"billing", in_namespace<"invoices", hashed_key>>::key("42"));
static_assert(invoices::key("42") == billing::key("invoices:42"));

static_assert(in_namespace<"billing", integer_key>::key(42) == integer_pair{1814339995, 42});
static_assert(in_namespace<"invoices", integer_key>::key(min32) == integer_pair{4167176, min32});
static_assert(in_namespace<"中文键", integer_key>::key(std::uint64_t{max32}) == integer_pair{-1736381462, max32});

TEST(InNamespace, PutsTheNamespaceBeforeText) {
    EXPECT_EQ((in_namespace<"billing", name64>::key("42")), "billing:42");
    EXPECT_EQ((in_namespace<"b", in_namespace<"a", name64>>::key("x:y")), "a:b:x:y");
    EXPECT_EQ((in_namespace<"a", hashed_name>::key("")), "dl:39683ffb982a4a56e1ef5dc2685407c1");
    EXPECT_EQ((in_namespace<"a", name64>::key("")), "a:");
    EXPECT_EQ(billing::key(std::string(10'000, 'x')), hashed_key::key("billing:" + std::string(10'000, 'x')));
    EXPECT_EQ(billing::key("\0"sv), hashed_key::key("billing:\0"sv));
}

TEST(InNamespace, CountsTheNamespaceInTheLimit) {
    EXPECT_EQ((in_namespace<"ab", name64>::key(std::string(61, 'x'))).size(), 64u);
    EXPECT_THAT(refusal([] { return in_namespace<"ab", name64>::key(std::string(62, 'x')); }),
                HasSubstr("at most 64 characters; this one has 65"));
    EXPECT_THAT(refusal([] { return in_namespace<"ab", name64>::key("x\0"sv); }), HasSubstr("NUL"));
}

TEST(InNamespace, LeavesAnIntegerThirtyTwoBits) {
    EXPECT_THAT(refusal([] { return in_namespace<"a", integer_key>::key(std::int64_t{max32} + 1); }),
                HasSubstr("between -2147483648 and 2147483647; this one is 2147483648"));
    EXPECT_THAT(refusal([] { return in_namespace<"a", integer_key>::key(std::int64_t{min32} - 1); }),
                HasSubstr("-2147483649"));
}

// --- each: several names -----------------------------------------------------------------------------------------------

TEST(Each, IsTheSetOfTheKeysOfTheNamesInTheirOrder) {
    const std::vector<std::string> names{"user/001", "a", "user/001", ""};
    std::vector<std::int64_t> keys{hashed_key::key("user/001"), hashed_key::key("a"), hashed_key::key("")};
    std::sort(keys.begin(), keys.end());
    const auto set = each<hashed_key>::key(names);
    EXPECT_TRUE(std::equal(set.begin(), set.end(), keys.begin(), keys.end()));
    EXPECT_EQ(set, each<hashed_key>::key(std::array{"a"sv, ""sv, "user/001"sv}));
    EXPECT_EQ(set, each<hashed_key>::key(std::set<std::string_view>{"a", "", "user/001"}));
    EXPECT_EQ(set, each<hashed_key>::key(std::span{names}));
    EXPECT_NE(set, each<hashed_key>::key(std::array{"a"sv}));
    using pairs = each<integer_pair_key>;
    EXPECT_EQ(pairs::key(std::array{integer_pair{2, 1}, integer_pair{1, 2}, integer_pair{2, 1}}).front(), (integer_pair{1, 2}));
}

TEST(Each, RefusesWhatTheInnerPolicyRefusesAndNoNames) {
    EXPECT_THAT(refusal([] { return each<name64>::key(std::array{"a"sv, ""sv}); }), HasSubstr("at least 1 character"));
    EXPECT_THAT(refusal([] { return each<hashed_key>::key(std::vector<std::string>{}); }), HasSubstr("a name at least"));
}

static_assert([] {
    const auto set = each<integer_key>::key(std::array{3, -1, 3, 2});
    return set.size() == 3 && *set.begin() == -1 && !set.empty();
}());
static_assert(accepts_name<each<hashed_key>, const std::vector<std::string>&>);
static_assert(accepts_name<each<integer_key>, const std::vector<short>&>);
static_assert(!accepts_name<each<hashed_key>, const std::string&> && !accepts_name<each<hashed_key>, const char (&)[4]>);
static_assert(!accepts_name<each<hashed_key>, const std::vector<int>&> && !accepts_name<each<integer_key>, const std::string&>);

// --- Constant expressions where the compiler has a constexpr std::string ---------------------------------------------

#if defined(__cpp_lib_constexpr_string) && !(defined(__clang_major__) && __clang_major__ < 15)
static_assert(name64::key("中文键") == "中文键");
static_assert(hashed_name::key("a") == "dl:27c35e6e9373877f29e562464e46497e");
static_assert(in_namespace<"billing", name64>::key("42") == "billing:42");
#endif

}  // namespace
