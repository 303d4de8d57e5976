// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <mysql.h>
#include <soci/mysql/soci-mysql.h>
#include <soci/soci.h>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <dlock/mysql.hpp>
#include <dlock/mysql/lock_manager.hpp>
#include <dlock/mysql/multi_lock.hpp>

#include "bench/dlock_rivals.hpp"
#include "bench/rivals.hpp"

namespace dlock::bench {
namespace {

/// Two statements written out, on a connection of the C client: two round trips, with nothing around them. Statements
/// prepared at the server are no faster here.
class client_text final : public rival {
public:
    client_text(const std::string& url, std::string acquire, std::string release, std::size_t others = 0)
        : db_{url},
          connection_{static_cast<soci::mysql_session_backend&>(*db_.get_backend()).conn_},
          acquire_{std::move(acquire)},
          release_{std::move(release)} {
        // No other connection has the same ones.
        for (std::size_t i = 0; i < others; ++i) execute("SELECT GET_LOCK(CONCAT(CONNECTION_ID(), ' " + std::to_string(i) + "'), 3600)");
    }

    void acquire() override { execute(acquire_); }
    void release() override { execute(release_); }

private:
    struct free_result {
        void operator()(MYSQL_RES* r) const noexcept { mysql_free_result(r); }
    };

    void execute(const std::string& sql) {
        if (mysql_real_query(connection_, sql.data(), sql.size()) != 0)
            throw std::runtime_error{mysql_error(connection_)};
        const std::unique_ptr<MYSQL_RES, free_result> answer{mysql_store_result(connection_)};
        const MYSQL_ROW row = answer ? mysql_fetch_row(answer.get()) : nullptr;
        if (row == nullptr || row[0] == nullptr || *row[0] != '1') throw std::runtime_error{"refused"};
    }

    soci::session db_;  // connects, and is not used otherwise
    MYSQL* connection_;
    std::string acquire_, release_;
};

class soci_prepared_statements final : public rival {
public:
    soci_prepared_statements(const std::string& url, const std::string& acquire, const std::string& release)
        : db_{url},
          acquire_{(db_.prepare << acquire, soci::use(the_name), soci::into(answer_))},
          release_{(db_.prepare << release, soci::use(the_name), soci::into(answer_))} {}

    void acquire() override { execute(acquire_); }
    void release() override { execute(release_); }

private:
    void execute(soci::statement& statement) {
        statement.execute(true);
        if (answer_ != 1) throw std::runtime_error{"refused"};
    }

    soci::session db_;
    int answer_ = 0;
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
        db_ << sql, soci::use(the_name), soci::into(answer_);
        if (answer_ != 1) throw std::runtime_error{"refused"};
    }

    soci::session db_;
    std::string acquire_, release_;
    int answer_ = 0;
};

struct types {
    using lock = mysql::lock;
    using multi_lock = mysql::multi_lock;
    using lock_manager = mysql::lock_manager;
    using managed_lock = mysql::managed_lock;

    /// Everybody else's sessions: nobody lists who holds a MariaDB's locks.
    static void end_holders(soci::session& db) {
        std::vector<std::string> all(100);
        db << "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND user <> 'system user'", soci::into(all);
        for (const auto& id : all) db << "KILL " + id;
    }
};

/// "SELECT GET_LOCK(:name, 3600)"
std::string acquire(how way, const std::string& name) { return "SELECT GET_LOCK(" + name + (way == how::try_lock ? ", 0)" : ", 3600)"); }
std::string release(const std::string& name) { return "SELECT RELEASE_LOCK(" + name + ')'; }

class mysql_server_rivals final : public dlock_rivals<types> {
public:
    explicit mysql_server_rivals(const std::string& url) : dlock_rivals{url} {
        std::string text;
        soci::session db{url};
        db << "SELECT VERSION()", soci::into(text);
        where_ = (text.find("MariaDB") == text.npos ? "MySQL " : "MariaDB ") + text.substr(0, text.find('-'));
    }

    [[nodiscard]] std::string id() const override { return "mysql"; }
    [[nodiscard]] std::string where() const override { return where_; }

    [[nodiscard]] locker round_trip() const override {
        return {"C client, SELECT 1", "select_one", [url = url()] { return std::make_unique<client_text>(url, "SELECT 1", "SELECT 1"); }};
    }
    [[nodiscard]] locker raw(how way, std::size_t others) const override {
        const auto name = '\'' + the_name + '\'';
        return {"C client, text", "client_text",
                [=, url = url()] { return std::make_unique<client_text>(url, acquire(way, name), release(name), others); }};
    }
    [[nodiscard]] locker soci_prepared(how way) const override {
        return {"SOCI, prepared", "soci_prepared", [=, url = url()] {
                    return std::make_unique<soci_prepared_statements>(url, acquire(way, ":name"), release(":name"));
                }};
    }
    [[nodiscard]] locker soci_one_time(how way) const override {
        return {"SOCI, one-time", "soci_one_time", [=, url = url()] {
                    return std::make_unique<soci_one_time_statements>(url, acquire(way, ":name"), release(":name"));
                }};
    }

private:
    std::string where_;
};

}  // namespace

std::unique_ptr<server_rivals> mysql_rivals(const std::string& url) { return std::make_unique<mysql_server_rivals>(url); }

}  // namespace dlock::bench
