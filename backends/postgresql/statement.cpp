// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/postgresql/statement.hpp>

#include <array>
#include <charconv>
#include <initializer_list>
#include <string_view>

#include <dlock/postgresql/answer.hpp>
#include <dlock/postgresql/error.hpp>
#include <dlock/postgresql/sql.hpp>

namespace dlock::postgresql::statement {
namespace {

/// An integer as libpq wants a parameter: text, without an allocation.
class text_of {
public:
    template <class Integer>
    explicit text_of(Integer value) noexcept {
        *std::to_chars(digits_.data(), digits_.data() + digits_.size() - 1, value).ptr = '\0';
    }
    [[nodiscard]] const char* c_str() const noexcept { return digits_.data(); }

private:
    std::array<char, 24> digits_;
};

/// An integer as the server keeps it: neither side has to parse or print it.
class binary_of {
public:
    explicit binary_of(std::int64_t value) noexcept {
        for (std::size_t i = 0; i < bytes_.size(); ++i) {
            bytes_[i] = static_cast<char>(static_cast<std::uint64_t>(value) >> (56 - 8 * i));
        }
    }
    [[nodiscard]] const char* data() const noexcept { return bytes_.data(); }

private:
    std::array<char, 8> bytes_;
};

/// An integer as SQL has it: quoted, because the smallest one is no literal.
class literal_of {
public:
    template <class Integer>
    explicit literal_of(Integer value) noexcept {
        text_.front() = '\'';
        auto* const end = std::to_chars(text_.data() + 1, text_.data() + text_.size() - 2, value).ptr;
        end[0] = '\'';
        end[1] = '\0';
    }
    [[nodiscard]] const char* c_str() const noexcept { return text_.data(); }

private:
    std::array<char, 24> text_;
};

/// A statement with parameters written into it, without an allocation.
class written {
public:
    written& append(std::string_view text) noexcept {
        size_ += text.copy(text_.data() + size_, capacity - size_);
        text_[size_] = '\0';
        return *this;
    }

    /// `sql` with its parameters from `$first` on replaced by what SQL has for their values, as many as there are.
    written& append(std::string_view sql, char first, std::initializer_list<const char*> values) noexcept {
        for (auto at = sql.find('$'); at != sql.npos; at = sql.find('$')) {
            const char number = sql[at + 1];
            const bool replaced = number >= first && number < first + static_cast<int>(values.size());
            append(sql.substr(0, replaced ? at : at + 2));
            if (replaced) append(values.begin()[number - first]);
            sql.remove_prefix(at + 2);
        }
        return append(sql);
    }

    [[nodiscard]] const char* c_str() const noexcept { return text_.data(); }

private:
    static constexpr std::size_t capacity = 2047;
    static_assert(sql::longest + 600 < capacity, "with three values, one of which comes twice, and a savepoint around it");

    std::array<char, capacity + 1> text_;
    std::size_t size_ = 0;
};

enum class operation : std::uint8_t { try_acquire, acquire, acquire_until, release, try_fenced, until_fenced };

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
        return sql::fixed_string{"dlock_2_"} + Operation + mode_suffix() + space_suffix();
    }};
}

/// A statement that is prepared once per connection, with the backend pid written into it: behind a pooler that shares
/// sessions it can land on another backend, and refuses there. Its name carries a version: the text behind it never changes.
struct prepared {
    prepared(operation what, mode m, space s) noexcept : index{static_cast<std::size_t>(what) * 4 + sql::try_alone.index(m, s)} {
        const auto is = [&](const auto& names, const auto& texts, int count) {
            name = names.at(m, s);
            text = texts.at(m, s);
            parameters = count;
        };
        switch (what) {
            case operation::try_acquire: is(names_of<"try">(), sql::try_alone, 1); break;
            case operation::acquire: is(names_of<"lock">(), sql::acquire_alone, 1); break;
            case operation::acquire_until: is(names_of<"until">(), sql::until_alone, 2); break;
            case operation::release: is(names_of<"release">(), sql::release_alone, 1); break;
            case operation::try_fenced: is(names_of<"try_fenced">(), sql::try_fenced_alone, 4); break;
            case operation::until_fenced: is(names_of<"until_fenced">(), sql::until_fenced_alone, 4); break;
        }
    }

    std::size_t index;
    const char* name = nullptr;
    const char* text = nullptr;
    int parameters = 0;
};

constexpr const char* awaited_lock = "a request for a lock";
constexpr const char* awaited_release = "a release";
constexpr const char* awaited_proof = "the question whether it had granted a lock";

/// What a statement is called on this session.
const char* name_for(const connection& on, const char* name, written& space) noexcept {
    return on.mark().empty() ? name : space.append(name).append("_").append(on.mark()).c_str();
}

/// An error of the preparation is the answer.
result run_prepared(connection& on, const prepared& statement, const postgresql::key& key, const char* limit, const char* fence,
                    soci_support::patience& until, const char* awaited) {
    const binary_of bits{key.bits};
    const char* const values[]{bits.data(), limit, nullptr, fence};
    constexpr int lengths[]{sizeof key.bits, 0, 0, 0};
    constexpr int formats[]{1, 0, 0, 0};
    /// A fenced statement has a gap in its parameters, where the pid is written into it, and the server asks for its type.
    constexpr Oid int8 = 20, text = 25, int4 = 23, regclass = 2205;
    constexpr Oid types[]{int8, text, int4, regclass};
    written space;
    const char* const name = name_for(on, statement.name, space);
    for (bool again = true;; again = false) {
        if (!on.is_prepared(statement.index)) {
            written sql;
            sql.append(statement.text, '3', {on.served_by()});
            auto failed = prepare(on, name, sql.c_str(), fence != nullptr ? statement.parameters : 0, types);
            if (failed) return *std::move(failed);
            on.set_prepared(statement.index);
        }
        if (PQsendQueryPrepared(on.handle(), name, statement.parameters, values, lengths, formats, 0) == 0) return result{};
        auto answer = await_answer(on, until, awaited);
        if (answer.ok() || !again || answer.sqlstate() != sqlstate::invalid_statement_name) return answer;
        on.forget_prepared();  // somebody sent DEALLOCATE ALL or DISCARD ALL where libpq could not see it
    }
}

/// Inside a transaction, between savepoints: an error leaves it usable.
result with_key(connection& on, const char* sql, const postgresql::key& key, const char* awaited) {
    if (PQtransactionStatus(on.handle()) == PQTRANS_INTRANS) {
        written text;
        text.append(sql::savepoint).append(sql, '1', {literal_of{key.bits}.c_str(), "", on.served_by()}).append(sql::keep_all);
        auto answer = execute(on, text.c_str(), awaited);
        if (PQtransactionStatus(on.handle()) == PQTRANS_INERROR) (void)recover_transaction(on);
        return answer;
    }
    const binary_of bits{key.bits};
    written text;
    return execute(on, text.append(sql, '3', {on.served_by()}).c_str(), bits.data(), sizeof key.bits, awaited);
}

written releasing(const connection& on, const char* sql, const postgresql::key& key) noexcept {
    written text;
    text.append(sql, '1', {literal_of{key.bits}.c_str(), "", on.served_by()});
    return text;
}

}  // namespace

std::string with(std::string_view sql, std::string_view parameter, std::string_view value) {
    std::string text{sql};
    for (auto at = text.find(parameter); at != text.npos; at = text.find(parameter, at + value.size())) text.replace(at, parameter.size(), value);
    return text;
}

std::optional<result> prepare(connection& on, const char* name, const char* sql, int parameters, const Oid* types) {
    if (PQsendPrepare(on.handle(), name, sql, parameters, types) == 0) return result{};
    auto answer = await_answer(on, on.answering(), "the preparation of a statement");
    if (answer.ok() || answer.sqlstate() == sqlstate::duplicate_statement) return std::nullopt;  // ours: its name has a version
    return answer;
}

result acquire(connection& on, const request& what) {
    const connection::own_statements quiet{on};
    constexpr std::chrono::milliseconds for_ever{0}, not_at_all{0};
    const auto& limit = what.limit;
    auto until = limit == for_ever ? on.waiting() : on.waiting(limit.value_or(not_at_all));
    if (PQtransactionStatus(on.handle()) == PQTRANS_IDLE) {
        const auto run = [&](operation o, const char* lock_timeout) {
            return run_prepared(on, {o, what.mode, what.key.space}, what.key, lock_timeout, what.fence, until, awaited_lock);
        };
        const bool fenced = what.fence != nullptr;
        if (!limit) return run(fenced ? operation::try_fenced : operation::try_acquire, nullptr);
        if (!what.override_lock_timeout && !fenced) return run(operation::acquire, nullptr);
        return run(fenced ? operation::until_fenced : operation::acquire_until, text_of{limit->count()}.c_str());
    }
    const bool outlives_savepoint = what.scope == scope::session;
    const auto text_in = [&](const auto& of) { return of.at(what.mode, what.key.space); };
    const char* const sql = outlives_savepoint ? limit ? text_in(sql::until_in_transaction) : text_in(sql::try_in_transaction)
                            : limit            ? text_in(sql::until_for_transaction)
                                               : text_in(sql::try_for_transaction);
    written text;
    text.append(sql::savepoint)
        .append(sql, '1',
                {literal_of{what.key.bits}.c_str(), literal_of{limit.value_or(std::chrono::milliseconds{0}).count()}.c_str(), on.served_by()})
        .append(outlives_savepoint ? sql::keep_lock_only : sql::keep_all);
    if (PQsendQuery(on.handle(), text.c_str()) == 0) return result{};
    return await_answer(on, until, awaited_lock);
}

result recover_transaction(connection& on) noexcept {
    const connection::own_statements quiet{on};
    return execute(on, sql::recover, "a rollback to a savepoint");
}

result find_ghost(connection& on, const postgresql::key& key, mode m, bool release) noexcept {
    const char* const text = release ? sql::ghost_released.at(m, key.space) : sql::ghost_found.at(m, key.space);
    return with_key(on, text, key, awaited_proof);
}

result release_unseen(connection& on, const postgresql::key& key, mode m) noexcept {
    const connection::own_statements quiet{on};
    const bool inside = PQtransactionStatus(on.handle()) == PQTRANS_INTRANS;
    written text;
    if (inside) text.append(sql::savepoint);
    text.append(sql::quietly).append(releasing(on, sql::release_alone.at(m, key.space), key).c_str());
    if (inside) text.append(sql::keep_lock_only);  // and no setting
    auto answer = execute(on, text.c_str(), awaited_proof);
    if (PQtransactionStatus(on.handle()) == PQTRANS_INERROR) (void)recover_transaction(on);
    return answer;
}

released release(connection& on, const postgresql::key& key, mode m) noexcept {
    if (on.handle() == nullptr) return released::lost;
    const auto status = PQtransactionStatus(on.handle());
    if (status == PQTRANS_INERROR || status == PQTRANS_ACTIVE || PQpipelineStatus(on.handle()) != PQ_PIPELINE_OFF) return released::pending;
    const connection::own_statements quiet{on};
    const prepared statement{operation::release, m, key.space};
    const auto as_text = [&] { return execute(on, releasing(on, statement.text, key).c_str(), awaited_release); };
    // Inside a transaction a statement that is not prepared after all would abort it, so there the text itself is sent.
    auto until = on.answering();
    auto answer = status == PQTRANS_IDLE ? run_prepared(on, statement, key, nullptr, nullptr, until, awaited_release) : as_text();
    const bool again = !answer.ok() && status == PQTRANS_IDLE && reason_of(answer.sqlstate(), on.handle()) != errc::lost;
    if (again) answer = as_text();
    if (answer.ok()) {
        const char said = answer.letter(0);
        // "Not held" the second time: a cancel or statement_timeout that came behind the unlock made the first one an error.
        if (said == 't' || (said != '\0' && again)) return released::yes;
        if (said != '\0') return released::lost;
        if (!on.restore_mark()) {
            on.lose_session();
            return released::lost;
        }
        answer = as_text();
        if (answer.ok()) return answer.is_true(0) ? released::yes : released::lost;
    }
    if (PQtransactionStatus(on.handle()) == PQTRANS_INERROR) return released::pending;  // say, statement_timeout ended it
    on.sever("the server did not say whether it had released a lock: the session was ended, and with it every lock on it");
    return released::lost;
}

std::optional<bool> holds(connection& on, const postgresql::key& key, mode m) noexcept {
    const result answer = find_ghost(on, key, m, false);
    if (!answer.ok() || answer.is_null(0)) return std::nullopt;
    return answer.is_true(0);
}

result holders(connection& on, const postgresql::key& key) {
    if (PQtransactionStatus(on.handle()) != PQTRANS_INTRANS) return with_key(on, sql::who_holds.at(mode::exclusive, key.space), key, "a question");
    return between_savepoints(on, with(sql::who_holds.at(mode::exclusive, key.space), "$1", literal_of{key.bits}.c_str()), "a question");
}

result between_savepoints(connection& on, const std::string& sql, const char* awaited) {
    const connection::own_statements quiet{on};
    auto answer = execute(on, (sql::savepoint + sql + sql::keep_all).c_str(), awaited);
    if (PQtransactionStatus(on.handle()) == PQTRANS_INERROR) (void)recover_transaction(on);
    return answer;
}

}  // namespace dlock::postgresql::statement
