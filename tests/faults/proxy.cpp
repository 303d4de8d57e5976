// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/faults/proxy.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <iterator>
#include <list>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace dlock::testing {
namespace {

sockaddr_in local(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

int tcp_socket() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1) throw std::system_error{errno, std::generic_category(), "socket"};
    return fd;
}

/// False: the other side has ended.
bool send_all(int to, std::string_view bytes) {
    while (!bytes.empty()) {
        const auto n = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0) return false;
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

/// False: one side has ended.
bool forward(int from, int to) {
    std::array<char, 16'384> bytes{};
    const auto size = ::recv(from, bytes.data(), bytes.size(), 0);
    return size > 0 && send_all(to, {bytes.data(), static_cast<std::size_t>(size)});
}

}  // namespace

/// One client and its server connection; -1: that side is over.
struct proxy::relay {
    int client, server;
    bool keeps_answers = false, ends_at_a_word = false;

    relay(int to_client, int to_server) : client{to_client}, server{to_server} {}
    relay(const relay&) = delete;
    relay& operator=(const relay&) = delete;
    ~relay() {
        forsake();
        ::close(client);
    }
    void forsake() {
        if (server != -1) ::close(std::exchange(server, -1));
    }
    /// What is closed from now on says so by RST instead of FIN. socket(7), SO_LINGER
    void say_reset() const {
        const linger at_once{1, 0};
        for (const int side : {client, server}) ::setsockopt(side, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
};

proxy::proxy(int server) : server_{server}, listener_{tcp_socket()} {
    auto address = local(0);
    socklen_t size = sizeof address;
    auto* const general = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, general, size) != 0 || ::listen(listener_, 64) != 0 || ::getsockname(listener_, general, &size) != 0) {
        throw std::system_error{errno, std::generic_category(), "listen"};
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread{[this] { serve(); }};
}

proxy::~proxy() {
    ending_ = true;
    thread_.join();
    ::close(listener_);
}

bool proxy::has_newcomers() const {
    pollfd waiting{listener_, POLLIN, 0};
    return ::poll(&waiting, 1, 0) > 0;
}

void proxy::obey(order what) {
    order_ = what;
    order_.wait(what);
}

void proxy::serve() {
    std::list<relay> relays;
    while (!ending_) {
        if (const auto what = order_.load(); what != order::none) {
            switch (what) {
                case order::none: break;
                case order::reset:
                    for (const auto& each : relays) each.say_reset();
                    relays.clear();
                    break;
                case order::forsake:
                    for (auto& each : relays) each.forsake();
                    break;
                case order::say:
                    for (const auto& each : relays) (void)send_all(each.client, words_);
                    break;
                case order::keep_answers:
                    for (auto& each : relays) each.keeps_answers = true;
                    break;
                case order::say_last_answers:
                    for (auto& each : relays) {
                        if (!each.keeps_answers) continue;
                        each.ends_at_a_word = true;
                        (void)forward(each.server, each.client);
                    }
                    break;
                case order::ignore: ignoring_ = true; break;
                case order::turn_away: closed_ = true; break;
            }
            order_ = order::none;
            order_.notify_all();
        }
        std::vector<pollfd> sources{{ignoring_ ? -1 : listener_, POLLIN, 0}};
        for (const auto& each : relays) {
            const bool whole = each.server != -1;
            sources.insert(sources.end(), {{whole ? each.client : -1, POLLIN, 0}, {each.keeps_answers ? -1 : each.server, POLLIN, 0}});
        }
        constexpr int look_again_ms = 2;  // for an order
        ::poll(sources.data(), sources.size(), look_again_ms);
        std::size_t at = 1;
        for (auto each = relays.begin(); each != relays.end(); at += 2) {
            bool alive = sources[at].revents == 0 || (!each->ends_at_a_word && forward(each->client, each->server));
            alive = alive && (sources[at + 1].revents == 0 || forward(each->server, each->client));
            each = alive ? std::next(each) : relays.erase(each);
        }
        if (sources[0].revents != 0) {
            const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (closed_) {
                ::close(client);
                ++turned_away_;
                continue;
            }
            const int server = tcp_socket();
            const auto address = local(server_);
            if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
                relays.emplace_back(client, server);
            } else {
                ::close(client);
                ::close(server);
            }
        }
    }
}

}  // namespace dlock::testing
