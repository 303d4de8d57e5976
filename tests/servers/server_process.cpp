// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/servers/server_process.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <thread>
#include <utility>

namespace dlock::testing {

using namespace std::chrono_literals;

namespace {
constexpr auto patience = 60s;  // only ever used up by a server that does not work
}

server_process::server_process() {
    prepare({"touch", "log"});  // a server that opens its log once more must be the owner
}

void server_process::prepare(std::vector<std::string> command) const {
    run({.command = std::move(command),
         .directory = directory(),
         .log = directory() / "setup.log",
         .unprivileged = true},
        patience);
}

void server_process::start() {
    if (process_ && process_->running()) return;
    process_.emplace(child_process::options{.command = recipe_.command,
                                            .environment = recipe_.environment,
                                            .directory = directory(),
                                            .log = log_file(),
                                            .unprivileged = true,
                                            .end_signal = recipe_.end_signal});

    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!recipe_.ready(process_->pid())) {
        const auto status = process_->wait(5ms);  // the pause between two questions
        if (!status && std::chrono::steady_clock::now() < deadline) continue;
        process_.reset();
        throw std::runtime_error{recipe_.command.front() +
                                 (status ? " ended with status " + std::to_string(*status) : " did not become ready") +
                                 "; the end of its log:\n" + tail(log_file())};
    }
}

void server_process::stop(int signal) {
    if (!process_) return;
    const auto deadline = std::chrono::steady_clock::now() + patience;
    process_->signal(signal);
    bool ended = process_->wait(patience).has_value();
    process_.reset();
    for (; ended && in_use(log_file()); std::this_thread::sleep_for(1ms))
        ended = std::chrono::steady_clock::now() < deadline;
    if (!ended)
        throw std::runtime_error{recipe_.command.front() + " did not stop; the end of its log:\n" + tail(log_file())};
}

bool accepts(const std::filesystem::path& socket) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket.c_str(), sizeof address.sun_path - 1);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool accepted = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    return accepted;
}

bool accepts(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool accepted = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    ::close(fd);
    return accepted;
}

}  // namespace dlock::testing
