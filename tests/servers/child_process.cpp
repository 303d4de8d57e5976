// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/servers/child_process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <fstream>
#include <future>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

#include "tests/servers/server_user.hpp"

namespace dlock::testing {
namespace {

void check(int error, const char* what) {
    if (error != 0) throw std::system_error{error, std::generic_category(), what};
}

/// Owns what posix_spawn(3) is told about descriptors, the working directory and signals.
struct spawn_plan {
    int log;
    posix_spawn_file_actions_t files{};
    posix_spawnattr_t attributes{};

    explicit spawn_plan(const child_process::options& what)
        : log{::open(what.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)} {
        if (log == -1) check(errno, what.log.c_str());
        ::flock(log, LOCK_SH);  // until the last process that inherits it has ended: see in_use()
        ::posix_spawn_file_actions_init(&files);
        ::posix_spawnattr_init(&attributes);
        check(::posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0), "stdin");
        check(::posix_spawn_file_actions_adddup2(&files, log, 1), "stdout");
        check(::posix_spawn_file_actions_adddup2(&files, log, 2), "stderr");
        check(::posix_spawn_file_actions_addclosefrom_np(&files, 3), "closefrom");
        check(::posix_spawn_file_actions_addchdir_np(&files, what.directory.c_str()), "chdir");

        // Whatever the test has blocked or ignored, the child must hear.
        sigset_t none, all;
        ::sigemptyset(&none);
        ::sigfillset(&all);
        check(::posix_spawnattr_setsigmask(&attributes, &none), "sigmask");
        check(::posix_spawnattr_setsigdefault(&attributes, &all), "sigdefault");
        // In a process group of its own: Ctrl-C, or a build tool that kills a test with its group, must not forestall
        // end_signal, which lets a server end its children and tidy up.
        check(::posix_spawnattr_setpgroup(&attributes, 0), "pgroup");
        constexpr auto flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP;
        check(::posix_spawnattr_setflags(&attributes, static_cast<short>(flags)), "flags");
    }
    ~spawn_plan() {
        ::posix_spawnattr_destroy(&attributes);
        ::posix_spawn_file_actions_destroy(&files);
        ::close(log);
    }
    spawn_plan(const spawn_plan&) = delete;
    spawn_plan& operator=(const spawn_plan&) = delete;
};

/// unshare or setpriv, setpriv, sh, and at last the program: each replaces the one before it, the pid stays.
std::vector<std::string> command_line(const child_process::options& what) {
    std::vector<std::string> line;
    if (what.unprivileged) line = server_user::get().become;
    line.insert(line.end(), {"setpriv", "--pdeathsig", ::sigabbrev_np(what.end_signal)});
    // We may have died before the kernel was told to watch us: then the parent is another one already.
    line.insert(line.end(), {"sh", "-c", R"(test "$PPID" = "$0" && exec "$@")", std::to_string(::getpid())});
    line.insert(line.end(), what.command.begin(), what.command.end());
    return line;
}

std::vector<std::string> environment(const child_process::options& what) {
    auto all = what.environment;
    for (char** variable = ::environ; *variable != nullptr; ++variable) {
        const std::string_view ours = *variable;
        const auto name = ours.substr(0, ours.find('=') + 1);
        if (std::ranges::none_of(what.environment, [name](const auto& theirs) { return theirs.starts_with(name); }))
            all.emplace_back(ours);
    }
    return all;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
    std::vector<char*> result;
    for (auto& each : strings) result.push_back(each.data());
    result.push_back(nullptr);
    return result;
}

pid_t spawn(const child_process::options& what) {
    auto line = command_line(what);
    auto variables = environment(what);
    const spawn_plan plan{what};
    pid_t pid = -1;
    check(::posix_spawnp(&pid, line.front().c_str(), &plan.files, &plan.attributes, pointers(line).data(),
                         pointers(variables).data()),
          line.front().c_str());
    return pid;
}

}  // namespace

child_process::child_process(options what) : options_{std::move(what)}, owner_{::getpid()} {
    std::promise<pid_t> spawned;
    keeper_ = std::thread{[this, &spawned] {
        try {
            const pid_t pid = pid_ = spawn(options_);
            spawned.set_value(pid);
        } catch (...) {
            spawned.set_exception(std::current_exception());
            return;
        }
        reap();
    }};
    try {
        spawned.get_future().get();
    } catch (...) {
        keeper_.join();
        throw;
    }
}

child_process::~child_process() {
    if (owner_ != ::getpid()) {
        keeper_.detach();
        return;
    }
    signal(options_.end_signal);
    if (!wait(std::chrono::seconds{10})) signal(SIGKILL);
    keeper_.join();
}

void child_process::reap() {
    siginfo_t unused{};
    while (::waitid(P_PID, static_cast<id_t>(pid_), &unused, WEXITED | WNOWAIT) == -1 && errno == EINTR) {}

    const std::lock_guard held{mutex_};  // from here on the pid may be someone else's: signal() must not use it
    int status = 0;
    ::waitpid(pid_, &status, 0);
    status_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    ended_.notify_all();
}

void child_process::signal(int number) {
    const std::lock_guard held{mutex_};
    if (!status_) ::kill(pid_, number);
}

std::optional<int> child_process::wait(std::chrono::milliseconds limit) {
    std::unique_lock held{mutex_};
    ended_.wait_for(held, limit, [this] { return status_.has_value(); });
    return status_;
}

void run(const child_process::options& what, std::chrono::milliseconds limit) {
    child_process child{what};
    const auto status = child.wait(limit);
    if (status == 0) return;
    const auto end = status ? " ended with status " + std::to_string(*status) : std::string{" did not end in time"};
    throw std::runtime_error{what.command.front() + end + "; the end of its log:\n" + tail(what.log)};
}

bool in_use(const std::filesystem::path& log) {
    const int fd = ::open(log.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd == -1) return false;
    const bool held = ::flock(fd, LOCK_EX | LOCK_NB) == -1;
    ::close(fd);
    return held;
}

std::string contents(const std::filesystem::path& file) {
    std::ostringstream all;
    all << std::ifstream{file, std::ios::binary}.rdbuf();  // throws nothing when a file of /proc vanishes meanwhile
    return all.str();
}

std::string tail(const std::filesystem::path& log) {
    constexpr std::size_t enough = 4000;
    const auto all = contents(log);
    return all.size() > enough ? "…" + all.substr(all.size() - enough) : all;
}

}  // namespace dlock::testing
