// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "examples/nightly/options.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <stdexcept>
#include <string_view>

namespace nightly {
namespace {

std::string today() {
    const std::time_t now = std::time(nullptr);
    std::array<char, 16> text{};
    std::strftime(text.data(), text.size(), "%Y%m%d", std::localtime(&now));
    return text.data();
}

std::chrono::nanoseconds duration(std::string_view text) {
    long count = 0;
    const auto [unit, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    const std::string_view rest{unit, text.data() + text.size()};
    constexpr long longest = 365L * 24 * 60 * 60;
    if (error == std::errc{} && count >= 0 && count <= longest) {
        if (rest == "ms") return std::chrono::milliseconds{count};
        if (rest == "s") return std::chrono::seconds{count};
        if (rest == "min") return std::chrono::minutes{std::min(count, longest / 60)};
    }
    throw std::invalid_argument{"--wait takes a number and a unit, like 500ms, 5s or 2min, not '" + std::string{text} +
                                "'"};
}

std::string url(std::string_view text) {
    for (const std::string_view known : {"postgresql://", "postgres://", "mysql://", "mariadb://", "sqlite3://"}) {
        if (text.starts_with(known) && text.size() > known.size()) return std::string{text};
    }
    throw std::invalid_argument{"--on takes postgresql://..., mysql://... or sqlite3://..."};  // what it got may be a password
}

std::string date(std::string_view text) {
    if (text.size() != 8 || text.find_first_not_of("0123456789") != text.npos) {
        throw std::invalid_argument{"--night takes a date like 20240501, not '" + std::string{text} + "'"};
    }
    return std::string{text};
}

}  // namespace

options parse(int argc, char** argv) {
    options wanted;
    wanted.night = today();
    for (int i = 1; i < argc; ++i) {
        std::string_view name = argv[i];
        if (name == "--help" || name == "-h") {
            wanted.help = true;
            return wanted;
        }
        std::string_view value;
        if (const auto equals = name.find('='); name.starts_with("--") && equals != name.npos) {
            value = name.substr(equals + 1);
            name = name.substr(0, equals);
        } else if (i + 1 < argc) {
            value = argv[++i];
        }
        constexpr std::array known{"--folder", "--wait", "--night", "--on"};
        if (std::find(known.begin(), known.end(), name) == known.end()) {
            const bool is_name = name.starts_with("--") && name.find_first_of(":@ ") == name.npos;  // and no URL at the wrong place
            throw std::invalid_argument{"there is no option" + (is_name ? " '" + std::string{name} + "'" : " like that") + "; --help shows those there are"};
        }
        if (value.empty()) throw std::invalid_argument{std::string{name} + " needs a value; --help shows which"};
        if (name == "--folder") wanted.folder = std::filesystem::absolute(value);
        if (name == "--wait") wanted.wait = duration(value);
        if (name == "--night") wanted.night = date(value);
        if (name == "--on") wanted.on = url(value);
    }
    return wanted;
}

}  // namespace nightly
