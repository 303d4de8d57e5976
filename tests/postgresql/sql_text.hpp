// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What an SQL text names, and whether a search_path has a say in what that is.
//
// It knows as much of SQL as dlock writes. What it does not know it reports, so that a new statement cannot slip through.
#pragma once

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace dlock::testing {

struct sql_text {
    std::set<std::string> functions, operators, types, relations;
    std::vector<std::string> unqualified;  ///< each with what is wrong

    explicit sql_text(std::string_view text) {
        cut(text);
        for (at_ = 0; at_ < tokens_.size(); ++at_) look();
    }

private:
    enum class kind { word, quoted, number, operation, mark, end };
    struct token {
        kind what = kind::end;
        std::string text;
    };

    void cut(std::string_view text) {
        constexpr std::string_view operation = "+-*/<>=~!@#%^&|`?";
        const auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$'; };
        while (!text.empty()) {
            std::size_t size = 1;
            auto what = kind::mark;
            if (text[0] == ' ') {
                text.remove_prefix(1);
                continue;
            }
            if (text[0] == '\'' || text[0] == '"') {
                what = text[0] == '"' ? kind::word : kind::quoted;
                size = std::min(text.find(text[0], 1), text.size() - 1) + 1;
            } else if (is_word(text[0])) {
                while (size < text.size() && is_word(text[size])) ++size;
                what = std::isalpha(static_cast<unsigned char>(text[0])) != 0 || text[0] == '_' ? kind::word : kind::number;
            } else if (text.starts_with("::")) {
                size = 2;
            } else if (operation.find(text[0]) != operation.npos) {
                while (size < text.size() && operation.find(text[size]) != operation.npos) ++size;
                what = kind::operation;
            }
            tokens_.push_back({what, std::string{text.substr(0, size)}});
            text.remove_prefix(size);
        }
    }

    [[nodiscard]] const token& peek(int ahead) const {
        static const token none;
        const auto index = static_cast<std::size_t>(static_cast<long>(at_) + ahead);
        return index < tokens_.size() ? tokens_[index] : none;
    }
    [[nodiscard]] bool is(int ahead, std::string_view text) const { return peek(ahead).text == text; }
    /// The name at `ahead` follows "pg_catalog.".
    [[nodiscard]] bool qualified(int ahead) const { return is(ahead - 1, ".") && is(ahead - 2, "pg_catalog"); }

    void complain(const char* what) {
        std::string place;
        for (int i = -3; i <= 3; ++i) place += (i == 0 ? "  >" + peek(i).text + "<  " : peek(i).text + " ");
        unqualified.push_back(what + (": " + place));
    }

    void look() {
        const auto& here = peek(0);
        if (here.what == kind::operation) look_at_operator();
        if (is(0, "::")) look_at_type();
        if (here.what == kind::word) look_at_word();
    }

    void look_at_operator() {
        const bool star = is(0, "*") && (is(-1, "(") || is(-1, "SELECT"));  // count(*)
        const bool sign = is(0, "-") && (is(-1, "(") || is(-1, ",")) && peek(1).what == kind::number;
        if (star || sign) return;
        operators.insert(peek(0).text);
        if (!qualified(0) || !is(-3, "(") || !is(-4, "OPERATOR")) complain("operator");
    }

    void look_at_type() {
        const bool full = is(2, ".");
        types.insert(peek(full ? 3 : 1).text);
        if (!full || !is(1, "pg_catalog")) complain("type");
    }

    void look_at_word() {
        /// Words of the grammar that may stand before a parenthesis, and that look nothing up by name.
        static const std::set<std::string_view> harmless{"OPERATOR", "WHEN",    "THEN", "ELSE",  "AND",   "OR",    "NOT",    "FILTER", "FROM",
                                                         "SELECT",   "coalesce", "greatest", "least", "extract", "VALUES", "ANY", "WHERE", "AS", "ON", "BY"};
        /// Those that look an operator up in the search_path.
        static const std::set<std::string_view> harmful{"IN", "LIKE", "ILIKE", "BETWEEN", "SIMILAR", "nullif", "NULLIF", "OVERLAPS", "USING", "NATURAL", "CAST"};
        const std::string& word = peek(0).text;
        if (harmful.contains(word)) {
            operators.insert(word == "LIKE" ? "~~" : "=");
            complain("an operator behind a word");
        } else if (word == "CASE" && !is(1, "WHEN")) {
            operators.insert("=");
            complain("CASE with a value compares by name");
        } else if (word == "DISTINCT" && is(-1, "IS")) {
            complain("IS DISTINCT FROM compares by name");
        } else if ((word == "FROM" || word == "JOIN") && peek(1).what == kind::word && !is(3, "(") && !is(4, "(") && !is(2, "(") &&
                   !is(-2, "extract")) {
            relations.insert(is(2, ".") ? peek(3).text : peek(1).text);
            if (!is(2, ".")) complain("relation");
        } else if (word == "SEQUENCE") {
            if (!is(2, ".")) complain("sequence");
        } else if (is(1, "(") && !harmless.contains(word) && !is(-1, "AS")) {
            functions.insert(word);
            if (!qualified(0)) complain("function");
        } else if (peek(1).what == kind::quoted && std::none_of(word.begin(), word.end(), [](char c) { return std::isupper(static_cast<unsigned char>(c)) != 0; })) {
            complain("type before a literal");
        }
    }

    std::vector<token> tokens_;
    std::size_t at_ = 0;
};

}  // namespace dlock::testing
