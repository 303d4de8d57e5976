// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Something between a client and a server, on a socket of its own, that can do what poolers, load balancers and networks
// do, and what a server does too seldom for a test. It reads the packets of the server, so it needs no TLS and no compression.
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html
#pragma once

#include <atomic>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/servers/mysql_family.hpp"
#include "tests/servers/temporary_directory.hpp"

namespace dlock::testing {

class middleman {
public:
    explicit middleman(const mysql_family& server);
    ~middleman();
    middleman(const middleman&) = delete;
    middleman& operator=(const middleman&) = delete;

    [[nodiscard]] std::string url() const {
        return "mysql://unix_socket=" + socket_.string() + " user=root dbname=test";
    }

    /// As a pooler: greets the next clients with ids of its own.
    void greet_with_own_ids() { id_offset_ = 1'000'000; }
    /// As a pooler that happens to use the id the server uses, until the server connection behind it is another one.
    void answer_with_other_ids() { other_ids_ = true; }

    /// The server says "1", and the client reads NULL: so many times from now on.
    void turn_grants_into_null(int times) { nulls_ = times; }
    /// The server says anything in a row, and the client reads error 1317.
    void turn_rows_into_interruptions(int times) { interruptions_ = times; }
    /// The same, but the client has read the row by then.
    void interrupt_behind_rows(int times) { late_interruptions_ = times; }

    /// The server says anything in a row, and the client reads that there are none.
    void swallow_rows(int times) { swallowed_ = times; }

    /// What the server says to the first client stays here until further notice.
    void hold_back(bool yes) { holding_ = yes; }

    /// Whoever connects from now on is turned away.
    void turn_away() { open_ = false; }

private:
    struct relay;
    void serve();

    temporary_directory directory_;
    std::filesystem::path socket_;
    std::filesystem::path server_;
    int listener_ = -1;
    std::atomic<bool> open_ = true, ending_ = false, other_ids_ = false, holding_ = false;
    std::atomic<unsigned> id_offset_ = 0;
    std::atomic<int> nulls_ = 0, interruptions_ = 0, late_interruptions_ = 0, swallowed_ = 0;
    std::thread thread_;
};

}  // namespace dlock::testing
