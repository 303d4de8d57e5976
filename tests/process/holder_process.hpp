// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The program of holder.cpp, running, as the test sees it, or another that takes a command and gives an answer in each line.
// It ends with the object and with the test.
//
// It gets its two pipes and no other descriptor of ours: a connection that it inherited would outlive us in it.
// One thread at a time.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace dlock::testing {

class holder_process {
public:
    holder_process(const std::string& url, const std::string& name);

    /// \param command  the program's path, and its arguments; the program ends when its input does
    explicit holder_process(std::vector<std::string> command);

    /// Kills it, unless it has ended.
    ~holder_process();
    holder_process(const holder_process&) = delete;
    holder_process& operator=(const holder_process&) = delete;

    void tell(const std::string& command);

    /// The next line it says.
    /// \throws std::runtime_error  it says nothing for a minute, or has ended
    [[nodiscard]] std::string answer();

    [[nodiscard]] std::string ask(const std::string& command) {
        tell(command);
        return answer();
    }

    /// SIGKILL. Returns when it is gone.
    void kill();

    /// SIGSTOP; returns when every thread of it stands still.
    void stop();
    /// SIGCONT.
    void go_on();

    /// Waits for its end: its exit status, or 128 + the signal that killed it.
    int wait();

    /// Ends its input, and with it whatever copies of it or programs it has left behind.
    void hang_up();

private:
    pid_t pid_ = -1;
    int commands_ = -1;
    int answers_ = -1;
    std::string said_;
};

}  // namespace dlock::testing
