// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/servers/postgresql_server.hpp"

#include <csignal>
#include <sstream>

#include "tests/servers/find_program.hpp"
#include "tests/servers/server_traits.hpp"

namespace dlock::testing {
namespace {

namespace fs = std::filesystem;

std::string program(std::string_view name) { return find_server_program("postgresql", name, "postgresql-15"); }

/// What the postmaster writes about itself, line by line, while it starts.
struct postmaster_file {
    std::string pid, folder, start_time, port, socket_folder, address, shared_memory, status;

    explicit postmaster_file(const fs::path& data) {
        std::istringstream in{contents(data / "postmaster.pid")};
        for (auto* line : {&pid, &folder, &start_time, &port, &socket_folder, &address, &shared_memory, &status})
            std::getline(in, *line);
    }

    /// The id of the System V segment that tells a later postmaster whether processes of this one still live.
    [[nodiscard]] std::string segment() const { return shared_memory.substr(shared_memory.find_last_of(' ') + 1); }
};

}  // namespace

postgresql_server::postgresql_server(const options& what) {
    process_.prepare({program("initdb"), "--pgdata=data", "--username=dlock", "--auth=trust", "--no-sync",
                      "--no-locale", "--encoding=UTF8", "--wal-segsize=1"});
    set_recipe(what);
    start();
}

postgresql_server::postgresql_server(standby_of source, const options& what) {
    // What pg_basebackup does over the network; those who package servers for tests leave that program out.
    // https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP
    const auto primary = source.primary.conninfo();
    const bool old_names = !server_traits::of_postgresql().names_its_backups_since_15;
    process_.prepare({find_program("psql", "postgresql-client-15"), "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--quiet",
                      "--tuples-only", "--no-align", "--dbname=" + primary,
                      std::string{"--command=SELECT pg_"} +
                          (old_names ? "start_backup('standby', true, false)" : "backup_start('standby', true)"),
                      "--command=\\! cp -r " + (source.primary.directory() / "data").string() + " data",
                      "--command=\\o data/backup_label",
                      std::string{"--command=SELECT labelfile FROM pg_"} + (old_names ? "stop_backup(false)" : "backup_stop()")});
    process_.prepare({"rm", "data/postmaster.pid", "data/postmaster.opts"});
    process_.prepare({"touch", "data/standby.signal"});

    auto settings = what;
    settings.settings.push_back("primary_conninfo=" + primary);
    set_recipe(settings);
    start();
}

void postgresql_server::set_recipe(const options& what) {
    if (what.tcp) port_.emplace();

    std::vector<std::string> settings{
        "port=" + std::to_string(port()),
        "unix_socket_directories=" + directory().string(),
        std::string{"listen_addresses="} + (what.tcp ? "127.0.0.1" : ""),
        "max_connections=100",
        "shared_buffers=16MB",
        "dynamic_shared_memory_type=mmap",
        "autovacuum=off",
        "fsync=off",
        "full_page_writes=off",
    };
    settings.insert(settings.end(), what.settings.begin(), what.settings.end());
    std::vector<std::string> command{program("postgres"), "-D", "data"};
    for (const auto& setting : settings) command.insert(command.end(), {"-c", setting});

    process_.set_recipe({.command = std::move(command),
                         .stop_signal = SIGINT,
                         .end_signal = SIGQUIT,
                         .ready = [data = directory() / "data"](pid_t pid) {
                             const postmaster_file now{data};  // after a crash, it is the old one for a while
                             return now.pid == std::to_string(pid) && now.status.starts_with("ready");
                         }});
}

postgresql_server& postgresql_server::shared() {
    static postgresql_server server;
    return server;
}

std::string postgresql_server::conninfo(std::string_view database) const {
    return "host=" + host() + " port=" + std::to_string(port()) + " user=" + user() +
           " dbname=" + std::string{database};
}

std::string postgresql_server::url(std::string_view database) const { return "postgresql://" + conninfo(database); }

std::string postgresql_server::host() const { return port_ ? "127.0.0.1" : directory().string(); }

fs::path postgresql_server::socket() const { return directory() / (".s.PGSQL." + std::to_string(port())); }

int postgresql_server::port() const { return port_ ? port_->number() : 5432; }

void postgresql_server::stop(shutdown how) { process_.stop(how == shutdown::fast ? SIGINT : SIGQUIT); }

void postgresql_server::kill() {
    const auto segment = postmaster_file{directory() / "data"}.segment();
    process_.stop(SIGKILL);
    process_.prepare({"ipcrm", "--shmem-id", segment});  // the next start would remove it, but there may be none
}

}  // namespace dlock::testing
