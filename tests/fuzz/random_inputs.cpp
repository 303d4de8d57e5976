// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Where no fuzzer is linked in (bazel test --config=fuzz does), inputs by chance: snippets that matter, glued together and
// damaged. The seed is printed, and can be given again as the second argument.
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int count, char** arguments) {
    using namespace std::string_view_literals;
    static constexpr std::string_view snippets[]{
        "a"sv, "user/001"sv, "'"sv, "\\"sv, "\""sv, "\0"sv, " "sv, "%"sv, "é"sv, "日本"sv, "🔒"sv, "\xC0\xAF"sv, "\xED\xA0\x80"sv, "\xF4\x90\x80\x80"sv,
        "\xFF"sv, "ABC"sv, "--on"sv, "--on="sv, "postgresql://"sv, "mysql://host=db"sv, "sqlite3:///x"sv, "--help"sv, "40P01"sv, "'); SELECT 1 -- "sv,
        "0123456789012345678901234567890123456789"sv, "\r\n"sv, "\xE2\x80\xAE"sv};
    const long inputs = count > 1 ? std::atol(arguments[1]) : 100'000;
    const unsigned seed = count > 2 ? static_cast<unsigned>(std::atol(arguments[2])) : std::random_device{}();
    std::cout << inputs << " inputs, seed " << seed << std::endl;
    std::mt19937 engine{seed};
    const auto below = [&](std::size_t limit) { return std::uniform_int_distribution<std::size_t>{0, limit - 1}(engine); };
    std::string input;
    for (long i = 0; i < inputs; ++i) {
        input.clear();
        for (auto parts = below(8); parts > 0; --parts) input += snippets[below(std::size(snippets))];
        if (!input.empty() && below(2) == 0) input[below(input.size())] = static_cast<char>(below(256));
        if (!input.empty() && below(4) == 0) input.resize(below(input.size()));
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
    }
}
