// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/mysql/set_statement.hpp>

#include <new>

#include <dlock/mysql/answer.hpp>
#include <dlock/mysql/preflight.hpp>
#include <dlock/mysql/set_sql.hpp>

namespace dlock::mysql::statement {
namespace {

sql::names literals(const connection& on, std::span<const std::string> keys) noexcept { return {keys, on.server().has_national_literals()}; }

}  // namespace

released release(connection& on, std::span<const std::string> keys) noexcept {
    try {
        const auto answer = ask(on, sql::release_all(on.is_proven() ? sql::served_by{0} : on.who(), literals(on, keys)).view(), "a release of several locks");
        if (!answer.failed && answer.value == 1U) return released::yes;
        if (!answer.failed) {
            end_unless_ours(on);
            return released::lost;
        }
        if (answer.failed == errc::lost) return released::lost;
        if (answer.failed == errc::unsupported) return released::pending;  // the rows of another statement come first
        return prove_none_held(on, keys, on.who()) ? released::yes : released::lost;
    } catch (const std::bad_alloc&) {
        on.sever("there was no memory to release several locks, so the session was ended, and with it every lock on it");
        return released::lost;
    }
}

bool prove_none_held(connection& on, std::span<const std::string> keys, sql::served_by who) noexcept {
    constexpr int attempts = 3;  // a KILL QUERY that comes late can end these statements too
    try {
        const auto text = sql::release_ghosts(who, literals(on, keys));
        for (int i = 0; i < attempts; ++i) {
            const auto answer = ask(on, text.view(), "the question which locks it had granted");
            if (answer.failed == errc::lost) return false;
            if (!answer.failed && answer.value == 1U) return true;
        }
    } catch (const std::bad_alloc&) {
        // as if the server had not answered
    }
    on.sever("the server did not say which locks it had granted: the session was ended, and with it every lock on it");
    return false;
}

}  // namespace dlock::mysql::statement
