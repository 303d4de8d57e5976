// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A server whose every process is stopped: the kernel takes connections and bytes for it, and nothing is ever answered.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace dlock::testing {

/// From its constructor, which returns when they have stopped, to its destructor.
class frozen {
public:
    explicit frozen(pid_t server) {
        stop(server);  // first: it starts no others then
        for (const auto child : children_of(server)) stop(child);
    }
    ~frozen() { thaw(); }
    frozen(const frozen&) = delete;
    frozen& operator=(const frozen&) = delete;

    void thaw() {
        for (const auto pid : stopped_) ::kill(pid, SIGCONT);
        stopped_.clear();
    }

private:
    static std::vector<pid_t> children_of(pid_t parent) {
        std::vector<pid_t> found;
        for (const auto& task : std::filesystem::directory_iterator{"/proc/" + std::to_string(parent) + "/task"}) {
            std::ifstream list{task.path() / "children"};
            for (pid_t child = 0; list >> child;) found.push_back(child);
        }
        return found;
    }

    /// All of its threads: the letter behind the name is the state. One that has ended meanwhile, and that its frozen parent cannot
    /// reap, stands still as well.
    static bool has_stopped(pid_t pid) {
        std::error_code gone;
        for (const auto& task : std::filesystem::directory_iterator{"/proc/" + std::to_string(pid) + "/task", gone}) {
            std::ifstream file{task.path() / "stat"};
            std::string line;
            std::getline(file, line);
            const auto end = line.rfind(')');
            if (end == line.npos || line.size() < end + 3) continue;
            if (const char state = line[end + 2]; state != 'T' && state != 'Z' && state != 'X') return false;
        }
        return true;
    }

    void stop(pid_t pid) {
        if (::kill(pid, SIGSTOP) != 0) return;
        stopped_.push_back(pid);
        while (!has_stopped(pid)) std::this_thread::yield();
    }

    std::vector<pid_t> stopped_;
};

}  // namespace dlock::testing
