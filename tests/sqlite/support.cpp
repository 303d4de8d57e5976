// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/sqlite/support.hpp"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <system_error>
#include <thread>

#include <soci/soci.h>

#include <dlock/sqlite.hpp>
#include <dlock/sqlite/queues.hpp>
#include <dlock/sqlite/sqlite_api.hpp>

#include "tests/support/expect.hpp"

extern char** environ;

namespace dlock::testing {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

SqliteTest::SqliteTest() {
    const char* const parent = std::getenv("TEST_TMPDIR");
    std::string name = (parent != nullptr ? std::string{parent} : "/tmp") + "/dlock-sqlite.XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) throw std::system_error{errno, std::generic_category(), name};
    folder = fs::canonical(name);
    locks = folder / "locks";
}

SqliteTest::~SqliteTest() { fs::remove_all(folder); }

process::process(std::vector<std::string> task) {
    std::array<int, 2> to{}, from{};
    if (::pipe2(to.data(), O_CLOEXEC) != 0 || ::pipe2(from.data(), O_CLOEXEC) != 0) throw std::runtime_error{"pipe"};
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    ::posix_spawn_file_actions_adddup2(&files, to[0], STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&files, from[1], STDOUT_FILENO);
    task.insert(task.begin(), {"another process", "--task"});
    std::vector<char*> arguments;
    for (auto& word : task) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const int failed = ::posix_spawn(&pid_, "/proc/self/exe", &files, nullptr, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&files);
    ::close(to[0]);
    ::close(from[1]);
    to_ = to[1];
    from_ = from[0];
    if (failed != 0) throw std::system_error{failed, std::generic_category(), "posix_spawn"};
}

process::~process() {
    kill();
    ::close(to_);
    ::close(from_);
}

std::string process::hear() {
    for (;;) {
        if (const auto end = heard_.find('\n'); end != heard_.npos) {
            auto line = heard_.substr(0, end);
            heard_.erase(0, end + 1);
            return line;
        }
        std::array<char, 1000> more{};
        const auto got = ::read(from_, more.data(), more.size());
        if (got <= 0) throw std::runtime_error{"the other process ended: " + std::to_string(wait())};
        heard_.append(more.data(), static_cast<std::size_t>(got));
    }
}

void process::tell() {
    if (::write(to_, "\n", 1) != 1) throw std::runtime_error{"the other process does not listen"};
}

int process::wait() {
    int status = -1;
    if (pid_ > 0) ::waitpid(std::exchange(pid_, -1), &status, 0);
    return status;
}

void process::kill() {
    if (pid_ > 0) ::kill(pid_, SIGKILL);
    (void)wait();
}

pid_t this_thread_id() { return static_cast<pid_t>(::syscall(SYS_gettid)); }

namespace {

long naps_of(pid_t thread) {
    std::ifstream status{"/proc/self/task/" + std::to_string(thread) + "/status"};
    for (std::string word; status >> word;) {
        long count = 0;
        if (word == "voluntary_ctxt_switches:" && status >> count) return count;
    }
    throw std::runtime_error{"the thread that should wait has ended"};
}

}  // namespace

void await_naps(pid_t thread) {
    const auto give_up = std::chrono::steady_clock::now() + 30s;
    for (const long before = naps_of(thread); naps_of(thread) < before + 4; std::this_thread::sleep_for(200us)) {
        if (std::chrono::steady_clock::now() > give_up) throw std::runtime_error{"the thread does not wait"};
    }
}

void await_waiters(const sqlite::session& on, const sqlite::key& k, std::size_t count) {
    const auto line = sqlite::queues::of(on.directory());
    await([&] { return line->waiting(k.digest()) >= count; }, "nobody waits");
}

namespace {

arena& map_arena(const fs::path& arena_file) {
    const int file = ::open(arena_file.c_str(), O_RDWR | O_CLOEXEC);
    void* const mapped = ::mmap(nullptr, sizeof(arena), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    if (mapped == MAP_FAILED) throw std::system_error{errno, std::generic_category(), "mmap"};
    return *static_cast<arena*>(mapped);
}

/// A writer's turn.
void visit(arena& all) {
    if (++all.writers != 1 || all.readers != 0) ++all.violations;
    const long before = all.unguarded;
    if (before % 10 == 0) std::this_thread::yield();
    all.unguarded = before + 1;
    ++all.rounds;
    --all.writers;
}

}  // namespace

void make_arena(const fs::path& file) { std::ofstream{file, std::ios::binary} << std::string(sizeof(arena), '\0'); }

const arena& mapped_arena(const fs::path& file) { return map_arena(file); }

void contend(const fs::path& directory, const std::string& name, const fs::path& arena_file) {
    auto& all = map_arena(arena_file);

    std::vector<std::future<void>> threads;
    for (int t = 0; t < 3; ++t) {
        threads.push_back(std::async(std::launch::async, [&, t] {
            sqlite::session s{directory};
            sqlite::lock l{s, name};
            for (int i = 0; i < 150; ++i) {
                if ((i + t) % 4 == 0) {
                    const std::shared_lock held{l};
                    ++all.readers;
                    if (all.writers != 0) ++all.violations;
                    std::this_thread::yield();
                    --all.readers;
                } else {
                    const std::unique_lock held{l};
                    visit(all);
                }
            }
        }));
    }
    for (auto& thread : threads) thread.get();
}

void compete(const fs::path& directory, const std::string& name, const fs::path& arena_file) {
    auto& all = map_arena(arena_file);
    std::vector<std::future<void>> threads;
    const auto end = std::chrono::steady_clock::now() + 1500ms;
    for (int t = 0; t < 2; ++t) {
        threads.push_back(std::async(std::launch::async, [&] {
            sqlite::session s{directory};
            sqlite::lock l{s, name};
            for (auto now = std::chrono::steady_clock::now(); now < end;) {
                const auto start = now;
                l.lock();
                now = std::chrono::steady_clock::now();
                visit(all);
                l.unlock();
                const long waited = (now - start) / 1us;
                for (long longest = all.longest; longest < waited && !all.longest.compare_exchange_weak(longest, waited);) {}
            }
        }));
    }
    for (auto& thread : threads) thread.get();
}

namespace {

void say(const std::string& line) { std::cout << line << std::endl; }

void listen() {
    std::string line;
    if (!std::getline(std::cin, line)) std::_Exit(9);  // the test is gone
}

void deprive(const std::string& of) {
    if (of == "capabilities") {  // root, too, obeys permissions then
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        std::array<__user_cap_data_struct, 2> none{};
        if (::syscall(SYS_capset, &header, none.data()) != 0) throw std::runtime_error{"capset"};
    } else if (of == "files") {
        const rlimit few{40, 40};
        ::setrlimit(RLIMIT_NOFILE, &few);
    } else if (of == "space") {
        const rlimit none{0, 0};
        ::setrlimit(RLIMIT_FSIZE, &none);  // and SIGXFSZ ends who does not look out
    } else if (of.starts_with("user ")) {  // user UID GID
        const auto uid = static_cast<uid_t>(std::stoul(of.substr(5))), gid = static_cast<gid_t>(std::stoul(of.substr(of.rfind(' '))));
        if (::setgroups(0, nullptr) != 0 || ::setgid(gid) != 0 || ::setuid(uid) != 0) throw std::runtime_error{"setuid"};
    }
}

void perform(const std::vector<std::string>& task) {
    const auto &what = task.at(0), &directory = task.at(1), &name = task.at(2), &how = task.at(3);
    if (what == "contend") return contend(directory, name, how);
    if (what == "compete") return compete(directory, name, how);
    if (what == "refuse") {
        deprive(how);
        try {
            sqlite::session s{directory};
            std::vector<std::unique_ptr<sqlite::lock>> all;
            for (int i = 0; i < 100; ++i) {
                all.push_back(std::make_unique<sqlite::lock>(s, i == 0 ? name : name + std::to_string(i)));
                all.back()->lock();
            }
            return say("nothing");
        } catch (const lock_error& e) {
            return say(std::to_string(e.code().value()) + " " + e.what());
        }
    }

    if (what == "beside") {
        ::umask(077);
        deprive(how);
        try {
            soci::session db{soci::sqlite3, "dbname=\"" + directory + "\""};
            const auto locks = sqlite::session_beside(db);
            sqlite::fenced_lock lock{*locks, name};
            say(lock.try_lock() ? "yes" : "no");
            listen();
        } catch (const lock_error& e) {
            say(std::to_string(e.code().value()) + " " + e.what());
        }
        return;
    }

    if (what == "label") {
        sqlite::session s{directory};
        s.set_label(how);
        sqlite::lock l{s, name};
        l.lock();
        say("held");
        return listen();
    }

    if (what == "unfence") {
        sqlite::session s{directory};
        sqlite::fenced_lock fenced{s, name};
        deprive(how);
        try {
            fenced.lock();
            say("nothing");
        } catch (const lock_error& e) {
            say(std::to_string(e.code().value()) + " " + e.what());
        }
        sqlite::session other{directory};
        return say(!fenced.owns_lock() && s.held() == 0 && sqlite::lock(other, name).try_lock() ? "free" : "held");
    }

    const bool shared = how == "shared";
    if (what == "fence" || what == "draw") {
        sqlite::session s{directory};
        sqlite::fenced_lock l{s, name};
        for (;;) {
            if (shared) l.lock_shared();
            else l.lock();
            say(std::to_string(l.token().value));
            if (what == "fence") listen();
            l.unlock();
        }
    }

    sqlite::session s{directory};
    sqlite::lock l{s, name};
    if (what == "hold" || what == "wait") {
        if (what == "wait") say("ready");
        if (shared) l.lock_shared();
        else l.lock();
        say("held");
        listen();
        l.unlock();
        say("free");
        listen();
    } else {
        if (what == "meet") {
            say("ready");
            listen();
        }
        say((shared ? l.try_lock_shared() : l.try_lock()) ? "yes" : "no");
        listen();
    }
}

}  // namespace
}  // namespace dlock::testing

int main(int count, char** arguments) {
    if (count > 2 && arguments[1] == std::string{"--task"}) {
        try {
            dlock::testing::perform({arguments + 2, arguments + count});
            return 0;
        } catch (const std::exception& e) {
            std::cerr << "another process: " << e.what() << std::endl;
            return 1;
        }
    }
    testing::InitGoogleTest(&count, arguments);
    return RUN_ALL_TESTS();
}
