// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Any answer of a server as an error: always one of the closed list, whose text and code can be told and compared.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <system_error>

#include <dlock/error.hpp>
#include <dlock/mysql/error.hpp>
#include <dlock/postgresql/error.hpp>

#include "tests/fuzz/expect.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace dlock;
    using fuzz::expect;
    const std::string_view text{reinterpret_cast<const char*>(data), size};

    expect(postgresql::reason_of(text, nullptr) == errc::lost, "without a connection everything is lost");

    unsigned native = 0;
    std::memcpy(&native, data, size < sizeof native ? size : sizeof native);
    const errc reason = mysql::reason_of(native);
    const lock_error error{reason, std::string{text}, text};
    expect(error.reason() == reason && error.native() == text, "the error forgets what it was");
    const std::error_code code{error.code()};
    expect(code == make_error_code(reason) && !code.message().empty(), "an error without a message");
    const std::string_view what = error.what();
    const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    expect(std::ranges::none_of(what, is_control), "more than one line");
    expect(std::ranges::any_of(text, is_control) || what.starts_with(text), "the error says something else");
    return 0;
}
