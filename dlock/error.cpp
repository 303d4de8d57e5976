// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/error.hpp>

namespace dlock {
namespace {

/// Servers and drivers say several lines (PostgreSQL: DETAIL, HINT, LINE with a caret below), end them with a newline, and quote
/// what a stranger sent them. A log has one line for an error, and a terminal obeys control characters.
std::string one_line(const std::string& text) {
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    std::string line;
    line.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const auto gap = at;
        bool folds = false;  // blanks stay as they are
        for (; at < text.size() && (text[at] == ' ' || is_control(text[at])); ++at) folds = folds || text[at] != ' ';
        if (!folds) line.append(text, gap, at - gap);
        else if (!line.empty() && at < text.size()) line += ' ';
        for (; at < text.size() && text[at] != ' ' && !is_control(text[at]); ++at) line += text[at];
    }
    return line;
}

struct category final : std::error_category {
    const char* name() const noexcept override { return "dlock"; }

    std::string message(int value) const override {
        switch (static_cast<errc>(value)) {
            case errc::timed_out: return "timed out";
            case errc::cancelled: return "cancelled";
            case errc::deadlock: return "deadlock";
            case errc::lost: return "session lost";
            case errc::not_connected: return "not connected";
            case errc::not_owner: return "not the owner";
            case errc::already_owned: return "already owned";
            case errc::bad_key: return "bad key";
            case errc::unsupported: return "unsupported";
            case errc::exhausted: return "lock table exhausted";
            case errc::server_error: return "server error";
        }
        return "unknown";
    }

    std::error_condition default_error_condition(int value) const noexcept override {
        switch (static_cast<errc>(value)) {
            case errc::timed_out: return std::errc::timed_out;
            case errc::cancelled: return std::errc::operation_canceled;
            case errc::deadlock: return std::errc::resource_deadlock_would_occur;
            case errc::lost: return std::errc::connection_aborted;
            case errc::not_connected: return std::errc::not_connected;
            case errc::not_owner: return std::errc::operation_not_permitted;
            case errc::already_owned: return std::errc::resource_deadlock_would_occur;
            case errc::bad_key: return std::errc::invalid_argument;
            case errc::unsupported: return std::errc::not_supported;
            case errc::exhausted: return std::errc::no_lock_available;
            case errc::server_error: return std::errc::io_error;
        }
        return {value, *this};
    }
};

}  // namespace

const std::error_category& lock_category() noexcept {
    static const category instance;
    return instance;
}

lock_error::lock_error(errc reason, const std::string& what, std::string_view native, bool permanent)
    : std::system_error{make_error_code(reason), one_line(what)}, native_{native}, permanent_{permanent} {}

}  // namespace dlock
