// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Where locks are measured: servers that are started when they are first asked for, or those of the command line.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bench/command_line.hpp"
#include "bench/rivals.hpp"

namespace dlock::bench {

class places {
public:
    explicit places(const command_line& line);
    ~places();
    places(const places&) = delete;
    places& operator=(const places&) = delete;

    /// PostgreSQL and MariaDB, or whatever of these the command line has.
    [[nodiscard]] std::vector<const server_rivals*> servers() const;
    [[nodiscard]] std::vector<const server_rivals*> postgresql_servers() const;

    /// Folders.
    [[nodiscard]] std::vector<std::string> sqlite() const;

    /// They are ours: their sessions may be killed.
    [[nodiscard]] bool are_throw_away() const noexcept;

    [[nodiscard]] const command_line& line() const noexcept { return line_; }

private:
    struct started;

    const server_rivals* postgresql_at(const std::string& url) const;
    const server_rivals* mysql_at(const std::string& url) const;

    command_line line_;
    std::unique_ptr<started> started_;
};

}  // namespace dlock::bench
