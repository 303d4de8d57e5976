// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Connection strings, read before any driver sees them.
//
// A driver that cannot parse a string quotes it in its error, password and all. What dlock opens itself is therefore parsed here
// first, and handed on in a form that the driver takes. An error names the option behind which something is wrong, and no value:
// a value that stands in the wrong place may be a password.
//
//     postgresql://user:password@host:5432/database?sslmode=require    a URI, as libpq takes it; several hosts where the driver can
//     postgresql://dbname=app host=db1 user=app                        SOCI's form
//     dbname=app host=db1 user=app                                     the same without its beginning
//
// https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING
// For .cpp files.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <dlock/error.hpp>

namespace dlock::soci_support {

/// What the strings of one kind of server look like.
struct connection_grammar {
    std::span<const std::string_view> schemes;       ///< in front of "://"; an error names the first
    std::string_view path;                           ///< the option that is the path of a URI
    bool several_hosts;                              ///< in a URI, with commas between them
    std::function<bool(std::string_view)> is_option;  ///< exists
};

/// In the order in which they were named, each once: the last one counts.
class connection_options {
public:
    struct option {
        std::string name;
        std::string value;
    };

    void set(std::string_view name, std::string value);
    [[nodiscard]] const std::string* find(std::string_view name) const noexcept;
    [[nodiscard]] const std::vector<option>& all() const noexcept { return options_; }

    /// name='value', as SOCI's MySQL takes it: a quote or a backslash in a value has a backslash in front.
    [[nodiscard]] std::string quoted() const;

private:
    std::vector<option> options_;
};

/// \throws lock_error  not_connected, permanent
[[nodiscard]] connection_options parse_connection(std::string_view text, const connection_grammar& grammar);

/// \param where  "behind 'port='"
[[nodiscard]] lock_error malformed(std::string_view where, std::string_view what);

/// \throws lock_error  as parse_connection(), unless the option is absent, empty or a number from `least` to `most`
void check_number(const connection_options& options, std::string_view name, unsigned least, unsigned most);

/// Whether an error may show it: an IP address, "localhost", or an absolute path. A name might be a password in the wrong place.
[[nodiscard]] bool is_address(std::string_view text);

/// What a driver said of a failure to connect, without any value of `options` and anything else in quotes, but for addresses.
[[nodiscard]] std::string without_values(std::string text, const connection_options& options);

}  // namespace dlock::soci_support
