// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A process with one lock:  holder URL NAME
//
// It reads commands from its standard input, one per line, and answers each with one line. The end of its input, or of
// its parent, is its own.
#include <fcntl.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>

#include "tests/process/opened_lock.hpp"

namespace {

void say(const std::string& answer) { std::cout << answer << std::endl; }

/// Adds one to the number in a file, as often as told, each time under the lock.
void count(dlock::any_lock& lock, const std::string& file, int rounds) {
    for (int i = 0; i < rounds; ++i) {
        const std::scoped_lock held{lock};
        int number = 0;
        std::ifstream{file} >> number;
        std::ofstream{file} << number + 1;
    }
}

/// Starts a program that lives until the end of our input.
void spawn() {
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    std::string name = "cat";
    char* const arguments[] = {name.data(), nullptr};
    pid_t unused = 0;
    const int error = ::posix_spawnp(&unused, name.c_str(), &files, nullptr, arguments, environ);
    ::posix_spawn_file_actions_destroy(&files);
    if (error != 0) throw std::system_error{error, std::generic_category(), name};
}

/// A copy of this process that touches nothing and lives until the end of our input.
void fork_copy() {
    if (::fork() != 0) return;
    for (char unused = 0; ::read(0, &unused, 1) > 0;) {}
    ::_exit(0);
}

void await_children() {
    while (::waitpid(-1, nullptr, 0) > 0) {}
}

/// False: the process shall return from main().
bool obey(dlock::any_lock& lock, const std::string& line) {
    std::istringstream in{line};
    std::string command;
    in >> command;
    if (command == "lock") {
        lock.lock();
        say("held");
    } else if (command == "try") {
        say(lock.try_lock() ? "held" : "busy");
    } else if (command == "unlock") {
        std::error_code ec;
        lock.unlock(ec);
        say(ec ? ec.message() : "unlocked");
    } else if (command == "owns") {
        say(lock.owns_lock() ? "yes" : "no");
    } else if (command == "count") {
        std::string file;
        int rounds = 0;
        in >> file >> rounds;
        count(lock, file, rounds);
        say("counted");
    } else if (command == "spawn") {
        spawn();
        say("spawned");
    } else if (command == "fork") {
        fork_copy();
        say("forked");
    } else if (command == "fork_and_leave") {  // the copy just goes
        if (::fork() == 0) ::_exit(0);
        await_children();
        say("forked");
    } else if (command == "fork_and_return") {  // the copy destroys what it inherited
        if (::fork() == 0) return false;
        await_children();
        say("forked");
    } else if (command == "return") {
        return false;
    } else if (command == "exit") {
        std::exit(0);
    } else if (command == "_exit") {
        ::_exit(0);
    } else {
        throw std::invalid_argument{"no such command: " + line};
    }
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (argc != 3) return EXIT_FAILURE;
    try {
        dlock::testing::opened_lock opened{argv[1], argv[2]};
        for (std::string line; std::getline(std::cin, line);) {
            if (!obey(opened.lock, line)) return EXIT_SUCCESS;
        }
    } catch (const std::exception& error) {
        say(error.what());
        return EXIT_FAILURE;
    }
}
