// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/soci/connection_text.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <optional>
#include <utility>

#include <arpa/inet.h>

namespace dlock::soci_support {
namespace {

bool is_blank(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/// What libpq takes for an option: "password", "ssl_min_protocol_version". Nothing else is quoted in an error.
std::string behind(std::string_view name) { return "behind '" + std::string{name} + "='"; }

std::optional<unsigned> number(std::string_view text) noexcept {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// name=value name='value' name="value", with blanks between them and perhaps around the equals sign.
class list_parser {
public:
    list_parser(std::string_view text, const connection_grammar& grammar) : rest_{text}, grammar_{grammar} {}

    connection_options parse() {
        connection_options found;
        for (skip_blanks(); !rest_.empty(); skip_blanks()) {
            const auto name = take_name();
            where_ = behind(name);
            skip_blanks();
            found.set(name, rest_.starts_with('\'')  ? take_quoted()
                            : rest_.starts_with('"') ? take_double_quoted()
                                                     : take_plain());
        }
        return found;
    }

private:
    void skip_blanks() noexcept {
        while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
    }

    std::string_view take_name() {
        const auto equals = std::find_if(rest_.begin(), rest_.end(), [](char c) { return c == '=' || is_blank(c); });
        const auto name = rest_.substr(0, static_cast<std::size_t>(equals - rest_.begin()));
        rest_.remove_prefix(name.size());
        skip_blanks();
        if (!rest_.starts_with('=')) throw malformed(where_, "something has no '=': a value with blanks needs quotes, 'like this'");
        rest_.remove_prefix(1);
        if (!grammar_.is_option(name)) throw malformed(where_, "there is an option that does not exist");
        return name;
    }

    std::string take_quoted() {
        std::string value;
        for (rest_.remove_prefix(1); !rest_.starts_with('\''); value += take_escaped()) {
            if (rest_.empty()) throw malformed(where_, "a quote is not closed");
        }
        rest_.remove_prefix(1);
        return value;
    }

    /// SOCI's, which knows no escapes.
    std::string take_double_quoted() {
        const auto end = rest_.find('"', 1);
        if (end == rest_.npos) throw malformed(where_, "a quote is not closed");
        const auto inside = rest_.substr(1, end - 1);
        rest_.remove_prefix(end + 1);
        // SOCI 4.0 hands on what is inside as it stands, so that one had to write both.
        if (inside.size() >= 2 && inside.front() == '\'' && inside.back() == '\'') return list_parser{inside, grammar_}.take_quoted();
        return std::string{inside};
    }

    std::string take_plain() {
        std::string value;
        while (!rest_.empty() && !is_blank(rest_.front())) value += take_escaped();
        return value;
    }

    char take_escaped() {
        if (rest_.front() == '\\') rest_.remove_prefix(1);
        if (rest_.empty()) throw malformed(where_, "nothing comes after a backslash");
        const char c = rest_.front();
        rest_.remove_prefix(1);
        return c;
    }

    std::string_view rest_;
    const connection_grammar& grammar_;
    std::string where_ = "at its beginning";
};

/// user:password@host:port,host:port/path?option=value&option=value
class uri_parser {
public:
    uri_parser(std::string_view text, const connection_grammar& grammar) : rest_{text}, grammar_{grammar} {}

    connection_options parse() {
        take_user();
        take_hosts();
        if (rest_.starts_with('/')) {
            rest_.remove_prefix(1);
            const auto path = take_until("?");
            if (path.find('@') != path.npos) throw malformed("behind its host", at_sign);
            set(grammar_.path, decoded(path, "behind its host"));
        }
        if (rest_.starts_with('?')) take_options();
        return std::move(found_);
    }

private:
    static constexpr std::string_view at_sign =
        "there is an '@': in a user or a password, write '@' as %40, ':' as %3A, '/' as %2F and '%' as %25";

    std::string_view take_until(std::string_view ends) noexcept {
        const auto taken = rest_.substr(0, rest_.find_first_of(ends));
        rest_.remove_prefix(taken.size());
        return taken;
    }

    void set(std::string_view name, std::string value) {
        if (!value.empty()) found_.set(name, std::move(value));
    }

    void take_user() {
        const auto end = rest_.find_first_of("@/");
        if (end == rest_.npos || rest_[end] != '@') return;
        const auto user = take_until(":@");
        set("user", decoded(user, "in its user"));
        if (rest_.starts_with(':')) {
            rest_.remove_prefix(1);
            set("password", decoded(take_until("@"), "in its password"));
        }
        rest_.remove_prefix(1);
    }

    void take_hosts() {
        std::string hosts, ports;
        for (int count = 0;; ++count) {
            if (count == 1 && !grammar_.several_hosts) throw malformed("behind its host", "there is another host: this server takes one");
            const auto host = take_host();
            const auto port = take_port();
            if (count > 0) {
                hosts += ',';
                ports += ',';
            }
            hosts += host;
            ports += port;
            if (!rest_.starts_with(',')) break;
            rest_.remove_prefix(1);
        }
        set("host", std::move(hosts));
        set("port", std::move(ports));
    }

    std::string take_host() {
        std::string_view host;
        if (rest_.starts_with('[')) {
            rest_.remove_prefix(1);
            host = take_until("]");
            if (host.empty() || rest_.empty()) throw malformed("in its host", "a '[' is not closed, or has nothing behind it");
            rest_.remove_prefix(1);
            if (!rest_.empty() && std::string_view{":/?,"}.find(rest_.front()) == rest_.npos) {
                throw malformed("in its host", "something stands behind a ']'");
            }
        } else {
            host = take_until(":/?,");
        }
        if (host.find('@') != host.npos) throw malformed("in its host", at_sign);
        auto name = decoded(host, "in its host");
        if (std::ranges::any_of(name, is_blank)) throw malformed("in its host", "there is a blank");
        return name;
    }

    std::string take_port() {
        if (!rest_.starts_with(':')) return {};
        rest_.remove_prefix(1);
        const auto port = take_until("/?,");
        if (port.find('@') != port.npos) throw malformed("in its port", at_sign);
        const auto value = number(port);
        constexpr unsigned most = 65'535;
        if (!port.empty() && (!value || *value == 0 || *value > most)) throw malformed("in its port", "there is no number from 1 to 65535");
        return std::string{port};
    }

    void take_options() {
        std::string where = "behind its '?'";
        do {
            rest_.remove_prefix(1);
            const auto option = take_until("&");
            const auto equals = option.find('=');
            if (equals == option.npos) throw malformed(where, "an option has no '='");
            auto name = decoded(option.substr(0, equals), where);
            auto value = option.substr(equals + 1);
            if (value.find('=') != value.npos) throw malformed(where, "an option has two '=': write the second as %3D, and '&' as %26");
            if (name == "ssl" && value == "true" && grammar_.is_option("sslmode")) {  // JDBC's, which libpq takes too
                name = "sslmode";
                value = "require";
            }
            if (!grammar_.is_option(name)) throw malformed(where, "there is an option that does not exist");
            where = behind(name);
            found_.set(name, decoded(value, where));
        } while (rest_.starts_with('&'));
    }

    static std::string decoded(std::string_view text, std::string_view where) {
        std::string plain;
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (text[i] != '%') {
                plain += text[i];
                continue;
            }
            unsigned code = 0;
            const auto digits = text.substr(i + 1, 2);
            const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
            if (digits.size() != 2 || error != std::errc{} || end != digits.data() + 2) {
                throw malformed(where, "a '%' is not followed by two hexadecimal digits: the character itself is written %25");
            }
            if (code == 0) throw malformed(where, "there is a %00");
            plain += static_cast<char>(code);
            i += 2;
        }
        return plain;
    }

    std::string_view rest_;
    const connection_grammar& grammar_;
    connection_options found_;
};

/// "dbname=app …": no URI has an '=' in front of everything else, but for one that nobody means.
bool is_list(std::string_view text) noexcept {
    const auto equals = text.find_first_of("=:/@?[,%");
    return equals != text.npos && text[equals] == '=';
}

/// Of whatever kind of server: letters, and "://".
bool has_scheme(std::string_view text) noexcept {
    const auto colon = text.find("://");
    return colon != text.npos && colon != 0 && std::ranges::all_of(text.substr(0, colon), [](char c) {
               return is_letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
           });
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
    for (auto at = text.find(what); at != text.npos; at = text.find(what, at + by.size())) text.replace(at, what.size(), by);
}

}  // namespace

void connection_options::set(std::string_view name, std::string value) {
    for (auto& known : options_) {
        if (known.name != name) continue;
        known.value = std::move(value);
        return;
    }
    options_.push_back({std::string{name}, std::move(value)});
}

const std::string* connection_options::find(std::string_view name) const noexcept {
    const auto at = std::ranges::find(options_, name, &option::name);
    return at != options_.end() ? &at->value : nullptr;
}

std::string connection_options::quoted() const {
    std::string text;
    for (const auto& [name, value] : options_) {
        if (!text.empty()) text += ' ';
        text.append(name).append("='");
        for (const char c : value) {
            if (c == '\'' || c == '\\') text += '\\';
            text += c;
        }
        text += '\'';
    }
    return text;
}

connection_options parse_connection(std::string_view text, const connection_grammar& grammar) {
    if (text.find('\0') != text.npos) throw malformed("somewhere", "there is a NUL");
    for (const auto scheme : grammar.schemes) {
        if (!text.starts_with(scheme) || !text.substr(scheme.size()).starts_with("://")) continue;
        const auto rest = text.substr(scheme.size() + 3);
        const bool is_empty = std::ranges::all_of(rest, is_blank);
        return is_empty || is_list(rest) ? list_parser{rest, grammar}.parse() : uri_parser{rest, grammar}.parse();
    }
    const std::string beginning{grammar.schemes.front()};
    if (has_scheme(text)) throw malformed("at its beginning", "there is the name of another kind of server than " + beginning + "://");
    return list_parser{text, grammar}.parse();
}

lock_error malformed(std::string_view where, std::string_view what) {
    return {errc::not_connected, "dlock: cannot connect: the connection string is malformed: " + std::string{where} + ", " + std::string{what},
            {}, true};
}

void check_number(const connection_options& options, std::string_view name, unsigned least, unsigned most) {
    const auto* const text = options.find(name);
    if (text == nullptr || text->empty()) return;
    if (const auto value = number(*text); value && *value >= least && *value <= most) return;
    throw malformed(behind(name), "there is no number from " + std::to_string(least) + " to " + std::to_string(most));
}

bool is_address(std::string_view text) {
    if (text == "localhost" || text.starts_with('/')) return true;
    const std::string name{text};
    std::array<unsigned char, sizeof(in6_addr)> unused{};
    return ::inet_pton(AF_INET, name.c_str(), unused.data()) == 1 || ::inet_pton(AF_INET6, name.c_str(), unused.data()) == 1;
}

std::string without_values(std::string text, const connection_options& options) {
    constexpr std::size_t telling = 3;  // a shorter value would tear words apart, and is in quotes where it is told
    for (const auto& [name, value] : options.all()) {
        if (name == "port") continue;
        for (std::size_t begin = 0; begin <= value.size();) {  // of several hosts each
            const auto end = name == "host" ? std::min(value.find(',', begin), value.size()) : value.size();
            const auto part = std::string_view{value}.substr(begin, end - begin);
            if (part.size() >= telling && !is_address(part)) replace_all(text, part, "...");
            begin = end + 1;
        }
    }
    std::string shown;
    for (std::string_view rest{text}; !rest.empty();) {
        const auto opens = rest.find('"');
        shown.append(rest.substr(0, opens));
        if (opens == rest.npos) break;
        const auto closes = rest.find('"', opens + 1);
        const auto inside = rest.substr(opens + 1, closes == rest.npos ? closes : closes - opens - 1);
        shown.append("\"").append(closes != rest.npos && is_address(inside) ? inside : "...").append("\"");
        rest.remove_prefix(closes == rest.npos ? rest.size() : closes + 1);
    }
    return shown;
}

}  // namespace dlock::soci_support
