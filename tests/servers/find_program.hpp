// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Where the programs of a server are installed. A server that is not installed is a failure that names the package,
// never a skipped test: build tools count a skipped test as one that passed.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace dlock::testing {

/// Looks in $PATH, in the folders of system programs, and in those that hold one folder per version: of these the
/// newest wins (/usr/lib/postgresql/*/bin). Throws std::runtime_error: "… not found: apt-get install …".
[[nodiscard]] std::filesystem::path find_program(std::string_view name, std::string_view package);

}  // namespace dlock::testing
