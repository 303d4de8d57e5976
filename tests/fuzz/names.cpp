// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Any sequence of bytes as a name, through every key policy: either a typed refusal, or a key that the server takes as it
// is, the same every time, and a statement that says exactly that key.
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include <dlock/error.hpp>
#include <dlock/keys/hashed_key.hpp>
#include <dlock/keys/hashed_name.hpp>
#include <dlock/keys/in_namespace.hpp>
#include <dlock/keys/interop/crc32.hpp>
#include <dlock/keys/interop/distributed_lock.hpp>
#include <dlock/keys/interop/hashtext.hpp>
#include <dlock/keys/interop/sha256.hpp>
#include <dlock/keys/verbatim_key.hpp>
#include <dlock/mysql/server.hpp>
#include <dlock/mysql/sql.hpp>
#include <dlock/sqlite/key.hpp>

#include "tests/fuzz/expect.hpp"

namespace dlock::fuzz {
namespace {

/// What is refused is refused with bad_key and a sentence, and again the second time.
template <class Make, class Check>
void key_or_refusal(Make make, Check check) {
    const auto outcome = [&]() -> std::string {
        try {
            check(make());
            return {};
        } catch (const lock_error& e) {
            expect(e.reason() == errc::bad_key, "another error than bad_key");
            return e.what();
        }
    };
    expect(outcome() == outcome(), "two answers for one name");
}

template <class Policy>
void through(std::string_view name) {
    key_or_refusal([&] { return Policy::key(name); }, [&](const auto& key) { expect(Policy::key(name) == key, "two keys for one name"); });
}

struct migration {
    static auto key(std::string_view name) { return interop::golang_migrate::key(name, name, name); }
};

/// The one literal of a statement, as the server reads it; sets `rest` to what stands around it.
std::string literal_of(std::string_view statement, std::string& rest) {
    const auto opening = statement.find('\'');
    const bool hex = statement.substr(0, opening).ends_with("_utf8mb4 X");  // what stands behind the quote may be part of a name
    const auto closing = statement.find('\'', opening + 1);
    expect(closing != statement.npos && statement.find('\'', closing + 1) == statement.npos, "more than one literal");
    const auto inside = statement.substr(opening + 1, closing - opening - 1);
    expect(inside.find('\\') == inside.npos, "an escape");
    rest = std::string{statement.substr(0, opening)} + std::string{statement.substr(closing + 1)};
    if (!hex) return std::string{inside};
    std::string bytes;
    for (std::size_t i = 0; i + 1 < inside.size(); i += 2) bytes += static_cast<char>(std::stoi(std::string{inside.substr(i, 2)}, nullptr, 16));
    return bytes;
}

void on_mysql(std::string_view name, mysql::server server) {
    key_or_refusal(
        [&] {
            server.check(name);
            return std::string{name};
        },
        [&](const std::string& key) {
            std::string rest;
            expect(literal_of(mysql::sql::release(server.literal(key)).view(), rest) == key, "the statement says another name");
            const std::string quoted = server.mariadb ? "N" : "_utf8mb4";
            expect(rest == "SELECT RELEASE_LOCK(" + quoted + ") LIMIT 1" || rest == "SELECT RELEASE_LOCK(_utf8mb4 X) LIMIT 1", "the statement");
            expect(key.size() <= (server.mariadb ? 192U : 64U), "longer than the server takes");
        });
}

}  // namespace
}  // namespace dlock::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace dlock;
    using namespace dlock::fuzz;
    const std::string_view name{reinterpret_cast<const char*>(data), size};
    through<hashed_key>(name);
    through<hashed_name>(name);
    through<verbatim_key<64>>(name);
    through<verbatim_key<64, 192>>(name);
    through<in_namespace<"app", hashed_key>>(name);
    through<in_namespace<"app", verbatim_key<64>>>(name);
    through<interop::django_pglocks>(name);
    through<interop::symfony>(name);
    through<interop::with_advisory_lock>(name);
    through<interop::rails_migration>(name);
    through<migration>(name);
    through<interop::distributed_lock_ascii>(name);
    through<interop::distributed_lock_hashed>(name);
    through<interop::hashtext>(name);
    through<interop::hashtextextended>(name);
    through<interop::django_pglock>(name);
    through<interop::advisory_lock>(name);
    through<interop::sqlx>(name);
    on_mysql(name, {.mariadb = true, .version = 101119});
    on_mysql(name, {.mariadb = false, .version = 80036});
    const sqlite::key key{name};
    expect(key.name() == name && key.file().size() == 37, "the file of a key");
    expect(key.file().find_first_not_of("0123456789abcdef.lock") == std::string::npos, "the file of a key");
    return 0;
}
