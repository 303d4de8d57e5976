// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/mysql/middleman.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <list>
#include <system_error>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace dlock::testing {
namespace {

int unix_socket(const std::filesystem::path& path, bool listen) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto* const to = reinterpret_cast<const sockaddr*>(&address);
    if (listen ? ::bind(fd, to, sizeof address) != 0 || ::listen(fd, 64) != 0
               : ::connect(fd, to, sizeof address) != 0) {
        throw std::system_error{errno, std::generic_category(), path};
    }
    return fd;
}

bool send_all(int to, const std::string& bytes) {
    for (std::size_t sent = 0; sent < bytes.size();) {
        const auto n = ::send(to, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
        if (n <= 0) return false;
        sent += static_cast<std::size_t>(n);
    }
    return true;
}

bool receive_some(int from, std::string& bytes) {
    std::array<char, 16'384> some{};
    const auto n = ::recv(from, some.data(), some.size(), 0);
    if (n > 0) bytes.append(some.data(), static_cast<std::size_t>(n));
    return n > 0;
}

constexpr const char* interrupted = "\xff\x25\x05#70100Query execution was interrupted";  // error 1317

std::string packet(char sequence, const std::string& payload) {
    const auto size = payload.size();
    return std::string{static_cast<char>(size), static_cast<char>(size >> 8U), static_cast<char>(size >> 16U),
                       sequence} +
           payload;
}

bool take_one(std::atomic<int>& from) {
    for (int left = from; left > 0;) {
        if (from.compare_exchange_weak(left, left - 1)) return true;
    }
    return false;
}

}  // namespace

/// One client and its server connection.
struct middleman::relay {
    const int client, server;
    std::string from_server;  ///< up to a packet that is not complete yet
    bool greeted = false, in_rows = false, skipping = false;
    int missing = 0;  ///< packets of this answer, whose successors move up

    relay(int to_client, int to_server) : client{to_client}, server{to_server} {}
    relay(const relay&) = delete;
    relay& operator=(const relay&) = delete;
    ~relay() {
        ::close(client);
        ::close(server);
    }

    std::string changed(middleman& by) {
        std::string to_client;
        while (from_server.size() >= 4) {
            const auto byte = [this](std::size_t i) {
                return static_cast<std::size_t>(static_cast<unsigned char>(from_server[i]));
            };
            const auto size = byte(0) | byte(1) << 8U | byte(2) << 16U;
            if (from_server.size() < 4 + size) break;
            if (from_server[3] == 1) missing = 0;
            const char sequence = static_cast<char>(from_server[3] - missing);
            std::string payload = from_server.substr(4, size);
            from_server.erase(0, 4 + size);
            if (!greeted) {
                greeted = true;
                change_greeting(payload, by.id_offset_);
            } else if (!change_row(payload, by)) {
                continue;
            }
            to_client += packet(sequence, payload);
        }
        return to_client;
    }

    static void change_greeting(std::string& payload, unsigned offset) {
        const auto at = payload.find('\0') + 1;  // behind the protocol's version and the server's
        unsigned id = 0;
        std::memcpy(&id, payload.data() + at, sizeof id);
        id += offset;
        std::memcpy(payload.data() + at, &id, sizeof id);
    }

    /// False: the packet is to be dropped.
    bool change_row(std::string& payload, middleman& by) {
        const bool end = !payload.empty() && payload[0] == '\xfe' && payload.size() < 9;
        if (end) {  // behind the columns, and behind the rows
            in_rows = !in_rows;
            const bool drop = skipping && !in_rows;
            skipping = skipping && !drop;
            if (!in_rows && !drop && take_one(by.late_interruptions_)) payload = interrupted;
            return !drop;
        }
        if (!in_rows) return true;
        if (take_one(by.swallowed_)) {
            ++missing;
            return false;
        }
        if (take_one(by.interruptions_)) {
            payload = interrupted;
            skipping = true;  // an error ends the answer
            return true;
        }
        if (payload.substr(0, 2) == "\x01\x31" && take_one(by.nulls_)) payload.replace(0, 2, "\xfb");
        if (by.other_ids_ && payload.size() > 3 && payload.substr(0, 2) == "\x01\x31") payload[3] = '9';
        return true;
    }
};

middleman::middleman(const mysql_family& server)
    : socket_{directory_.path() / "socket"},
      server_{server.socket()},
      listener_{unix_socket(socket_, true)},
      thread_{[this] { serve(); }} {}

middleman::~middleman() {
    ending_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
}

void middleman::serve() {
    std::list<relay> relays;
    while (!ending_) {
        constexpr int look_again_ms = 2;  // whether it is still held back
        std::vector<pollfd> sources{{listener_, POLLIN, 0}};
        for (const auto& r : relays) {
            const bool held_back = holding_ && &r == &relays.front();
            sources.insert(sources.end(), {{r.client, POLLIN, 0}, {held_back ? -1 : r.server, POLLIN, 0}});
        }
        ::poll(sources.data(), sources.size(), look_again_ms);
        std::size_t at = 1;
        for (auto r = relays.begin(); r != relays.end(); at += 2) {
            bool alive = true;
            if (std::string bytes; sources[at].revents != 0)
                alive = receive_some(r->client, bytes) && send_all(r->server, bytes);
            if (alive && sources[at + 1].revents != 0)
                alive = receive_some(r->server, r->from_server) && send_all(r->client, r->changed(*this));
            r = alive ? std::next(r) : relays.erase(r);
        }
        if (sources[0].revents != 0 && !ending_) {
            const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (client >= 0 && open_) {
                relays.emplace_back(client, unix_socket(server_, false));
            } else if (client >= 0) {
                ::close(client);
            }
        }
    }
}

}  // namespace dlock::testing
