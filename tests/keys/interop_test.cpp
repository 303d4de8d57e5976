// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The key formats of other libraries. Where each vector is from stands beside it; none is from our own code.
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <dlock/detail/blake2b.hpp>
#include <dlock/detail/sha.hpp>
#include <dlock/detail/utf8.hpp>
#include <dlock/error.hpp>
#include <dlock/key_policy.hpp>
#include <dlock/keys/in_namespace.hpp>
#include <dlock/keys/interop/crc32.hpp>
#include <dlock/keys/interop/distributed_lock.hpp>
#include <dlock/keys/interop/hashtext.hpp>
#include <dlock/keys/interop/sha256.hpp>

namespace {

using namespace dlock;
using namespace std::string_view_literals;

template <class... Ps>
constexpr bool all_text_key_policies = (text_key_policy<Ps> && ...);
static_assert(
    all_text_key_policies<interop::hashtext, interop::hashtextextended, interop::django_pglocks, interop::symfony,
                          interop::with_advisory_lock, interop::rails_migration, interop::django_pglock,
                          interop::advisory_lock, interop::sqlx, interop::distributed_lock_ascii,
                          interop::distributed_lock_hashed>);
static_assert(accepts_name<interop::golang_migrate, const char*, std::string, std::string_view>);
static_assert(!text_key_policy<interop::golang_migrate>);

/// All keys or digests of a test in one value: an array of bytes, or an integer's, the least significant first.
class summary {
public:
    template <std::size_t N>
    void add(const std::array<std::uint8_t, N>& digest) {
        bytes_.append(digest.begin(), digest.end());
    }
    template <std::integral T>
    void add(T key) {
        for (std::size_t i = 0; i < sizeof key; ++i) {
            bytes_ += static_cast<char>(static_cast<unsigned char>(key >> 8 * i));
        }
    }
    [[nodiscard]] std::string text() const {
        std::string hex;
        for (const std::uint8_t byte : detail::blake2b<16>(bytes_)) {
            hex += "0123456789abcdef"[byte >> 4];
            hex += "0123456789abcdef"[byte & 15];
        }
        return hex;
    }

private:
    std::string bytes_;
};

std::string pattern(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) {
        text[i] = static_cast<char>(static_cast<unsigned char>(i * 7 + size));
    }
    return text;
}

// --- hashtext, hashtextextended: a PostgreSQL 15 server -------------------------------------------------------------

static_assert(interop::hashtextextended::key("") == -6939563903564495251);
static_assert(interop::hashtextextended::key("my_lock") == -1671245870086436735);
static_assert(interop::hashtextextended::key("user/001") == 1495442076745517862);
static_assert(interop::hashtextextended::key("中文键") == 3269115852677885669);
static_assert(interop::hashtextextended::key("é") == -763932721387459829);
static_assert(interop::hashtextextended::key("😀😀😀") == 8724223271110288099);  // exactly one block

static_assert(interop::hashtext::key("") == -1477818771);
static_assert(interop::hashtext::key("my_lock") == 1562953857);
static_assert(interop::hashtext::key("user/001") == 1184287526);
static_assert(interop::hashtext::key("中文键") == 678866661);
static_assert(interop::hashtext::key("é") == -983094517);
static_assert(interop::hashtext::key("😀😀😀") == -1749441821);

TEST(Hashtext, EqualsTheServerForALongName) {
    EXPECT_EQ(interop::hashtextextended::key(std::string(1000, 'y')), -449589787881147069);
    EXPECT_EQ(interop::hashtext::key(std::string(1000, 'y')), 1320383811);
}

TEST(Hashtext, EqualsTheServerForEveryBeginningOfAText) {
    std::string whole;
    while (whole.size() < 1000) {
        whole += "Grüße, 中文键 😀; ";
    }
    summary keys;
    std::size_t bytes = 0;
    for (int characters = 0; characters <= 300; ++characters) {
        keys.add(interop::hashtextextended::key(std::string_view{whole}.substr(0, bytes)));
        bytes += detail::utf8_front(std::string_view{whole}.substr(bytes));
    }
    EXPECT_EQ(keys.text(), "103a56408379f5a17a0c939c42b711a8");
}

// --- CRC-32: Python's zlib, and the projects' own constants ---------------------------------------------------------

static_assert(detail::crc32{}.absorb("123456789").value() == 0xcbf43926);  // the check value of CRC-32/ISO-HDLC
static_assert(detail::crc32{}.absorb("1234").absorb("").absorb("56789").value() == 0xcbf43926);

TEST(Crc32, EqualsZlibAtEveryLengthUpTo256) {
    summary keys;
    for (std::size_t size = 0; size <= 256; ++size) {
        keys.add(detail::crc32{}.absorb(pattern(size)).value());
    }
    EXPECT_EQ(keys.text(), "8e31e2bc8bde60fff0302b3e407604b5");
}

static_assert(interop::django_pglocks::key("my_lock") == 1202238042);
static_assert(interop::django_pglocks::key("user/001") == 3583757148 - (std::int64_t{1} << 32));
static_assert(interop::django_pglocks::key("") == 0);

static_assert(interop::symfony::key("my_lock") == 1202238042);
static_assert(interop::symfony::key("user/001") == 3583757148);
static_assert(interop::symfony::key("中文键") == 3457758598);

static_assert(interop::with_advisory_lock::key("my_lock") == integer_pair{1202238042, 0});
static_assert(interop::with_advisory_lock::key("user/001") == integer_pair{1436273500, 0});  // 3583757148 - 2^31

static_assert(interop::rails_migration::key("app") == 6939591962871035475);
static_assert(interop::rails_migration::key("中文键") == 7100378807972291310);

static_assert(interop::golang_migrate::key("app", "public", "schema_migrations") == 1787120056);
static_assert(interop::golang_migrate::key("d", "s", "t") == 1855788533);
static_assert(interop::golang_migrate::key("", "", "") == 375685893);

// --- SHA-1, SHA-256: Python's hashlib -------------------------------------------------------------------------------

template <class Hash>
std::string at_every_length() {
    summary digests;
    for (std::size_t size = 0; size <= 256; ++size) {
        digests.add(Hash{}.absorb(pattern(size)).digest());
    }
    return digests.text();
}

TEST(Sha, EqualsTheReferenceAtEveryLengthUpTo256) {
    EXPECT_EQ(at_every_length<detail::sha1>(), "b3da6532fbd25ad190eeed63abe139ff");
    EXPECT_EQ(at_every_length<detail::sha256>(), "d0ead5c5b63ab91c0de4ecb2019076a6");
}

static_assert(interop::django_pglock::key("my_lock") == -7326441835665241985);
static_assert(interop::django_pglock::key("") == 1449310910991872227);
static_assert(interop::django_pglock::key("user/001") == 6616190094638881101);
static_assert(interop::django_pglock::key("中文键") == 2936431658110914205);

static_assert(interop::advisory_lock::key("my_lock") == integer_pair{-1248016257, -1705820169});  // its own strToKey()
static_assert(interop::advisory_lock::key("") == integer_pair{1120186595, 337443992});
static_assert(interop::advisory_lock::key("user/001") == integer_pair{1164482893, 1540451798});
static_assert(interop::advisory_lock::key("中文键") == integer_pair{15306397, 683691273});

static_assert(interop::sqlx::key("my first Postgres advisory lock!") ==
              -5560419505042474287);  // from sqlx's documentation
static_assert(interop::sqlx::key("my_lock") == 1588558368026868687);
static_assert(interop::sqlx::key("") == 8559922135585776354);
static_assert(interop::sqlx::key("user/001") == 8443591957982265024);
static_assert(interop::sqlx::key("中文键") == 3810845229505579605);

TEST(Sha256Keys, EqualTheReferenceForALongName) {
    EXPECT_EQ(interop::django_pglock::key(std::string(1000, 'x')), 268709184000096324);
    EXPECT_TRUE((interop::advisory_lock::key(std::string(1000, 'x')) == integer_pair{1144387652, 62563732}));
    EXPECT_EQ(interop::sqlx::key(std::string(1000, 'x')), 7820946800567525258);
}

// --- DistributedLock: its published value, and its algorithm in Python ----------------------------------------------

static_assert(interop::distributed_lock_ascii::key("my_lock") == integer_pair{-605618483, -118112257});
static_assert(interop::distributed_lock_ascii::key("") == integer_pair{2147483647, -1});
static_assert(interop::distributed_lock_ascii::key("a") == integer_pair{-1023410177, -1});
static_assert(interop::distributed_lock_ascii::key("\0"sv) == integer_pair{16777215, -1});
static_assert(interop::distributed_lock_ascii::key("123456789") == integer_pair{1657379654, -1382303630});
static_assert(interop::distributed_lock_ascii::key("\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f") == integer_pair{-1, -2});

static_assert(interop::distributed_lock_hashed::key("my distributed lock") == 3505675531136315164);
static_assert(interop::distributed_lock_hashed::key("0123456789") == 2363718883634621575);
static_assert(interop::distributed_lock_hashed::key("中文键") == -5270287707707474807);
static_assert(interop::distributed_lock_hashed::key("0123456789abcdeg") == 8261140907795711218);   // g: no number
static_assert(interop::distributed_lock_hashed::key("12345678-12345678") == 3965772809581312552);  // nor this

template <class P>
std::string refusal(std::string_view name) {
    try {
        static_cast<void>(P::key(name));
        return "not refused";
    } catch (const lock_error& e) {
        EXPECT_EQ(e.code(), errc::bad_key);
        return e.what();
    }
}

TEST(DistributedLock, EachPolicyRefusesTheNamesOfTheOther) {
    using testing::HasSubstr;
    for (const std::string_view name : {"0123456789"sv, "中"sv, "12345678\x80"sv}) {
        EXPECT_THAT(refusal<interop::distributed_lock_ascii>(name), HasSubstr("use distributed_lock_hashed"));
    }
    for (const std::string_view name : {""sv, "a"sv, "123456789"sv}) {
        EXPECT_THAT(refusal<interop::distributed_lock_hashed>(name), HasSubstr("use distributed_lock_ascii"));
    }
    for (const std::string_view name : {"0123456789abcdef"sv, "FFFFFFFFFFFFFFFF"sv}) {
        EXPECT_THAT(refusal<interop::distributed_lock_hashed>(name), HasSubstr("use integer_key"));
    }
    EXPECT_THAT(refusal<interop::distributed_lock_hashed>("0123abcd,EF456789"), HasSubstr("use integer_pair_key"));
}

// --- A namespace over somebody else's format ------------------------------------------------------------------------

static_assert(in_namespace<"billing", interop::symfony>::key("42") == interop::symfony::key("billing:42"));
static_assert(in_namespace<"billing", interop::with_advisory_lock>::key("42") ==
              interop::with_advisory_lock::key("billing:42"));

}  // namespace
