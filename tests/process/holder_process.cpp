// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/process/holder_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace dlock::testing {
namespace {

void check(int error, const char* what) {
    if (error != 0) throw std::system_error{error, std::generic_category(), what};
}

std::array<int, 2> make_pipe() {
    std::array<int, 2> ends{};
    check(::pipe2(ends.data(), O_CLOEXEC) == 0 ? 0 : errno, "pipe");
    return ends;
}

}  // namespace

holder_process::holder_process(const std::string& url, const std::string& name) 
    : holder_process{std::vector<std::string>{"tests/process/holder", url, name}} {}

holder_process::holder_process(std::vector<std::string> command) {
    const auto commands = make_pipe(), answers = make_pipe();
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_adddup2(&files, commands[0], 0);
    ::posix_spawn_file_actions_adddup2(&files, answers[1], 1);
    ::posix_spawn_file_actions_addclosefrom_np(&files, 3);

    std::vector<char*> arguments;
    for (auto& word : command) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const int error = ::posix_spawn(&pid_, arguments[0], &files, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&files);
    ::close(commands[0]);
    ::close(answers[1]);
    commands_ = commands[1];
    answers_ = answers[0];
    check(error, "posix_spawn");
}

holder_process::~holder_process() {
    if (pid_ != -1) kill();
    hang_up();
    ::close(answers_);
}

void holder_process::tell(const std::string& command) {
    const auto line = command + "\n";
    if (::write(commands_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
        throw std::runtime_error{"the holder cannot be told to " + command};
    }
}

std::string holder_process::answer() {
    for (;;) {
        if (const auto end = said_.find('\n'); end != std::string::npos) {
            auto line = said_.substr(0, end);
            said_.erase(0, end + 1);
            return line;
        }
        constexpr int minute = 60'000;
        pollfd pipe{answers_, POLLIN, 0};
        if (::poll(&pipe, 1, minute) == 0) throw std::runtime_error{"the holder says nothing"};
        std::array<char, 512> bytes{};
        const auto count = ::read(answers_, bytes.data(), bytes.size());
        if (count <= 0) throw std::runtime_error{"the holder has ended"};
        said_.append(bytes.data(), static_cast<std::size_t>(count));
    }
}

void holder_process::kill() {
    ::kill(pid_, SIGKILL);
    (void)wait();
}

void holder_process::stop() {
    ::kill(pid_, SIGSTOP);
    while (::waitpid(pid_, nullptr, WUNTRACED) == -1 && errno == EINTR) {}
}

void holder_process::go_on() { ::kill(pid_, SIGCONT); }

int holder_process::wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) == -1 && errno == EINTR) {}
    pid_ = -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void holder_process::hang_up() { ::close(std::exchange(commands_, -1)); }

}  // namespace dlock::testing
