// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Runs an example as a user would: as a program, by its command line, its output and its exit code.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/servers/child_process.hpp"
#include "tests/servers/temporary_directory.hpp"

namespace dlock::testing {

class running_example {
public:
    /// \param arguments  the name of the example, and its command line
    explicit running_example(std::vector<std::string> arguments)
        : process_{{.command = in_runfiles(std::move(arguments)), .log = scratch_.path() / "log"}} {}

    /// Its exit status. -1, and the example is killed, when it takes two minutes.
    int wait() { return process_.wait(std::chrono::minutes{2}).value_or(-1); }

    /// Waits until the output holds the text. False: it has ended, or two minutes have passed, without it.
    bool says(const std::string& text) {
        const auto limit = std::chrono::steady_clock::now() + std::chrono::minutes{2};
        for (bool last = false;; last = !process_.running()) {
            if (output().find(text) != std::string::npos) return true;
            if (last || std::chrono::steady_clock::now() > limit) return false;
            std::this_thread::sleep_for(std::chrono::milliseconds{1});
        }
    }

    [[nodiscard]] std::string output() const { return contents(scratch_.path() / "log"); }
    [[nodiscard]] pid_t pid() const { return process_.pid(); }
    void signal(int number) { process_.signal(number); }

private:
    static std::vector<std::string> in_runfiles(std::vector<std::string> arguments) {
        arguments.front() = std::filesystem::absolute("examples/" + arguments.front());
        return arguments;
    }

    const temporary_directory scratch_;
    child_process process_;
};

struct outcome {
    int status;
    std::string output;
};

inline outcome run_example(std::vector<std::string> arguments) {
    running_example example{std::move(arguments)};
    const int status = example.wait();
    return {status, example.output()};
}

}  // namespace dlock::testing
