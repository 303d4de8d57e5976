// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/postgresql/set_statement.hpp>

#include <array>
#include <cstdint>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include <dlock/postgresql/answer.hpp>
#include <dlock/postgresql/error.hpp>
#include <dlock/postgresql/set_sql.hpp>
#include <dlock/postgresql/statement.hpp>

namespace dlock::postgresql::statement {
namespace {

/// An array of bigint as the server keeps it.
/// https://doxygen.postgresql.org/arrayfuncs_8c.html (array_recv)
class binary_array {
public:
    explicit binary_array(keys of) {
        constexpr std::uint32_t dimensions = 1, has_null = 0, oid_of_int8 = 20, first_index = 1;
        bytes_.reserve(20 + 12 * of.size());
        const auto size = static_cast<std::uint32_t>(of.size());
        for (const auto field : {dimensions, has_null, oid_of_int8, size, first_index}) append(field, 4);
        for (const auto& key : of) {
            append(sizeof key.bits, 4);
            append(static_cast<std::uint64_t>(key.bits), 8);
        }
    }
    [[nodiscard]] const char* data() const noexcept { return bytes_.data(); }
    [[nodiscard]] int size() const noexcept { return static_cast<int>(bytes_.size()); }

private:
    void append(std::uint64_t value, int bytes) {
        while (bytes-- > 0) bytes_.push_back(static_cast<char>(value >> (8 * bytes)));
    }

    std::vector<char> bytes_;
};

std::string text_array(keys of) {
    std::string text{"'{"};
    for (const auto& key : of) text.append(std::to_string(key.bits)).append(",");
    text.back() = '}';
    return text + "'";
}

/// `sql` with the parameters from `$first` on replaced by what SQL has for their values, the first of which is that of `$first`.
std::string written(std::string_view sql, char first, std::initializer_list<std::string_view> values) {
    std::string text;
    for (auto at = sql.find('$'); at != sql.npos; at = sql.find('$')) {
        const char number = sql[at + 1];
        if (number < first) {
            text.append(sql.substr(0, at + 2));
        } else {
            text.append(sql.substr(0, at)).append(values.begin()[number - first]);
        }
        sql.remove_prefix(at + 2);
    }
    return text.append(sql);
}

enum class operation : std::uint8_t { try_set, acquire_set, until_set, release_set };

template <sql::fixed_string Operation>
constexpr auto names_of() {
    return sql::table{[](auto m, auto s) {
        constexpr auto suffix = [] {
            if constexpr (decltype(m)::value == mode::shared) return sql::fixed_string{"_set_shared"};
            else return sql::fixed_string{"_set"};
        };
        constexpr auto space_suffix = [] {
            if constexpr (decltype(s)::value == space::pair) return sql::fixed_string{"_pair"};
            else return sql::fixed_string{""};
        };
        return sql::fixed_string{"dlock_2_"} + Operation + suffix() + space_suffix();
    }};
}

/// A statement that is prepared once per connection, as those in statement.cpp.
struct prepared {
    prepared(operation what, mode m, space s) noexcept : index{first_index + static_cast<std::size_t>(what) * 4 + sql::try_alone.index(m, s)} {
        const auto is = [&](const auto& names, const auto& texts, int count) {
            name = names.at(m, s);
            text = texts.at(m, s);
            parameters = count;
        };
        switch (what) {
            case operation::try_set: is(names_of<"try">(), sql::try_set_alone, 1); break;
            case operation::acquire_set: is(names_of<"lock">(), sql::acquire_set_alone, 1); break;
            case operation::until_set: is(names_of<"until">(), sql::until_set_alone, 2); break;
            case operation::release_set: is(names_of<"release">(), sql::release_set_alone, 1); break;
        }
    }

    static constexpr std::size_t first_index = 32;  // the others have those below

    std::size_t index;
    const char* name = nullptr;
    const char* text = nullptr;
    int parameters = 0;
};

constexpr const char* awaited_locks = "a request for several locks";
constexpr const char* awaited_release = "a release of several locks";
constexpr const char* awaited_proof = "the question which locks it had granted";

/// An error of the preparation is the answer.
result run_prepared(connection& on, const prepared& statement, keys of, const char* limit, soci_support::patience& until,
                    const char* awaited) {
    const binary_array bits{of};
    const std::array<const char*, 2> values{bits.data(), limit};
    const std::array<int, 2> lengths{bits.size(), 0};
    constexpr std::array<int, 2> formats{1, 0};
    const auto name = on.mark().empty() ? std::string{statement.name} : std::string{statement.name} + "_" + on.mark();
    for (bool again = true;; again = false) {
        if (!on.is_prepared(statement.index)) {
            const auto text = written(statement.text, '3', {on.served_by()});
            if (auto failed = prepare(on, name.c_str(), text.c_str(), 0, nullptr)) return *std::move(failed);
            on.set_prepared(statement.index);
        }
        if (PQsendQueryPrepared(on.handle(), name.c_str(), statement.parameters, values.data(), lengths.data(), formats.data(), 0) == 0) {
            return result{};
        }
        auto answer = await_answer(on, until, awaited);
        if (!again || answer.sqlstate() != sqlstate::invalid_statement_name) return answer;
        on.forget_prepared();  // somebody sent DEALLOCATE ALL or DISCARD ALL where libpq could not see it
    }
}

/// Inside a transaction, between savepoints: an error leaves it usable.
result with_keys(connection& on, const char* sql, keys of, const char* awaited) {
    if (PQtransactionStatus(on.handle()) == PQTRANS_INTRANS) {
        return between_savepoints(on, written(sql, '1', {text_array(of), "", on.served_by()}), awaited);
    }
    const binary_array bits{of};
    return execute(on, written(sql, '3', {on.served_by()}).c_str(), bits.data(), bits.size(), awaited);
}

released try_release(connection& on, keys of, mode m, bool again) {
    if (on.handle() == nullptr) return released::lost;
    const auto status = PQtransactionStatus(on.handle());
    if (status == PQTRANS_INERROR || status == PQTRANS_ACTIVE || PQpipelineStatus(on.handle()) != PQ_PIPELINE_OFF) return released::pending;
    const prepared statement{operation::release_set, m, of.front().space};
    const auto as_text = [&] {
        const auto text = written(statement.text, '1', {text_array(of), "", on.served_by()});
        return execute(on, text.c_str(), awaited_release);
    };
    if (!again) {
        // Inside a transaction a statement that is not prepared after all would abort it, so there the text itself is sent.
        auto until = on.answering();
        const auto answer = status == PQTRANS_IDLE ? run_prepared(on, statement, of, nullptr, until, awaited_release) : as_text();
        if (answer.ok() && !answer.is_null(0)) return answer.number(0) == of.size() ? released::yes : released::lost;
        if (answer.ok() && !on.restore_mark()) {
            on.lose_session();
            return released::lost;
        }
    }
    if (PQtransactionStatus(on.handle()) != PQTRANS_INERROR) {  // some of them may be released
        const auto answer = release_ghosts(on, of, m);
        if (answer.ok() && !answer.is_null(0) && answer.number(0) == 0) return released::yes;
        if (answer.sqlstate() == sqlstate::insufficient_privilege) {
            if (const auto unseen = release_unseen(on, of, m); unseen.ok() && !unseen.is_null(0)) return released::yes;
        }
    }
    if (PQtransactionStatus(on.handle()) == PQTRANS_INERROR) return released::pending;  // say, statement_timeout ended it
    on.sever("the server did not say whether it had released several locks: the session was ended, and with it every lock on it");
    return released::lost;
}

}  // namespace

result acquire(connection& on, const set_request& what) {
    const connection::own_statements quiet{on};
    const auto& [of, m, limit, override_lock_timeout, for_ever] = what;
    const auto space = of.front().space;
    constexpr std::chrono::milliseconds not_at_all{0};
    auto until = for_ever ? on.waiting() : on.waiting(limit.value_or(not_at_all));
    const auto milliseconds = limit ? std::to_string(limit->count()) : std::string{'0'};
    if (PQtransactionStatus(on.handle()) == PQTRANS_IDLE) {
        if (!limit) return run_prepared(on, {operation::try_set, m, space}, of, nullptr, until, awaited_locks);
        if (!override_lock_timeout) return run_prepared(on, {operation::acquire_set, m, space}, of, nullptr, until, awaited_locks);
        return run_prepared(on, {operation::until_set, m, space}, of, milliseconds.c_str(), until, awaited_locks);
    }
    const char* const sql = limit ? sql::until_set_in_transaction.at(m, space) : sql::try_set_in_transaction.at(m, space);
    const auto text = sql::savepoint + written(sql, '1', {text_array(of), milliseconds, on.served_by()}) + sql::keep_lock_only;
    if (PQsendQuery(on.handle(), text.c_str()) == 0) return result{};
    return await_answer(on, until, awaited_locks);
}

result release_ghosts(connection& on, keys of, mode m) {
    return with_keys(on, sql::ghosts_released.at(m, of.front().space), of, awaited_proof);
}

result release_unseen(connection& on, keys of, mode m) {
    const connection::own_statements quiet{on};
    const bool inside = PQtransactionStatus(on.handle()) == PQTRANS_INTRANS;
    const auto release = written(sql::release_set_alone.at(m, of.front().space), '1', {text_array(of), "", on.served_by()});
    const auto text = (inside ? sql::savepoint : std::string{}) + sql::quietly + release + (inside ? sql::keep_lock_only : "");
    auto answer = execute(on, text.c_str(), awaited_proof);
    if (PQtransactionStatus(on.handle()) == PQTRANS_INERROR) (void)recover_transaction(on);
    return answer;
}

released release(connection& on, keys of, mode m, bool again) noexcept {
    try {
        return try_release(on, of, m, again);
    } catch (const std::bad_alloc&) {
        on.sever("there was no memory to release several locks, so the session was ended, and with it every lock on it");
        return released::lost;
    }
}

result holders(connection& on, keys of) { return with_keys(on, sql::who_holds_any.at(mode::exclusive, of.front().space), of, "a question"); }

}  // namespace dlock::postgresql::statement
