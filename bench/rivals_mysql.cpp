// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <mysql.h>
#include <soci/mysql/soci-mysql.h>
#include <soci/soci.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <dlock/mysql.hpp>

#include "bench/dlock_rival.hpp"
#include "bench/rivals.hpp"

namespace dlock::bench {
namespace {

const std::string name = "dlock benchmark";

/// Two statements written out, on a connection of the C client: two round trips, with nothing around them. Statements
/// prepared at the server are no faster here.
class client_text final : public rival {
public:
    client_text(const std::string& url, std::string acquire, std::string release)
        : db_{url},
          connection_{static_cast<soci::mysql_session_backend&>(*db_.get_backend()).conn_},
          acquire_{std::move(acquire)},
          release_{std::move(release)} {}

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

class soci_prepared final : public rival {
public:
    soci_prepared(const std::string& url, const std::string& acquire, const std::string& release)
        : db_{url},
          acquire_{(db_.prepare << acquire, soci::use(name), soci::into(answer_))},
          release_{(db_.prepare << release, soci::use(name), soci::into(answer_))} {}

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

class soci_one_time final : public rival {
public:
    soci_one_time(const std::string& url, std::string acquire, std::string release)
        : db_{url}, acquire_{std::move(acquire)}, release_{std::move(release)} {}

    void acquire() override { execute(acquire_); }
    void release() override { execute(release_); }

private:
    void execute(const std::string& sql) {
        db_ << sql, soci::use(name), soci::into(answer_);
        if (answer_ != 1) throw std::runtime_error{"refused"};
    }

    soci::session db_;
    std::string acquire_, release_;
    int answer_ = 0;
};

contest locks(const std::string& url, const std::string& where, how way) {
    const std::string seconds = way == how::lock ? "3600" : way == how::try_lock ? "0" : "1";
    const std::string raw_acquire = "SELECT GET_LOCK('" + name + "', " + seconds + ")";
    const std::string raw_release = "SELECT RELEASE_LOCK('" + name + "')";
    const std::string acquire = "SELECT GET_LOCK(:name, " + seconds + ")";
    const std::string release = "SELECT RELEASE_LOCK(:name)";
    return {
        .where = where,
        .id = way == how::lock       ? "mysql/lock"
              : way == how::try_lock ? "mysql/try_lock"
                                     : "mysql/try_lock_for",
        .what = way == how::lock       ? "lock(), unlock()"
                : way == how::try_lock ? "try_lock(), unlock()"
                                       : "try_lock_for(1s) of a free lock, unlock()",
        .contenders =
            {
                {"C client, text", "client_text",
                 [=] { return std::make_unique<client_text>(url, raw_acquire, raw_release); }},
                {"dlock", "dlock",
                 [=] { return std::make_unique<dlock_rival<mysql::lock, soci::session>>(way, url, name); }},
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
    db << "SELECT VERSION()", soci::into(text);
    return (text.find("MariaDB") == text.npos ? "MySQL " : "MariaDB ") + text.substr(0, text.find('-'));
}

}  // namespace

std::vector<contest> mysql_contests(const std::string& url) {
    const std::string where = version(url);
    return {locks(url, where, how::lock), locks(url, where, how::try_lock), locks(url, where, how::try_lock_for)};
}

}  // namespace dlock::bench
