// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A piece of network between clients and a server, on a TCP port of its own: it forwards bytes until it is told to fail.
#pragma once

#include <atomic>
#include <string>
#include <thread>
#include <utility>

namespace dlock::testing {

class proxy {
public:
    /// In front of a port of 127.0.0.1.
    explicit proxy(int server);
    ~proxy();
    proxy(const proxy&) = delete;
    proxy& operator=(const proxy&) = delete;

    [[nodiscard]] int port() const noexcept { return port_; }

    /// Both sides of every connection get a TCP reset, as when a router has forgotten them. Returns when it is sent.
    void reset() { obey(order::reset); }

    /// The server sees every connection end, and its client does not: the connection is half open.
    void forsake_clients() { obey(order::forsake); }

    /// Every client reads this now, as if its server had said so.
    void say(std::string to_clients) {
        words_ = std::move(to_clients);
        obey(order::say);
    }

    /// What the servers of these connections say is kept back, until it is said; at the client's next word the connection ends.
    void keep_answers() { obey(order::keep_answers); }
    void say_last_answers() { obey(order::say_last_answers); }

    /// Who connects from now on is heard, and nothing of it reaches the server.
    void ignore_newcomers() { obey(order::ignore); }
    [[nodiscard]] bool has_newcomers() const;

    /// Who connects from now on is hung up on at once, and counted.
    void turn_away_newcomers() { obey(order::turn_away); }
    [[nodiscard]] int turned_away() const noexcept { return turned_away_; }

private:
    struct relay;
    enum class order { none, reset, forsake, say, keep_answers, say_last_answers, ignore, turn_away };

    void obey(order what);
    void serve();

    const int server_;
    int listener_ = -1;
    int port_ = 0;
    std::string words_;
    std::atomic<order> order_ = order::none;
    std::atomic<bool> ending_ = false;
    std::atomic<int> turned_away_ = 0;
    bool ignoring_ = false, closed_ = false;  ///< the thread's
    std::thread thread_;
};

}  // namespace dlock::testing
