// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/servers/find_program.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

namespace dlock::testing {
namespace {

namespace fs = std::filesystem;

/// /usr/lib/postgresql/17/bin, /usr/lib/postgresql/15/bin: newest first.
std::vector<fs::path> postgresql_versions() {
    std::vector<std::pair<int, fs::path>> found;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator{"/usr/lib/postgresql", none})
        found.emplace_back(std::atoi(entry.path().filename().c_str()), entry.path() / "bin");
    std::ranges::sort(found, std::greater{});

    std::vector<fs::path> folders;
    for (auto& [version, folder] : found) folders.push_back(std::move(folder));
    return folders;
}

std::vector<fs::path> folders() {
    auto all = postgresql_versions();
    if (const char* path = std::getenv("PATH"); path != nullptr) {
        std::istringstream in{path};
        for (std::string folder; std::getline(in, folder, ':');) all.emplace_back(folder);
    }
    all.insert(all.end(), {"/usr/local/sbin", "/usr/sbin", "/usr/local/bin", "/usr/bin"});
    return all;
}

}  // namespace

fs::path find_program(std::string_view name, std::string_view package) {
    for (const auto& folder : folders())
        if (auto file = folder / name; ::access(file.c_str(), X_OK) == 0) return file;
    throw std::runtime_error{std::string{name} + " not found: apt-get install " + std::string{package} +
                             " (or run ./setup)"};
}

std::optional<fs::path> matrix_server(std::string_view kind) {
    const char* const chosen = std::getenv("DLOCK_TEST_SERVERS");
    if (chosen == nullptr) return std::nullopt;
    const char* const folder = std::getenv("DLOCK_SERVER_FOLDER");
    std::istringstream in{chosen};
    for (std::string server; in >> server;)
        if (std::string_view{server}.substr(0, server.rfind('-')) == kind)
            return fs::path{folder != nullptr ? folder : "/usr/local/lib/dlock-servers"} / server;
    return std::nullopt;
}

fs::path find_server_program(std::string_view kind, std::string_view name, std::string_view package) {
    const auto server = matrix_server(kind);
    if (!server) return find_program(name, package);
    for (const char* const folder : {"bin", "usr/sbin", "usr/bin"})
        if (auto file = *server / folder / name; ::access(file.c_str(), X_OK) == 0) return file;
    throw std::runtime_error{std::string{name} + " not found in " + server->string() + ": ./setup --matrix"};
}

}  // namespace dlock::testing
