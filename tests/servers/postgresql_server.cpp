// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/servers/postgresql_server.hpp"

#include <sys/ipc.h>
#include <sys/shm.h>

#include <chrono>
#include <csignal>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "tests/servers/find_program.hpp"

namespace dlock::testing {
namespace {

namespace fs = std::filesystem;

std::string program(std::string_view name) { return find_program(name, "postgresql-15"); }

/// What the postmaster writes about itself, line by line, while it starts.
struct postmaster_file {
    std::string pid, folder, start_time, port, socket_folder, address, shared_memory, status;

    explicit postmaster_file(const fs::path& data) {
        std::istringstream in{contents(data / "postmaster.pid")};
        for (auto* line : {&pid, &folder, &start_time, &port, &socket_folder, &address, &shared_memory, &status})
            std::getline(in, *line);
    }

    /// The System V segment that tells a later postmaster whether processes of this one still live.
    [[nodiscard]] std::optional<int> segment() const {
        unsigned long key = 0;
        int id = 0;
        if (std::istringstream in{shared_memory}; in >> key >> id) return id;
        return std::nullopt;
    }
};

}  // namespace

postgresql_server::postgresql_server(const options& what) {
    process_.prepare({program("initdb"), "--pgdata=data", "--username=dlock", "--auth=trust", "--no-sync", "--no-locale",
                      "--encoding=UTF8", "--wal-segsize=1"});
    set_recipe(what);
    start();
}

postgresql_server::postgresql_server(standby_of source, const options& what) {
    process_.prepare({program("pg_basebackup"), "--pgdata=data", "--dbname=" + source.primary.conninfo(), "--no-sync",
                      "--checkpoint=fast", "--write-recovery-conf"});
    set_recipe(what);
    start();
}

void postgresql_server::set_recipe(const options& what) {
    if (what.tcp) port_.emplace();

    std::vector<std::string> command{program("postgres"), "-D", "data", "-p", std::to_string(port()),
                                     "-k", process_.directory(), "-h", what.tcp ? "127.0.0.1" : ""};
    const auto set = [&command](const std::string& setting) { command.insert(command.end(), {"-c", setting}); };
    for (const auto* setting : {"fsync=off", "full_page_writes=off", "autovacuum=off", "shared_buffers=16MB",
                                "max_connections=100", "dynamic_shared_memory_type=mmap"})
        set(setting);
    for (const auto& setting : what.settings) set(setting);

    process_.set_recipe({.command = std::move(command),
                         .stop_signal = SIGINT,
                         .end_signal = SIGQUIT,
                         .ready = [data = process_.directory() / "data"](pid_t pid) {
                             const postmaster_file now{data};  // after a crash, it is the old one for a while
                             return now.pid == std::to_string(pid) && now.status.starts_with("ready");
                         }});
}

postgresql_server& postgresql_server::shared() {
    static postgresql_server server;
    return server;
}

std::string postgresql_server::conninfo(std::string_view database) const {
    return "host=" + host() + " port=" + std::to_string(port()) + " user=" + user() + " dbname=" + std::string{database};
}

std::string postgresql_server::url(std::string_view database) const { return "postgresql://" + conninfo(database); }

std::string postgresql_server::host() const { return port_ ? "127.0.0.1" : process_.directory().string(); }

int postgresql_server::port() const { return port_ ? port_->number() : 5432; }

void postgresql_server::stop(shutdown how) { process_.stop(how == shutdown::fast ? SIGINT : SIGQUIT); }

void postgresql_server::kill() {
    using namespace std::chrono_literals;
    const auto segment = postmaster_file{process_.directory() / "data"}.segment();
    process_.stop(SIGKILL);
    if (!segment) return;

    const auto deadline = std::chrono::steady_clock::now() + 60s;
    for (shmid_ds use{}; ::shmctl(*segment, IPC_STAT, &use) == 0 && use.shm_nattch > 0; std::this_thread::sleep_for(1ms))
        if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error{"PostgreSQL's backends survive it:\n" + log()};
    ::shmctl(*segment, IPC_RMID, nullptr);  // its only purpose is over, and there may be no next start to remove it
}

}  // namespace dlock::testing
