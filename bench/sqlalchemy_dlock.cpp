// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "bench/sqlalchemy_dlock.hpp"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace dlock::bench {
namespace {

constexpr const char* script = "bench/turns_in_python.py";  // in the runfiles

struct close_file {
    void operator()(std::FILE* f) const noexcept { std::fclose(f); }
};
using file = std::unique_ptr<std::FILE, close_file>;

/// A program whose input and output are pipes.
class conversation {
public:
    conversation(const std::string& python, const std::string& folder, const std::string& url) {
        std::array<int, 2> to_child{}, from_child{};
        if (::pipe2(to_child.data(), O_CLOEXEC) == -1 || ::pipe2(from_child.data(), O_CLOEXEC) == -1)
            throw std::system_error{errno, std::generic_category(), "pipe2"};
        ::signal(SIGPIPE, SIG_IGN);  // a program that has ended is told by what it does not answer
        child_ = ::fork();
        if (child_ == -1) throw std::system_error{errno, std::generic_category(), "fork"};
        if (child_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::setenv("PYTHONPATH", folder.c_str(), 1);
            ::dup2(to_child[0], STDIN_FILENO);
            ::dup2(from_child[1], STDOUT_FILENO);
            ::execlp(python.c_str(), python.c_str(), script, url.c_str(), nullptr);
            ::_exit(127);
        }
        ::close(to_child[0]);
        ::close(from_child[1]);
        to_.reset(::fdopen(to_child[1], "w"));
        from_.reset(::fdopen(from_child[0], "r"));
    }
    ~conversation() {
        ::kill(child_, SIGKILL);
        while (::waitpid(child_, nullptr, 0) == -1 && errno == EINTR) continue;
    }
    conversation(const conversation&) = delete;
    conversation& operator=(const conversation&) = delete;

    void say(const std::string& line) {
        std::fputs((line + '\n').c_str(), to_.get());
        std::fflush(to_.get());
    }

    std::string answer() {
        std::string line;
        for (int c = 0; (c = std::getc(from_.get())) != '\n'; line += static_cast<char>(c)) {
            if (c == EOF) throw std::runtime_error{"Python has ended; its last words are in the output"};
        }
        return line;
    }

private:
    pid_t child_ = -1;
    file to_, from_;
};

class python_competitor final : public competitor {
public:
    python_competitor(const std::string& url, const command_line& line) : python_{line.python, line.sqlalchemy_dlock, url} {
        if (python_.answer() != "ready") throw std::runtime_error{"Python says what it should not"};
    }

    turn take_turn(const pace& how) override {
        python_.say(std::to_string(how.warm_up));
        (void)python_.answer();
        python_.say(std::to_string(how.cycles));
        std::istringstream times{python_.answer()};
        turn measured;
        for (double acquire = 0, release = 0; times >> acquire >> release;) {
            measured.acquire.add(acquire);
            measured.release.add(release);
            measured.whole.add(acquire + release);
            measured.took += nanoseconds{acquire + release};
        }
        return measured;
    }

private:
    conversation python_;
};

}  // namespace

contender sqlalchemy_dlock(const std::string& url, const command_line& line) {
    return {"sqlalchemy-dlock (Python)", "sqlalchemy_dlock", [=] { return std::make_unique<python_competitor>(url, line); }};
}

}  // namespace dlock::bench
