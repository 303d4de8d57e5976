// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "bench/places.hpp"

#include <filesystem>
#include <map>
#include <optional>

#include "tests/servers/mariadb_server.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/servers/temporary_directory.hpp"

namespace dlock::bench {

struct places::started {
    std::optional<testing::postgresql_server> postgresql;
    std::optional<testing::mariadb_server> mariadb;
    std::optional<testing::temporary_directory> folder;
    std::map<std::string, std::unique_ptr<server_rivals>> rivals;  ///< by URL
};

places::places(const command_line& line) : line_{line}, started_{std::make_unique<started>()} {}
places::~places() = default;

bool places::are_throw_away() const noexcept { return line_.on.empty(); }

const server_rivals* places::postgresql_at(const std::string& url) const {
    auto& known = started_->rivals[url];
    if (!known) known = postgresql_rivals(url);
    return known.get();
}

const server_rivals* places::mysql_at(const std::string& url) const {
    auto& known = started_->rivals[url];
    if (!known) known = mysql_rivals(url);
    return known.get();
}

std::vector<const server_rivals*> places::postgresql_servers() const {
    if (are_throw_away()) {
        auto& server = started_->postgresql;
        // Room for the 10,000 locks that a contender of //bench:keys holds.
        if (!server) server.emplace(testing::postgresql_server::options{.settings = {"max_locks_per_transaction=256"}, .tcp = true});
        return {postgresql_at(server->url())};
    }
    std::vector<const server_rivals*> found;
    for (const auto& url : line_.on) {
        if (url.starts_with("postgresql://")) found.push_back(postgresql_at(url));
    }
    return found;
}

std::vector<const server_rivals*> places::servers() const {
    auto found = postgresql_servers();
    if (are_throw_away()) {
        auto& server = started_->mariadb;
        if (!server) server.emplace(testing::mariadb_server::options{.tcp = true});
        found.push_back(mysql_at(server->url()));
    }
    for (const auto& url : line_.on) {
        if (url.starts_with("mysql://")) found.push_back(mysql_at(url));
    }
    return found;
}

std::vector<std::string> places::sqlite() const {
    if (are_throw_away()) {
        if (!started_->folder) started_->folder.emplace();
        return {started_->folder->path().string()};
    }
    std::vector<std::string> found;
    for (const auto& url : line_.on) {
        constexpr std::string_view scheme = "sqlite3://";
        if (!url.starts_with(scheme)) continue;
        found.push_back(url.substr(scheme.size()));
        std::filesystem::create_directories(found.back());
    }
    return found;
}

}  // namespace dlock::bench
