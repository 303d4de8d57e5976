// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Where the programs of a server are installed. A server that is not installed is a failure that names the package,
// never a skipped test: build tools count a skipped test as one that passed.
//
// Which server: the machine's own, or one that ./setup --matrix has unpacked. A target of the matrix names these in
// $DLOCK_TEST_SERVERS, "postgresql-18 pgbouncer-1.24"; tests/servers/matrix/servers.bzl lists all.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace dlock::testing {

/// Looks in $PATH, in the folders of system programs, and in those that hold one folder per version: of these the
/// newest wins (/usr/lib/postgresql/*/bin). Throws std::runtime_error: "… not found: apt-get install …".
[[nodiscard]] std::filesystem::path find_program(std::string_view name, std::string_view package);

/// The folder of the server of this kind ("postgresql") that this test is to run on; nothing: the machine's own.
[[nodiscard]] std::optional<std::filesystem::path> matrix_server(std::string_view kind);

/// A program of the matrix_server of this kind, or else find_program(name, package).
[[nodiscard]] std::filesystem::path find_server_program(std::string_view kind, std::string_view name,
                                                        std::string_view package);

}  // namespace dlock::testing
