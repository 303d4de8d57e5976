// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/postgresql/statement.hpp>

#include <array>
#include <charconv>
#include <string>
#include <string_view>

#include <dlock/postgresql/answer.hpp>
#include <dlock/postgresql/error.hpp>
#include <dlock/postgresql/sql.hpp>

namespace dlock::postgresql::statement {
namespace {

/// $1, $2, $3 as libpq wants them: text, without an allocation.
class parameters {
public:
    explicit parameters(const postgresql::key& key, int backend_pid = 0, std::chrono::milliseconds limit = {}) noexcept {
        print(key_, key.bits);
        print(pid_, backend_pid);
        print(limit_, limit.count());
    }

    [[nodiscard]] const char* const* values() const noexcept { return values_.data(); }

    /// `sql` with its parameters written out: a text of several statements takes none.
    [[nodiscard]] std::string written_into(std::string_view sql) const {
        std::string text;
        text.reserve(sql.size() + 64);
        for (std::size_t at = 0; at < sql.size(); ++at) {
            if (sql[at] == '$') {
                text.append("'").append(values_[static_cast<std::size_t>(sql[++at] - '1')]).append("'");
            } else {
                text += sql[at];
            }
        }
        return text;
    }

private:
    template <std::size_t N, class Integer>
    static void print(std::array<char, N>& to, Integer value) noexcept {
        *std::to_chars(to.data(), to.data() + N - 1, value).ptr = '\0';
    }

    std::array<char, 24> key_{};
    std::array<char, 24> pid_{};
    std::array<char, 24> limit_{};
    std::array<const char*, 3> values_{key_.data(), pid_.data(), limit_.data()};
};

enum class operation : std::uint8_t { try_acquire, acquire_until, release, try_fenced, until_fenced };

/// The names of an operation's prepared statements. They carry a version: the text behind a name never changes.
template <sql::fixed_string Operation>
constexpr auto names_of() {
    return sql::table{[](auto m, auto s) {
        constexpr auto mode_suffix = [] {
            if constexpr (decltype(m)::value == mode::shared) return sql::fixed_string{"_shared"};
            else return sql::fixed_string{""};
        };
        constexpr auto space_suffix = [] {
            if constexpr (decltype(s)::value == space::pair) return sql::fixed_string{"_pair"};
            else return sql::fixed_string{""};
        };
        return sql::fixed_string{"dlock_1_"} + Operation + mode_suffix() + space_suffix();
    }};
}

/// A statement that is prepared once per connection.
struct prepared {
    prepared(operation what, mode m, space s) noexcept : index{static_cast<std::size_t>(what) * 4 + sql::try_alone.index(m, s)} {
        const auto is = [&](const auto& names, const auto& texts, int count) {
            name = names.at(m, s);
            text = texts.at(m, s);
            parameters = count;
        };
        switch (what) {
            case operation::try_acquire: is(names_of<"try">(), sql::try_alone, 2); break;
            case operation::acquire_until: is(names_of<"until">(), sql::until_alone, 3); break;
            case operation::release: is(names_of<"release">(), sql::release_alone, 2); break;
            case operation::try_fenced: is(names_of<"try_fenced">(), sql::try_fenced_alone, 2); break;
            case operation::until_fenced: is(names_of<"until_fenced">(), sql::until_fenced_alone, 3); break;
        }
    }

    std::size_t index;
    const char* name = nullptr;
    const char* text = nullptr;
    int parameters = 0;
};

/// An error of the preparation is the answer.
result run_prepared(connection& on, const prepared& statement, const parameters& with, const std::stop_token& stop) {
    for (bool again = true;; again = false) {
        if (!on.is_prepared(statement.index)) {
            result preparation{PQprepare(on.handle(), statement.name, statement.text, 0, nullptr)};
            if (!preparation.ok() && preparation.sqlstate() != sqlstate::duplicate_statement) return preparation;
            on.set_prepared(statement.index);
        }
        if (PQsendQueryPrepared(on.handle(), statement.name, statement.parameters, with.values(), nullptr, nullptr, 0) == 0) return result{};
        auto answer = await_answer(on.handle(), stop);
        if (!again || answer.sqlstate() != sqlstate::invalid_statement_name) return answer;
        on.forget_prepared();  // somebody sent DEALLOCATE ALL or DISCARD ALL where libpq could not see it
    }
}

result run_in_transaction(connection& on, const char* sql, const parameters& with, const char* ending, const std::stop_token& stop) {
    const std::string text = sql::savepoint + with.written_into(sql) + ending;
    if (PQsendQuery(on.handle(), text.c_str()) == 0) return result{};
    return await_answer(on.handle(), stop);
}

}  // namespace

result acquire(connection& on, const request& what, const std::stop_token& stop) {
    const connection::own_statements quiet{on};
    const auto [key, m, where, pid, limit, fenced] = what;
    const parameters with{key, pid, limit.value_or(std::chrono::milliseconds{0})};
    if (PQtransactionStatus(on.handle()) == PQTRANS_IDLE) {
        const auto plain = limit ? operation::acquire_until : operation::try_acquire;
        return run_prepared(on, {!fenced ? plain : limit ? operation::until_fenced : operation::try_fenced, m, key.space}, with, stop);
    }
    if (where == scope::session) {
        const auto& text = limit ? sql::until_in_transaction.at(m, key.space) : sql::try_in_transaction.at(m, key.space);
        return run_in_transaction(on, text, with, sql::keep_lock_only, stop);
    }
    const auto& text = limit ? sql::until_for_transaction.at(m, key.space) : sql::try_for_transaction.at(m, key.space);
    return run_in_transaction(on, text, with, sql::keep_all, stop);
}

result recover_transaction(connection& on) noexcept {
    const connection::own_statements quiet{on};
    return result{PQexec(on.handle(), sql::recover)};
}

result find_ghost(connection& on, const postgresql::key& key, mode m, bool release) noexcept {
    const char* const text = release ? sql::ghost_released.at(m, key.space) : sql::ghost_found.at(m, key.space);
    return result{PQexecParams(on.handle(), text, 1, nullptr, parameters{key}.values(), nullptr, nullptr, 0)};
}

released release(connection& on, const postgresql::key& key, mode m) noexcept {
    if (on.handle() == nullptr) return released::lost;
    const auto status = PQtransactionStatus(on.handle());
    if (status == PQTRANS_INERROR || status == PQTRANS_ACTIVE) return released::pending;
    const prepared statement{operation::release, m, key.space};
    const parameters with{key, on.known_backend_pid()};
    const auto as_text = [&] {
        return result{PQexecParams(on.handle(), statement.text, statement.parameters, nullptr, with.values(), nullptr, nullptr, 0)};
    };
    // Inside a transaction a statement that is not prepared after all would abort it, so there the text itself is sent.
    auto answer = status == PQTRANS_IDLE ? run_prepared(on, statement, with, {}) : as_text();
    if (!answer.ok() && status == PQTRANS_IDLE) answer = as_text();
    if (answer.ok()) return answer.is_true(0) ? released::yes : released::lost;
    if (PQtransactionStatus(on.handle()) == PQTRANS_INERROR) return released::pending;  // say, statement_timeout ended it
    on.sever();  // the server does not say whether it is released, so it is made to
    return released::lost;
}

bool holds(connection& on, const postgresql::key& key, mode m) noexcept {
    const result answer = find_ghost(on, key, m, false);
    return answer.ok() && answer.rows() > 0;
}

result holders(connection& on, const postgresql::key& key) {
    return result{PQexecParams(on.handle(), sql::who_holds.at(mode::exclusive, key.space), 1, nullptr, parameters{key}.values(), nullptr, nullptr, 0)};
}

}  // namespace dlock::postgresql::statement
