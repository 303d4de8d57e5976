// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "tests/faults/target.hpp"

#include <fcntl.h>
#include <stdio.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <type_traits>
#include <vector>

#include <soci/soci.h>

#include <dlock/postgresql.hpp>
#include <dlock/sqlite.hpp>

#include "tests/servers/mariadb_server.hpp"
#include "tests/servers/mysql_server.hpp"
#include "tests/servers/pgbouncer.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/servers/temporary_directory.hpp"

namespace dlock::testing {
namespace {

/// The first value of the first row, if there is one and it is not null.
std::optional<std::uint64_t> ask(soci::session& admin, const std::string& query) {
    long long answer = 0;
    soci::indicator known = soci::i_null;
    admin << query, soci::into(answer, known);
    return admin.got_data() && known == soci::i_ok ? std::optional{static_cast<std::uint64_t>(answer)} : std::nullopt;
}

class on_postgresql : public target {
public:
    explicit on_postgresql(const postgresql_server::options& what = {}) : server_{what} { postgresql::create_fence(*admin_); }

    std::string where() const override { return server_.url(); }
    std::vector<std::string> kinds() const override {
        return {"postgresql", "postgresql", "postgresql_poll", "postgresql_transaction"};
    }

    std::optional<std::uint64_t> find_session(victim who) override {
        const std::string those = who == victim::holder ? "granted" : "NOT granted";
        return ask(*admin_, "SELECT pid::bigint FROM (SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory' AND " + those +
                                ") AS d ORDER BY random() LIMIT 1");
    }
    bool kill_session(std::uint64_t pid) override { return signal("pg_terminate_backend", pid); }
    bool cancel(std::uint64_t pid) override { return signal("pg_cancel_backend", pid); }

    void crash() override {
        admin_->close();
        if (++crashes_ % 2 == 0) server_.kill();
        else server_.stop(postgresql_server::shutdown::immediate);
    }
    void restart() override {
        server_.start();
        admin_.emplace(server_.url());
    }

    bool in_use() override { return ask(*admin_, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' LIMIT 1").has_value(); }

protected:
    [[nodiscard]] const postgresql_server& server() const noexcept { return server_; }

private:
    bool signal(const std::string& how, std::uint64_t pid) {
        return ask(*admin_, "SELECT " + how + "(" + std::to_string(pid) + ")::int::bigint") == 1;
    }

    postgresql_server server_;
    std::optional<soci::session> admin_{server_.url()};
    int crashes_ = 0;
};

/// Managed workers and plain ones exclude each other. Nothing is cancelled: an administrator's cancel can hit any statement of
/// a connection that threads share, and one that hits a release rightly ends the connection, a loss whose cause would be in
/// nobody's record.
class managed_on_postgresql : public on_postgresql {
public:
    std::vector<std::string> kinds() const override { return {"postgresql_managed", "postgresql_managed", "postgresql"}; }
    bool cancel(std::uint64_t) override { return false; }
};

class behind_pgbouncer : public on_postgresql {
public:
    std::string where() const override { return pooler_.url(); }
    std::vector<std::string> kinds() const override {
        return {"postgresql_pooled", "postgresql_pooled", "postgresql_pooled_poll", "postgresql_pooled_transaction"};
    }

private:
    // Without the setting it would wait for fifteen seconds before it asks a server again that was down.
    pgbouncer pooler_{server(), pool_mode::session, {.settings = {"server_login_retry=0.02"}}};
};

template <class Server>
class on_mysql : public target {
    static constexpr bool is_mariadb = std::is_same_v<Server, mariadb_server>;

public:
    explicit on_mysql(const mysql_family::options& what = {}) : server_{what} {}

    std::string where() const override { return server_.url(); }
    std::vector<std::string> kinds() const override { return {"mysql", "mysql", "mysql_poll"}; }
    int keys() const override { return is_mariadb ? 2 : 1; }  // the genuine one is a 5.6: one lock per session

    std::optional<std::uint64_t> find_session(victim who) override {
        return ask(*admin_, who == victim::waiter ? waiter : holder);
    }
    bool kill_session(std::uint64_t id) override {
        return is_mariadb && kill("KILL ", id);  // MySQL 5.6.24 now and then keeps what it has killed, and its lock, for ever
    }
    bool cancel(std::uint64_t id) override { return kill("KILL QUERY ", id); }

    void crash() override {
        admin_->close();
        server_.kill();
    }
    void restart() override {
        server_.start();
        admin_.emplace(server_.url());
    }

    bool in_use() override {
        return ask(*admin_, holder).has_value() || ask(*admin_, waiter).has_value();
    }

private:
    bool kill(const char* how, std::uint64_t id) {
        try {
            *admin_ << how << id;
            return true;
        } catch (const soci::soci_error&) {  // it has gone meanwhile
            return false;
        }
    }

    static constexpr const char* holder = "SELECT COALESCE(IS_USED_LOCK('history/0'), IS_USED_LOCK('history/1'))";
    static constexpr const char* waiter =
        "SELECT id FROM information_schema.processlist WHERE state = 'User lock' ORDER BY RAND() LIMIT 1";

    Server server_;
    std::optional<soci::session> admin_{server_.url()};
};

class managed_on_mariadb : public on_mysql<mariadb_server> {
public:
    std::vector<std::string> kinds() const override { return {"mysql_managed", "mysql_managed", "mysql"}; }
    bool cancel(std::uint64_t) override { return false; }  // as on PostgreSQL
};

class on_sqlite : public target {
public:
    std::string where() const override { return directory().string(); }
    std::vector<std::string> kinds() const override { return {"sqlite", "sqlite", "sqlite_poll"}; }
    bool is_server() const override { return false; }

    /// Now by an empty directory that is there instead at once, now without one: the next session makes it.
    bool take_files_away() override {
        const auto other = folder_.path() / "other";
        if (++removals_ % 2 == 0) {
            std::filesystem::create_directory(other);
            if (::renameat2(AT_FDCWD, directory().c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE) != 0) {
                const int error = errno;
                std::filesystem::remove(other);
                if (error == ENOENT) return false;
                throw std::system_error{error, std::generic_category(), "renameat2"};
            }
        } else {
            std::error_code failed;
            std::filesystem::rename(directory(), other, failed);
            if (failed == std::errc::no_such_file_or_directory) return false;
            if (failed) throw std::system_error{failed, "rename"};
        }
        std::filesystem::remove_all(other);
        return true;
    }

    bool in_use() override {
        sqlite::session mine{where()};
        sqlite::lock first{mine, "history/0"}, second{mine, "history/1"};
        return !first.try_lock() || !second.try_lock();
    }

private:
    [[nodiscard]] std::filesystem::path directory() const { return folder_.path() / "locks"; }

    temporary_directory folder_;
    int removals_ = 0;
};

}  // namespace

std::unique_ptr<target> postgresql_target() { return std::make_unique<on_postgresql>(); }
std::unique_ptr<target> postgresql_tcp_target() {
    return std::make_unique<on_postgresql>(postgresql_server::options{.tcp = true});
}
std::unique_ptr<target> postgresql_managed_target() { return std::make_unique<managed_on_postgresql>(); }
std::unique_ptr<target> pgbouncer_target() { return std::make_unique<behind_pgbouncer>(); }
std::unique_ptr<target> mariadb_target() { return std::make_unique<on_mysql<mariadb_server>>(); }
std::unique_ptr<target> mariadb_tcp_target() {
    return std::make_unique<on_mysql<mariadb_server>>(mysql_family::options{.tcp = true});
}
std::unique_ptr<target> mariadb_managed_target() { return std::make_unique<managed_on_mariadb>(); }
std::unique_ptr<target> mysql56_target() { return std::make_unique<on_mysql<mysql_server>>(); }
std::unique_ptr<target> sqlite_target() { return std::make_unique<on_sqlite>(); }

}  // namespace dlock::testing
