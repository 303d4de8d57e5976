// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The options that are ours; those of Google Benchmark are left to it.
#pragma once

#include <string>
#include <vector>

namespace dlock::bench {

struct command_line {
    std::vector<std::string> on;       ///< URLs; empty: throw-away servers
    std::vector<char*> for_benchmark;  ///< with our defaults in front; begins with the program's name
    bool help = false;
};

/// \throws std::invalid_argument  with one sentence that says what is wrong
[[nodiscard]] command_line parse(int argc, char** argv);

extern const char* const help;

}  // namespace dlock::bench
