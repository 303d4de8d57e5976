// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Any words as a command line with connection strings: either a sentence, or strings that were given and have a known kind.
#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/command_line.hpp"
#include "tests/fuzz/expect.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using dlock::fuzz::expect;
    std::istringstream input{std::string{reinterpret_cast<const char*>(data), size}};
    std::vector<std::string> words{"bench"};
    for (std::string word; std::getline(input, word, ' ');) words.push_back(word.c_str());
    std::vector<char*> arguments;
    for (auto& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    try {
        const auto found = dlock::bench::parse(static_cast<int>(words.size()), arguments.data());
        for (const auto& url : found.on) {
            bool given = false;
            for (const auto& word : words) given = given || word == url || word == "--on=" + url;
            expect(given && url.find("://") != url.npos, "a connection string that nobody gave");
        }
    } catch (const std::invalid_argument& e) {
        expect(*e.what() != '\0', "a refusal without a sentence");
    }
    return 0;
}
