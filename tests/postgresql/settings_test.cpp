// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Whatever a user sets for a session, a lock of that session excludes the sessions of others, is released when it is, and what it
// says is so. Every setting that a user or a superuser may set, at its limits and in between, against a session with the defaults.
// https://www.postgresql.org/docs/current/view-pg-settings.html
#include <dlock/postgresql.hpp>

#include <array>
#include <chrono>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <gtest/gtest.h>

#include <dlock/postgresql/multi_lock.hpp>

#include "tests/servers/postgresql_server.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/postgresql.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;

enum class part { plain, set, fenced, inside, of_transaction };
constexpr std::array parts{part::plain, part::set, part::fenced, part::inside, part::of_transaction};

/// What a setting makes impossible, and how that is told. Nothing is locked then.
bool may_fail(const std::string& name, const std::string& value, part what, errc how) {
    const bool inside = what == part::inside || what == part::of_transaction;
    if (name == "statement_timeout") return value == "1" && (how == errc::cancelled || how == errc::lost);
    if (name == "exit_on_error") return value == "on" && how == errc::lost;  // a wait that times out is an error
    if (name == "default_transaction_isolation") return !value.starts_with("read ") && inside && how == errc::unsupported;
    if (name == "default_transaction_read_only") return value == "on" && what == part::fenced && how == errc::unsupported;
    return false;
}

void ignore(void*, const PGresult*) {}

class Settings : public ::testing::Test {
protected:
    Settings() {
        postgresql::create_fence(b_);
        b_ << "DO $$ BEGIN CREATE ROLE clerk; EXCEPTION WHEN duplicate_object THEN NULL; END $$";
        b_ << "GRANT USAGE ON SEQUENCE public.dlock_fence TO PUBLIC";
    }

    /// Runs a part on a session with the setting; why it failed, if it did.
    std::optional<lock_error> run(part what, soci::session& a) {
        try {
            switch (what) {
                case part::plain: plain(a); break;
                case part::set: set(a); break;
                case part::fenced: fenced(a); break;
                case part::inside: {
                    soci::transaction open{a};
                    plain(a);
                    open.commit();
                    break;
                }
                case part::of_transaction: of_transaction(a); break;
            }
        } catch (const lock_error& error) {
            return error;
        } catch (const soci::soci_error& error) {  // of BEGIN and COMMIT
            const bool lives = PQstatus(raw(a)) == CONNECTION_OK;
            return lock_error{lives ? errc::cancelled : errc::lost, error.what()};
        }
        return std::nullopt;
    }

    void plain(soci::session& a) {
        postgresql::lock mine{a, "x"}, theirs{b_, "x"};
        for (const int way : {0, 1, 2}) {
            if (way == 0) mine.lock();
            else EXPECT_TRUE(way == 1 ? mine.try_lock() : mine.try_lock_for(1min));
            EXPECT_TRUE(mine.owns_lock());
            EXPECT_FALSE(theirs.try_lock());
            EXPECT_EQ(granted(onlooker_, pid_of(a)), 2);
            const auto who = mine.holders();
            ASSERT_EQ(who.size(), 1U);
            EXPECT_EQ(who.front().session, std::to_string(pid_of(a)));
            EXPECT_EQ(unlock(mine), std::error_code{});
            EXPECT_TRUE(theirs.try_lock());
            EXPECT_FALSE(mine.try_lock());
            if (way == 0) {
                EXPECT_FALSE(mine.try_lock_shared_for(2ms));
                EXPECT_EQ(mine.holders().size(), 1U);
            }
            theirs.unlock();
        }
    }

    void set(soci::session& a) {
        postgresql::multi_lock mine{a, {"x", "y", "z"}};
        postgresql::lock theirs{b_, "y"};
        for (const int way : {0, 1}) {
            if (way == 0) mine.lock();
            else EXPECT_TRUE(mine.try_lock());
            EXPECT_FALSE(theirs.try_lock());
            EXPECT_EQ(granted(onlooker_, pid_of(a)), 4);
            EXPECT_EQ(mine.holders().size(), 1U);
            EXPECT_EQ(unlock(mine), std::error_code{});
            EXPECT_TRUE(theirs.try_lock());
            EXPECT_FALSE(mine.try_lock());
            if (way == 0) {
                EXPECT_FALSE(mine.try_lock_for(2ms));
            }
            EXPECT_EQ(granted(onlooker_, pid_of(a)), 1);
            theirs.unlock();
        }
    }

    void fenced(soci::session& a) {
        postgresql::fenced_lock mine{a, "x"}, theirs{b_, "x"};
        for (const int way : {0, 1}) {
            theirs.lock();
            EXPECT_FALSE(mine.try_lock());
            if (way == 0) {
                EXPECT_FALSE(mine.try_lock_for(2ms));
            }
            const auto before = theirs.token();
            theirs.unlock();
            if (way == 0) mine.lock();
            else EXPECT_TRUE(mine.try_lock_shared_for(1min));
            EXPECT_GT(mine.token(), before);
            EXPECT_FALSE(theirs.try_lock());
            EXPECT_EQ(unlock(mine), std::error_code{});
        }
    }

    void of_transaction(soci::session& a) {
        postgresql::transaction_lock mine{a, "x"};
        postgresql::lock theirs{b_, "x"};
        for (const int way : {0, 1}) {
            soci::transaction open{a};
            theirs.lock();
            EXPECT_FALSE(mine.try_lock());
            if (way == 0) {
                EXPECT_FALSE(mine.try_lock_for(2ms));
            }
            theirs.unlock();
            if (way == 0) mine.lock();
            else EXPECT_TRUE(mine.try_lock());
            EXPECT_FALSE(theirs.try_lock());
            open.commit();
            EXPECT_TRUE(theirs.try_lock());
            theirs.unlock();
        }
    }

    struct setting {
        std::string name;
        std::vector<std::string> values;
    };

    /// Every setting of this server that a session may set, and values for it.
    std::vector<setting> settings() {
        static const std::map<std::string, std::vector<std::string>> by_hand{
            {"search_path", {"", "pg_temp", "pg_catalog, public", "nowhere"}},
            {"DateStyle", {"ISO, DMY", "SQL, MDY", "Postgres, YMD", "German"}},
            {"TimeZone", {"UTC", "Pacific/Kiritimati", "America/St_Johns", "-14"}},
            {"timezone_abbreviations", {"Australia", "India"}},
            {"role", {"clerk", "none"}},
            {"session_authorization", {"clerk"}},
            {"lc_messages", {"C", "POSIX", "C.UTF-8", ""}},
            {"lc_monetary", {"C", "POSIX", "C.UTF-8", ""}},
            {"lc_numeric", {"C", "POSIX", "C.UTF-8", ""}},
            {"lc_time", {"C", "POSIX", "C.UTF-8", ""}},
            {"application_name", {"", "O'Reilly \\ $1 %s", std::string(200, 'x')}},
            {"restrict_nonsystem_relation_kind", {"view, foreign-table"}},
            {"wal_consistency_checking", {"all", ""}},
            {"transaction_isolation", {"serializable"}},
        };
        std::vector<setting> all;
        const auto rows = execute(raw(onlooker_),
                                  "SELECT name, vartype, min_val, max_val, array_to_string(enumvals, ';'), reset_val FROM pg_settings "
                                  "WHERE context IN ('user', 'superuser') ORDER BY name");
        for (int row = 0; row < PQntuples(rows.get()); ++row) {
            const auto field = [&](int column) { return value(rows, row, column); };
            setting one{field(0), {}};
            const auto type = field(1);
            if (one.name == "client_encoding") {
                const auto encodings = execute(raw(onlooker_), "SELECT pg_encoding_to_char(n) FROM generate_series(0, 60) AS n WHERE pg_encoding_to_char(n) <> ''");
                for (int i = 0; i < PQntuples(encodings.get()); ++i) one.values.push_back(value(encodings, i));
            } else if (const auto known = by_hand.find(one.name); known != by_hand.end()) {
                one.values = known->second;
            } else if (type == "bool") {
                one.values = {"on", "off"};
            } else if (type == "enum") {
                for (auto rest = field(4); !rest.empty();) {
                    const auto end = rest.find(';');
                    one.values.push_back(rest.substr(0, end));
                    rest = end == std::string::npos ? "" : rest.substr(end + 1);
                }
            } else if (type == "integer") {
                const auto low = std::stoll(field(2)), high = std::stoll(field(3));
                one.values = {field(2), field(3)};
                // A session that the server ends between two statements is a loss, which other tests are for.
                if (low < 1 && high > 1 && !one.name.starts_with("idle_") && one.name != "transaction_timeout") one.values.insert(one.values.end(), {"1", "10000"});
            } else if (type == "real") {
                // At infinite costs PostgreSQL 15 cannot plan holders() of a set: "could not find pathkey item to sort".
                one.values = {field(2), field(3).find("e+308") == std::string::npos ? field(3) : "1e10"};
            } else {
                one.values = {"", "x"};
            }
            std::erase(one.values, field(5));  // which it has anyway
            all.push_back(one);
        }
        return all;
    }

    static bool put(soci::session& on, const std::string& name, const std::string& value) {
        const char* const values[]{name.c_str(), value.c_str()};
        const raw_result answer{PQexecParams(raw(on), "SELECT set_config($1, $2, false)", 2, nullptr, values, nullptr, nullptr, 0)};
        return sqlstate(answer).empty() && PQresultStatus(answer.get()) == PGRES_TUPLES_OK;
    }

    std::unique_ptr<soci::session> connect() {
        auto session = std::make_unique<soci::session>(server_.url());
        PQsetNoticeReceiver(raw(*session), &ignore, nullptr);  // at client_min_messages = debug5 there are many
        return session;
    }

    postgresql_server& server_ = postgresql_server::shared();
    soci::session onlooker_{server_.url()}, b_{server_.url()};
};

TEST_F(Settings, NoneDecidesWhatIsLocked) {
    int names = 0, values = 0, refused = 0;
    std::vector<std::string> impossible;
    for (const auto& one : settings()) {
        auto a = connect();  // the first value meets statements that are not prepared yet, the others those that are
        bool turned = false;
        for (const auto& value : one.values) {
            SCOPED_TRACE(one.name + " = " + value.substr(0, 60));
            {
                postgresql::lock other{*a, "other"};
                other.lock();
                if (!put(*a, one.name, value)) {
                    ++refused;
                    continue;
                }
                ++values;
                turned = true;
                const int pid = pid_of(*a);
                for (const auto what : parts) {
                    const auto failed = run(what, *a);
                    if (!failed) {
                        EXPECT_TRUE(other.owns_lock());
                        EXPECT_EQ(granted(onlooker_, pid), 1) << "of the other lock";
                        continue;
                    }
                    impossible.push_back(one.name + " = " + value);
                    EXPECT_TRUE(may_fail(one.name, value, what, failed->reason())) << static_cast<int>(what) << ": " << failed->what();
                    if (failed->reason() == errc::lost || PQstatus(raw(*a)) != CONNECTION_OK) {
                        await([&] { return granted(onlooker_, pid) == 0; }, "a session that has ended holds nothing");
                        EXPECT_FALSE(other.owns_lock());
                        break;
                    }
                    EXPECT_TRUE(other.owns_lock());
                    EXPECT_EQ(granted(onlooker_, pid), 1) << "of the other lock";
                }
            }
            if (PQstatus(raw(*a)) != CONNECTION_OK || !sqlstate(execute(raw(*a), "SELECT 1")).empty()) a = connect();
        }
        names += turned ? 1 : 0;
    }
    std::cout << names << " settings, " << values << " values, " << refused << " more that the server refused; where a setting makes a lock "
              << "impossible, that is told:";
    for (const auto& one : impossible) std::cout << " [" << one << ']';
    std::cout << '\n';
    EXPECT_GT(names, 150);
    EXPECT_GT(values, 300);
}

TEST_F(Settings, AFencedLockOfAReadOnlySessionSaysWhy) {
    soci::session a{server_.url()};
    a << "SET default_transaction_read_only = on";
    postgresql::fenced_lock fenced{a, "x"};
    for (const auto& error : {error_of([&] { fenced.lock(); }), error_of([&] { (void)fenced.try_lock(); }), error_of([&] { (void)fenced.try_lock_for(1s); })}) {
        EXPECT_EQ(error.reason(), errc::unsupported);
        EXPECT_EQ(error.native(), "25006");
        EXPECT_NE(std::string{error.what()}.find("default_transaction_read_only = off"), std::string::npos) << error.what();
        EXPECT_EQ(granted(onlooker_), 0);
    }
    postgresql::lock plain{a, "x"};
    EXPECT_TRUE(plain.try_lock()) << "without a token it needs to write nothing";
}

}  // namespace
}  // namespace dlock::testing
