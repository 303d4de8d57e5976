// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <libpq-fe.h>
#include <soci/soci.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <dlock/keys/hashed_key.hpp>
#include <dlock/postgresql.hpp>

#include "bench/dlock_rival.hpp"
#include "bench/rivals.hpp"

namespace dlock::bench {
namespace {

const std::string name = "dlock benchmark";
constexpr long long key = hashed_key::key("dlock benchmark");

/// Two prepared statements on a connection of libpq: two round trips, with nothing around them.
class libpq_prepared final : public rival {
public:
    libpq_prepared(const std::string& url, const char* acquire, const char* release, int parameters = 1)
        : connection_{PQconnectdb(url.substr(url.find("://") + 3).c_str())}, parameters_{parameters} {
        if (PQstatus(connection_.get()) != CONNECTION_OK) throw std::runtime_error{PQerrorMessage(connection_.get())};
        prepare("a", acquire);
        prepare("r", release);
    }

    void acquire() override { execute("a"); }
    void release() override { execute("r"); }

private:
    struct finish {
        void operator()(PGconn* c) const noexcept { PQfinish(c); }
    };

    void prepare(const char* statement, const char* sql) {
        PGresult* const answer = PQprepare(connection_.get(), statement, sql, 0, nullptr);
        const bool ok = PQresultStatus(answer) == PGRES_COMMAND_OK;
        PQclear(answer);
        if (!ok) throw std::runtime_error{PQerrorMessage(connection_.get())};
    }

    void execute(const char* statement) {
        const char* const value = key_.c_str();
        PGresult* const answer = PQexecPrepared(connection_.get(), statement, parameters_, &value, nullptr, nullptr, 0);
        const bool ok = PQresultStatus(answer) == PGRES_TUPLES_OK && *PQgetvalue(answer, 0, 0) != 'f';
        PQclear(answer);
        if (!ok) throw std::runtime_error{"refused: " + std::string{PQerrorMessage(connection_.get())}};
    }

    std::unique_ptr<PGconn, finish> connection_;
    int parameters_;
    std::string key_ = std::to_string(key);
};

/// As the documentation of SOCI has it: prepared once, executed often.
class soci_prepared final : public rival {
public:
    soci_prepared(const std::string& url, const std::string& acquire, const std::string& release)
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

/// As most programs do: written out where it is needed.
class soci_one_time final : public rival {
public:
    soci_one_time(const std::string& url, std::string acquire, std::string release)
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

/// The floor: a round trip that locks nothing.
class select_one final : public rival {
public:
    explicit select_one(const std::string& url) : floor_{url, "SELECT 1", "SELECT 1", 0} {}

    void acquire() override { floor_.acquire(); }
    void release() override {}

private:
    libpq_prepared floor_;
};

contest locks(const std::string& url, const std::string& where, how way) {
    const std::string function = way == how::lock ? "pg_advisory_lock" : "pg_try_advisory_lock";
    const std::string raw_acquire = "SELECT " + function + "($1)", raw_release = "SELECT pg_advisory_unlock($1)";
    const std::string acquire = "SELECT " + function + "(:key)", release = "SELECT pg_advisory_unlock(:key)";
    return {
        .where = where,
        .id = way == how::lock ? "postgresql/lock" : "postgresql/try_lock",
        .what = way == how::lock ? "lock(), unlock()" : "try_lock(), unlock()",
        .contenders =
            {
                {"libpq, prepared", "libpq_prepared",
                 [=] { return std::make_unique<libpq_prepared>(url, raw_acquire.c_str(), raw_release.c_str()); }},
                {"dlock", "dlock",
                 [=] { return std::make_unique<dlock_rival<postgresql::lock, soci::session>>(way, url, name); }},
                {"SOCI, prepared", "soci_prepared",
                 [=] { return std::make_unique<soci_prepared>(url, acquire, release); }},
                {"SOCI, one-time", "soci_one_time",
                 [=] { return std::make_unique<soci_one_time>(url, acquire, release); }},
            },
        .goal = 1.10,
    };
}

std::string version(const std::string& url) {
    std::string text;
    soci::session db{url};
    db << "SHOW server_version", soci::into(text);
    return "PostgreSQL " + text.substr(0, text.find(' '));
}

}  // namespace

std::vector<contest> postgresql_contests(const std::string& url) {
    const std::string where = version(url);
    return {
        locks(url, where, how::lock),
        locks(url, where, how::try_lock),
        {
            .where = where,
            .id = "postgresql/try_lock_for",
            .what = "try_lock_for(1s) of a free lock, beside a round trip",
            .figure = figure::acquire,
            .contenders =
                {
                    {"libpq, SELECT 1 prepared", "select_one", [=] { return std::make_unique<select_one>(url); }},
                    {"dlock", "dlock",
                     [=] {
                         return std::make_unique<dlock_rival<postgresql::lock, soci::session>>(how::try_lock_for, url,
                                                                                               name);
                     }},
                },
            .goal = 1.50,
            .meaning = "one round trip",
        },
    };
}

}  // namespace dlock::bench
