// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The options that are ours; those of Google Benchmark are left to it.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace dlock::bench {

/// Where a programme and the servers that it starts run. For figures of one thread they had better stay where they are: where
/// the scheduler puts client and server changes the time of a round trip threefold, and now and then it changes its mind.
enum class processors {
    one,  ///< all of them on the same
    two,  ///< the client on one, the servers on another
    all,
};

struct command_line {
    std::vector<std::string> on;       ///< URLs; empty: throw-away servers
    std::vector<char*> for_benchmark;  ///< with our defaults in front; begins with the program's name
    std::string results;               ///< the file for the report, or empty
    std::string sqlalchemy_dlock;      ///< the folder that Python finds it in, or empty
    std::string python = "python3";
    std::optional<processors> use;     ///< nothing: as the question says
    bool help = false;
};

/// \throws std::invalid_argument  with one sentence that says what is wrong
[[nodiscard]] command_line parse(int argc, char** argv);

extern const char* const help;

}  // namespace dlock::bench
