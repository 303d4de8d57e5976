// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <libpq-fe.h>
#include <soci/soci.h>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <dlock/keys/hashed_key.hpp>
#include <dlock/postgresql.hpp>
#include <dlock/postgresql/lock_manager.hpp>
#include <dlock/postgresql/multi_lock.hpp>

#include "bench/dlock_rivals.hpp"
#include "bench/rivals.hpp"

namespace dlock::bench {
namespace {

constexpr long long key = hashed_key::key("dlock benchmark");

class libpq_connection {
public:
    explicit libpq_connection(const std::string& url) : connection_{PQconnectdb(url.substr(url.find("://") + 3).c_str())} {
        if (PQstatus(connection_.get()) != CONNECTION_OK) throw std::runtime_error{PQerrorMessage(connection_.get())};
    }

    void prepare(const char* statement, const std::string& sql) {
        require(PQprepare(connection_.get(), statement, sql.c_str(), 0, nullptr), PGRES_COMMAND_OK);
    }
    void execute(const char* statement, const char* value) {
        require(PQexecPrepared(connection_.get(), statement, value == nullptr ? 0 : 1, &value, nullptr, nullptr, 0), PGRES_TUPLES_OK);
    }
    void execute_text(const std::string& sql) { require(PQexec(connection_.get(), sql.c_str()), PGRES_TUPLES_OK); }

private:
    struct finish {
        void operator()(PGconn* c) const noexcept { PQfinish(c); }
    };

    void require(PGresult* answer, ExecStatusType status) {
        const bool ok = PQresultStatus(answer) == status && (status != PGRES_TUPLES_OK || *PQgetvalue(answer, 0, 0) != 'f');
        PQclear(answer);
        if (!ok) throw std::runtime_error{"refused: " + std::string{PQerrorMessage(connection_.get())}};
    }

    std::unique_ptr<PGconn, finish> connection_;
};

/// Two prepared statements: two round trips, with nothing around them.
class libpq_prepared final : public rival {
public:
    libpq_prepared(const std::string& url, const std::string& acquire, const std::string& release, std::size_t others) : connection_{url} {
        // No other connection has the same ones.
        connection_.execute_text("SELECT count(pg_advisory_lock(pg_backend_pid(), i)) FROM generate_series(1, " + std::to_string(others) + ") i");
        connection_.prepare("a", acquire);
        connection_.prepare("r", release);
    }

    void acquire() override { connection_.execute("a", key_.c_str()); }
    void release() override { connection_.execute("r", key_.c_str()); }

private:
    libpq_connection connection_;
    std::string key_ = std::to_string(key);
};

class select_one final : public rival {
public:
    explicit select_one(const std::string& url) : connection_{url} { connection_.prepare("s", "SELECT 1"); }

    void acquire() override { connection_.execute("s", nullptr); }
    void release() override { connection_.execute("s", nullptr); }

private:
    libpq_connection connection_;
};

/// One string with two statements; the server ends the transaction, and with it the setting, behind the last one.
class set_local final : public rival {
public:
    explicit set_local(const std::string& url) : connection_{url} { connection_.prepare("r", "SELECT pg_advisory_unlock($1)"); }

    void acquire() override { connection_.execute_text("SET LOCAL lock_timeout = '3600000ms'; SELECT pg_advisory_lock(" + key_ + ")"); }
    void release() override { connection_.execute("r", key_.c_str()); }

private:
    libpq_connection connection_;
    std::string key_ = std::to_string(key);
};

class soci_prepared_statements final : public rival {
public:
    soci_prepared_statements(const std::string& url, const std::string& acquire, const std::string& release)
        : db_{url},
          acquire_{(db_.prepare << acquire, soci::use(key_), soci::into(answer_))},
          release_{(db_.prepare << release, soci::use(key_), soci::into(answer_))} {}

    void acquire() override { execute(acquire_); }
    void release() override { execute(release_); }

private:
    void execute(soci::statement& statement) {
        statement.execute(true);
        if (answer_ == "f") throw std::runtime_error{"refused"};
    }

    soci::session db_;
    long long key_ = key;
    std::string answer_;
    soci::statement acquire_, release_;
};

class soci_one_time_statements final : public rival {
public:
    soci_one_time_statements(const std::string& url, std::string acquire, std::string release)
        : db_{url}, acquire_{std::move(acquire)}, release_{std::move(release)} {}

    void acquire() override { execute(acquire_); }
    void release() override { execute(release_); }

private:
    void execute(const std::string& sql) {
        db_ << sql, soci::use(key_), soci::into(answer_);
        if (answer_ == "f") throw std::runtime_error{"refused"};
    }

    soci::session db_;
    std::string acquire_, release_;
    long long key_ = key;
    std::string answer_;
};

struct types {
    using lock = postgresql::lock;
    using multi_lock = postgresql::multi_lock;
    using lock_manager = postgresql::lock_manager;
    using managed_lock = postgresql::managed_lock;

    static void end_holders(soci::session& db) {
        std::string ended;  // of the last one
        db << "SELECT max(pg_terminate_backend(pid)::text) FROM (SELECT DISTINCT pid FROM pg_locks WHERE locktype = 'advisory' AND granted) h",
            soci::into(ended);
    }
};

/// "SELECT pg_advisory_lock($1)". There is no function with a limit.
std::string acquire(how way, const std::string& parameter) {
    return std::string{"SELECT "} + (way == how::try_lock ? "pg_try_advisory_lock" : "pg_advisory_lock") + '(' + parameter + ')';
}
std::string release(const std::string& parameter) { return "SELECT pg_advisory_unlock(" + parameter + ')'; }

class postgresql_server_rivals final : public dlock_rivals<types> {
public:
    explicit postgresql_server_rivals(const std::string& url) : dlock_rivals{url} {
        std::string text;
        soci::session db{url};
        db << "SHOW server_version", soci::into(text);
        where_ = "PostgreSQL " + text.substr(0, text.find(' '));
    }

    [[nodiscard]] std::string id() const override { return "postgresql"; }
    [[nodiscard]] std::string where() const override { return where_; }

    [[nodiscard]] locker round_trip() const override {
        return {"libpq, SELECT 1 prepared", "select_one", [url = url()] { return std::make_unique<select_one>(url); }};
    }
    [[nodiscard]] locker raw(how way, std::size_t others) const override {
        return {"libpq, prepared", "libpq_prepared",
                [=, url = url()] { return std::make_unique<libpq_prepared>(url, acquire(way, "$1"), release("$1"), others); }};
    }
    [[nodiscard]] locker soci_prepared(how way) const override {
        return {"SOCI, prepared", "soci_prepared", [=, url = url()] {
                    return std::make_unique<soci_prepared_statements>(url, acquire(way, ":key"), release(":key"));
                }};
    }
    [[nodiscard]] locker soci_one_time(how way) const override {
        return {"SOCI, one-time", "soci_one_time", [=, url = url()] {
                    return std::make_unique<soci_one_time_statements>(url, acquire(way, ":key"), release(":key"));
                }};
    }

private:
    std::string where_;
};

}  // namespace

std::unique_ptr<server_rivals> postgresql_rivals(const std::string& url) { return std::make_unique<postgresql_server_rivals>(url); }

locker postgresql_set_local(const std::string& url) {
    return {"libpq, SET LOCAL; SELECT", "set_local", [=] { return std::make_unique<set_local>(url); }};
}

}  // namespace dlock::bench
