// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Whatever stands in the search_path, a statement of dlock means what it says: the server calls functions and operators of
// pg_catalog, reads its relations and casts to its types.
// https://www.postgresql.org/docs/current/ddl-schemas.html#DDL-SCHEMAS-PATH
//
// Every statement of the backend is run once, and the server's log says which names they hold. For each of them a schema gets a
// shadow, which tells the log that it was called. Then every statement is run again where the path would find the shadows.
#include <dlock/postgresql.hpp>

#include <algorithm>
#include <future>
#include <iostream>
#include <memory>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <dlock/postgresql/leased_lock.hpp>
#include <dlock/postgresql/lock_manager.hpp>
#include <dlock/postgresql/multi_lock.hpp>
#include <dlock/soci/pooled_session.hpp>

#include "tests/postgresql/sql_text.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/servers/server_traits.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/postgresql.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using pair_lock = basic_lock<postgresql::advisory, integer_pair_key>;

constexpr const char* application = "subject";  // whose statements are dlock's, and BEGIN and the like

/// Runs every statement of the backend, on two sessions and on those that dlock opens itself.
class every_statement {
public:
    every_statement(const std::string& url, soci::session& onlooker) : url_{url}, onlooker_{onlooker} {}

    void run() {
        soci::session a{url_}, b{url_};
        run_on(a, b);
        run_on_sessions_of_dlock();
    }

    void run_on(soci::session& a, soci::session& b) {
        postgresql::assume_session_pooling(a);
        postgresql::bound_silence(a);
        postgresql::lock name_a{a, "x"}, name_b{b, "x"};
        exclude(name_a, name_b, a, b);
        pair_lock pair_a{a, integer_pair{-1, 2}}, pair_b{b, integer_pair{-1, 2}};
        exclude(pair_a, pair_b, a, b);
        postgresql::multi_lock set_a{a, {"u", "v", "w"}}, set_b{b, {"w", "x"}};
        exclude(set_a, set_b, a, b);
        using pairs = basic_lock<postgresql::advisory_set, each<integer_pair_key>>;
        pairs pairs_a{a, {integer_pair{1, 2}, integer_pair{-3, 4}}}, pairs_b{b, {integer_pair{1, 2}}};
        exclude(pairs_a, pairs_b, a, b);
        in_transactions(a, b);
        fenced(a, b);
        pending(a);
        EXPECT_EQ(held(), 0);
    }

    void run_on_sessions_of_dlock() {
        {
            soci::connection_pool pool{1};
            pool.at(0).open(url_);
            std::unique_ptr<postgresql::lock> forgotten;
            pooled_session db{pool};
            forgotten = std::make_unique<postgresql::lock>(db, "x");
            forgotten->lock();
            db.session().begin();
        }
        EXPECT_EQ(held(), 0) << "a pooled session";
        if (server_traits::of_postgresql().leases) {
            leased<postgresql::leased_lock>();
            leased<postgresql::leased_fenced_lock>();
        }
        managed();
        await([&] { return held() == 0; }, "the server ends the manager's sessions");
    }

private:
    /// Of this database, or of others: advisory locks of the whole server.
    int held() { return granted(onlooker_); }

    template <class Lock>
    void exclude(Lock& mine, Lock& theirs, soci::session& a, soci::session& b) {
        for (const bool inside : {false, true}) {
            if (inside) {
                a.begin();
                b.begin();
            }
            for (const mode m : {mode::exclusive, mode::shared}) {
                for (const int way : {0, 1, 2}) {
                    if (m == mode::exclusive) {
                        if (way == 0) mine.lock();
                        else EXPECT_TRUE(way == 1 ? mine.try_lock() : mine.try_lock_for(1min));
                    } else {
                        if (way == 0) mine.lock_shared();
                        else EXPECT_TRUE(way == 1 ? mine.try_lock_shared() : mine.try_lock_shared_for(1min));
                    }
                    EXPECT_GE(granted(onlooker_, pid_of(a)), 1);
                    EXPECT_FALSE(theirs.try_lock());
                    EXPECT_FALSE(theirs.try_lock_for(2ms)) << "and the proof that it is not held";
                    if (m == mode::shared) {
                        EXPECT_TRUE(theirs.try_lock_shared());
                        theirs.unlock_shared();
                    } else {
                        EXPECT_FALSE(theirs.try_lock_shared());
                        EXPECT_FALSE(theirs.try_lock_shared_for(2ms));
                    }
                    EXPECT_EQ(held(), granted(onlooker_, pid_of(a)));
                    const auto who = theirs.holders();
                    EXPECT_EQ(who.size(), 1U);
                    for (const auto& one : who) {
                        EXPECT_EQ(one.session, std::to_string(pid_of(a)));
                        EXPECT_NE(one.description.find(application), std::string::npos) << one.description;
                    }
                    EXPECT_FALSE(unlock(mine));
                    EXPECT_EQ(held(), 0);
                }
            }
            if (inside) {
                a.rollback();
                b.rollback();
            }
        }
    }

    void in_transactions(soci::session& a, soci::session& b) {
        postgresql::transaction_lock mine{a, "t"}, theirs{b, "t"};
        basic_transaction_lock<postgresql::transaction_advisory, integer_pair_key> pair{a, integer_pair{5, 6}}, other{b, integer_pair{5, 6}};
        const auto exclude = [&](auto& x, auto& y) {
            for (const int way : {0, 1, 2, 3, 4, 5}) {
                soci::transaction one{a}, two{b};
                switch (way) {
                    case 0: x.lock(); break;
                    case 1: EXPECT_TRUE(x.try_lock()); break;
                    case 2: EXPECT_TRUE(x.try_lock_for(1min)); break;
                    case 3: x.lock_shared(); break;
                    case 4: EXPECT_TRUE(x.try_lock_shared()); break;
                    default: EXPECT_TRUE(x.try_lock_shared_for(1min)); break;
                }
                EXPECT_FALSE(y.try_lock());
                EXPECT_FALSE(y.try_lock_for(2ms));
                execute(raw(a), "SAVEPOINT mine; ROLLBACK TO SAVEPOINT mine");
                EXPECT_TRUE(x.owns_lock()) << "which the server was asked";
                EXPECT_EQ(y.holders().size(), 1U);
                EXPECT_EQ(granted(onlooker_, pid_of(a)), 1);
                one.commit();
                EXPECT_EQ(held(), 0);
            }
        };
        exclude(mine, theirs);
        exclude(pair, other);
    }

    void fenced(soci::session& a, soci::session& b) {
        postgresql::create_fence(a);
        using fenced_pair = basic_lock<postgresql::fenced_advisory, integer_pair_key>;
        fencing_token last{};
        const auto draw = [&](auto& mine, auto& theirs) {
            for (const int way : {0, 1, 2, 3}) {
                way == 0 ? (void)mine.try_lock() : way == 1 ? mine.lock() : way == 2 ? mine.lock_shared() : (void)mine.try_lock_shared();
                ASSERT_TRUE(mine.owns_lock());
                EXPECT_GT(mine.token(), last);
                last = mine.token();
                EXPECT_FALSE(theirs.try_lock_for(2ms));
                EXPECT_FALSE(unlock(mine));
            }
        };
        postgresql::fenced_lock mine{a, "f"}, theirs{b, "f"};
        draw(mine, theirs);
        draw(theirs, mine);
        fenced_pair pair{a, integer_pair{7, 8}}, other{b, integer_pair{7, 8}};
        draw(pair, other);
        draw(other, pair);
    }

    /// Releases that have to wait: of one lock, and of a set.
    void pending(soci::session& a) {
        postgresql::lock one{a, "x"};
        postgresql::multi_lock set{a, {"y", "z"}};
        a.begin();
        one.lock();
        set.lock();
        execute(raw(a), "an error");
        EXPECT_EQ(unlock(one), std::errc::operation_in_progress);
        EXPECT_EQ(unlock(set), std::errc::operation_in_progress);
        a.rollback();
        EXPECT_FALSE(unlock(one));
        EXPECT_FALSE(unlock(set));
    }

    template <class Lock>
    void leased() {
        Lock mine{url_, "l", 1s}, theirs{url_, "l", 1s};
        mine.lock();
        EXPECT_FALSE(theirs.try_lock_for(400ms)) << "during which a heart beats";
        EXPECT_TRUE(mine.owns_lock());
        mine.unlock();
        EXPECT_TRUE(theirs.try_lock_for(1min));
        theirs.unlock();
    }

    void managed() {
        postgresql::lock_manager locks{url_}, others{url_};
        exclude_managed<postgresql::managed_lock>(locks, others, "m");
        exclude_managed<basic_lock<dlock::managed<postgresql::pipelined_advisory>, integer_pair_key>>(locks, others, integer_pair{9, -9});
    }

    template <class Lock, class Name>
    void exclude_managed(postgresql::lock_manager& locks, postgresql::lock_manager& others, const Name& name) {
        Lock mine{locks, name}, theirs{others, name};
        for (const bool shared : {false, true}) {
            shared ? mine.lock_shared() : mine.lock();
            EXPECT_EQ(held(), 1);
            EXPECT_FALSE(theirs.try_lock());
            EXPECT_FALSE(theirs.try_lock_for(2ms));
            EXPECT_EQ(theirs.try_lock_shared(), shared);
            if (shared) theirs.unlock_shared();
            EXPECT_EQ(theirs.holders().size(), 1U);
            EXPECT_FALSE(unlock(mine));
        }
    }

    std::string url_;
    soci::session& onlooker_;
};

std::string array_of(const std::set<std::string>& names) {
    std::string text = "ARRAY[";
    for (const auto& name : names) text += "$$" + name + "$$,";
    text.back() = ']';
    return text + "::text[]";
}

class HostilePath : public ::testing::Test {
protected:
    static void SetUpTestSuite() {
        server_ = std::make_unique<postgresql_server>(
            server_options{.settings = {"log_statement=all", "log_line_prefix=%a|", "max_locks_per_transaction=256"}});
        soci::session builder{server_->url()};
        builder << "CREATE DATABASE clean";
        every_statement{url("clean"), builder}.run();
        sent_ = statements();
        for (const auto& text : sent_) {
            const sql_text said{text};
            functions_.insert(said.functions.begin(), said.functions.end());
            operators_.insert(said.operators.begin(), said.operators.end());
            types_.insert(said.types.begin(), said.types.end());
            relations_.insert(said.relations.begin(), said.relations.end());
        }
    }
    static void TearDownTestSuite() { server_.reset(); }

    /// What dlock's sessions have sent so far. Numbers in them are all the same.
    static std::set<std::string> statements() {
        std::set<std::string> all;
        std::istringstream log{server_->log()};
        for (std::string line; std::getline(log, line);) {
            if (!line.starts_with(std::string{application} + "|LOG:  ")) continue;
            for (const std::string_view head : {"statement: ", "execute "}) {
                if (const auto at = line.find(head); at == std::string{application}.size() + 7) {
                    auto text = line.substr(at + head.size());
                    if (head == "execute ") text = text.substr(text.find(": ") + 2);
                    if (text.starts_with("SET ")) continue;  // the test's, and SOCI's
                    all.insert(std::regex_replace(text, std::regex{"-?\\b[0-9]+\\b"}, "0"));
                }
            }
        }
        return all;
    }

    static std::string url(const std::string& database) { return server_->url(database) + " application_name=" + application; }

    /// What the shadows have told since the last test.
    static std::vector<std::string> strangers() {
        std::set<std::string> called;
        const auto all = server_->log();
        std::istringstream log{all.substr(read_)};
        read_ = all.size();
        for (std::string line; std::getline(log, line);) {
            const auto at = line.find("stranger");
            if (at != std::string::npos && line.starts_with(std::string{application} + "|LOG:  stranger")) called.insert(line.substr(at));
        }
        return {called.begin(), called.end()};
    }

    void TearDown() override {
        for (const auto& who : strangers()) ADD_FAILURE() << "the server called " << who;
    }

    /// A database with a schema that shadows every name of every statement.
    static void create_shadows(const std::string& database) {
        soci::session builder{server_->url()};
        builder << "CREATE DATABASE " + database;
        soci::session in{server_->url(database)};
        const auto made = [&](const std::string& sql) {
            const auto result = execute(raw(in), sql);
            if (!sqlstate(result).empty()) ADD_FAILURE() << PQresultErrorMessage(result.get());
        };
        made(R"(
            CREATE SCHEMA hostile;
            CREATE TABLE hostile.shadows (what text);
            CREATE FUNCTION hostile.stranger(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE LOG 'stranger %', $1; RETURN true; END $$;
            CREATE FUNCTION hostile.make(what text, sql text) RETURNS void LANGUAGE plpgsql AS $$
            BEGIN
                EXECUTE sql;
                INSERT INTO hostile.shadows VALUES (what);
            EXCEPTION WHEN OTHERS THEN NULL;  -- a pseudo-type that no such function may have
            END $$;
            CREATE FUNCTION hostile.body(what text, type regtype, is_set boolean) RETURNS text LANGUAGE plpgsql AS $$
            BEGIN
                RETURN format('BEGIN RAISE LOG ''stranger %%'', %L; ', what) ||
                    CASE WHEN is_set THEN 'RETURN; ' WHEN type = 'void'::regtype THEN '' WHEN type = 'boolean'::regtype THEN 'RETURN true; '
                         ELSE 'RETURN NULL; ' END || 'END';
            END $$;)");
        made("DO $do$ BEGIN "
             "PERFORM hostile.make('function ' || oid::regprocedure, format('CREATE FUNCTION hostile.%I(%s) RETURNS %s %s LANGUAGE plpgsql AS %L', "
             "proname, pg_get_function_identity_arguments(oid), CASE WHEN proretset THEN 'SETOF' END, prorettype::regtype, "
             "hostile.body('function ' || oid::regprocedure, prorettype, proretset))) "
             "FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND proname = ANY (" + array_of(functions_) + "); "
             // an aggregate, also one without arguments
             "CREATE FUNCTION hostile.step(bigint) RETURNS bigint LANGUAGE plpgsql AS "
             "$$ BEGIN RAISE LOG 'stranger aggregate count'; RETURN $1; END $$; "
             "CREATE AGGREGATE hostile.count(*) (sfunc = hostile.step, stype = bigint, initcond = '0'); "
             "INSERT INTO hostile.shadows VALUES ('aggregate count'); "
             "PERFORM hostile.make('operator ' || oid::regoperator, format('CREATE FUNCTION hostile.operator_%s(%s) RETURNS %s LANGUAGE plpgsql AS %L; "
             "CREATE OPERATOR hostile.%s (%s RIGHTARG = %s, FUNCTION = hostile.operator_%1$s)', oid, concat_ws(',', nullif(oprleft, 0)::regtype, "
             "oprright::regtype), oprresult::regtype, hostile.body('operator ' || oid::regoperator, oprresult, false), oprname, "
             "'LEFTARG = ' || nullif(oprleft, 0)::regtype || ',', oprright::regtype)) "
             "FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprname = ANY (" + array_of(operators_) + "); "
             "PERFORM hostile.make('type ' || name, format('CREATE DOMAIN hostile.%I AS pg_catalog.%1$I CHECK (hostile.stranger(%L))', name, 'type ' || name)) "
             "FROM unnest(" + array_of(types_) + ") AS name; "
             "PERFORM hostile.make('relation ' || name, format('CREATE FUNCTION hostile.rows_of_%s() RETURNS SETOF pg_catalog.%1$I LANGUAGE plpgsql AS %L; "
             "CREATE VIEW hostile.%1$I AS SELECT * FROM hostile.rows_of_%1$s()', name, hostile.body('relation ' || name, 'text', true))) "
             "FROM unnest(" + array_of(relations_) + ") AS name; "
             "CREATE SEQUENCE hostile.dlock_fence MINVALUE -1000 START -1000; "
             "END $do$");
        std::cout << ask<int>(in, "SELECT count(*)::int FROM hostile.shadows") << " shadows of " << functions_.size() << " functions, "
                  << operators_.size() << " operators, " << types_.size() << " types and " << relations_.size() << " relations that "
                  << sent_.size() << " statements name\n";
    }

    /// What beats pg_catalog although that comes first: functions and operators whose parameters fit better.
    static void create_better_matches(const std::string& database) {
        soci::session builder{server_->url()};
        builder << "CREATE DATABASE " + database;
        soci::session in{server_->url(database)};
        const auto result = execute(raw(in), R"(
            DO $do$
            DECLARE
                plain text[] := ARRAY['smallint', 'integer', 'bigint', 'oid', 'name', 'text', 'double precision', 'numeric', 'boolean', 'interval',
                                      'pg_lsn', 'regclass', 'xid', '"char"', 'bigint[]', 'text[]'];
                made int := 0; f text; l text; r text; o text;
            BEGIN
                FOREACH f IN ARRAY )" + array_of(functions_) + R"( LOOP
                    FOREACH l IN ARRAY plain LOOP
                        BEGIN
                            IF NOT EXISTS (SELECT FROM pg_proc WHERE proname = f AND proargtypes::text = l::regtype::oid::text) THEN
                                EXECUTE format('CREATE FUNCTION public.%I(%s) RETURNS text LANGUAGE plpgsql AS %L', f, l,
                                               format('BEGIN RAISE LOG ''stranger public.%s(%s)''; RETURN NULL; END', f, l));
                                made := made + 1;
                            END IF;
                        EXCEPTION WHEN OTHERS THEN NULL;
                        END;
                    END LOOP;
                    FOREACH l IN ARRAY ARRAY['text, text', 'text, text, text', 'text, text, text, text', 'text, text, boolean', 'boolean, text, text'] LOOP
                        BEGIN
                            EXECUTE format('CREATE FUNCTION public.%I(%s) RETURNS text LANGUAGE plpgsql AS %L', f, l,
                                           format('BEGIN RAISE LOG ''stranger public.%s(%s)''; RETURN NULL; END', f, l));
                            made := made + 1;
                        EXCEPTION WHEN OTHERS THEN NULL;
                        END;
                    END LOOP;
                END LOOP;
                FOREACH l IN ARRAY plain LOOP
                    FOREACH r IN ARRAY plain LOOP
                        EXECUTE format('CREATE FUNCTION public.stranger(%s, %s) RETURNS boolean LANGUAGE plpgsql AS %L', l, r,
                                       format('BEGIN RAISE LOG ''stranger public operator(%s, %s)''; RETURN true; END', l, r));
                        FOREACH o IN ARRAY )" + array_of(operators_) + R"( LOOP
                            IF NOT EXISTS (SELECT FROM pg_operator WHERE oprname = o AND oprleft = l::regtype AND oprright = r::regtype) THEN
                                EXECUTE format('CREATE OPERATOR public.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = public.stranger)', o, l, r);
                                made := made + 1;
                            END IF;
                        END LOOP;
                    END LOOP;
                END LOOP;
                CREATE TABLE public.made AS SELECT made AS n;
            END $do$)");
        ASSERT_EQ(sqlstate(result), "") << PQresultErrorMessage(result.get());
        std::cout << ask<int>(in, "SELECT n FROM made") << " functions and operators in public whose parameters may fit better\n";
    }

    static inline std::unique_ptr<postgresql_server> server_;
    static inline std::size_t read_ = 0;  ///< of the log
    static inline std::set<std::string> sent_, functions_, operators_, types_, relations_;
    soci::session onlooker_{server_->url()};
};

TEST_F(HostilePath, EveryNameInEveryStatementIsQualified) {
    ASSERT_GT(sent_.size(), 50U);
    std::size_t names = functions_.size() + operators_.size() + types_.size() + relations_.size();
    std::cout << sent_.size() << " statements, " << names << " names\n";
    for (const auto& text : sent_) {
        const sql_text said{text};
        for (const auto& what : said.unqualified) ADD_FAILURE() << what << "\n    in: " << text;
    }
}

/// The reader above is no better than what it reports.
TEST(SqlText, ReportsWhatASearchPathDecides) {
    for (const char* const wrong : {"SELECT f(1)", "SELECT 1 = 2", "SELECT pg_catalog.f(1)::int4", "SELECT 'a'::pg_catalog.text LIKE 'b'", "SELECT 1 IN (1, 2)",
                                    "SELECT true FROM pg_locks", "SELECT 1 FROM pg_catalog.a JOIN b ON true", "SELECT CASE x WHEN 1 THEN 2 END",
                                    "SELECT nullif(1, 2)", "CREATE SEQUENCE s", "SELECT interval '1s'", "SELECT 1 OPERATOR(public.=) 2", "SELECT public.f(1)",
                                    "SELECT 1 IS DISTINCT FROM 2", "SELECT 1 BETWEEN 0 AND 2", "SELECT - x", "SELECT 1 FROM pg_catalog.a USING (b)"}) {
        EXPECT_FALSE(sql_text{wrong}.unqualified.empty()) << wrong;
    }
    for (const char* const right : {"SELECT pg_catalog.f($1)", "SELECT $1::pg_catalog.int4 OPERATOR(pg_catalog.=) 1", "SAVEPOINT dlock; SELECT 1",
                                    "SELECT pg_catalog.count(*) FILTER (WHERE pg_catalog.f(k)) FROM pg_catalog.unnest($1::pg_catalog.int8[]) AS k",
                                    "SELECT 1 FROM pg_catalog.a AS x LEFT JOIN pg_catalog.b AS y ON true", "CREATE SEQUENCE public.s",
                                    "SELECT 'a = b; f(x) LIKE c'", "SELECT coalesce(NULL, greatest(1, 2))", "SELECT CASE WHEN true THEN 't' END"}) {
        const sql_text said{right};
        for (const auto& what : said.unqualified) ADD_FAILURE() << what << "\n    in: " << right;
    }
}

TEST_F(HostilePath, ASchemaInFrontOfPgCatalogIsNotAsked) {
    create_shadows("behind");
    onlooker_ << "ALTER DATABASE behind SET search_path = hostile, pg_catalog";
    every_statement{url("behind"), onlooker_}.run();
}

// A prepared statement is planned anew when the path has changed.
TEST_F(HostilePath, APathThatChangesBetweenTwoUsesIsNotAsked) {
    create_shadows("changing");
    constexpr const char* hostile = "SET search_path = hostile, pg_catalog";
    constexpr const char* empty = "SET search_path = ''";
    for (const auto& paths : {std::pair{hostile, empty}, std::pair{empty, hostile}}) {
        soci::session a{url("changing")}, b{url("changing")};
        every_statement all{url("changing"), onlooker_};
        for (const char* const path : {paths.first, paths.second}) {
            execute(raw(a), path);
            execute(raw(b), path);
            all.run_on(a, b);
        }
    }
}

// Which takes no right but that to create something in public, or in any schema of the path.
TEST_F(HostilePath, ABetterMatchBehindPgCatalogIsNotAsked) {
    create_better_matches("better");
    every_statement{url("better"), onlooker_}.run();
}

// Those come first for relations and types, also where the path does not name pg_temp.
TEST_F(HostilePath, TemporaryRelationsAndTypesAreNotAsked) {
    create_shadows("temporary");
    for (const bool used_before : {false, true}) {
        soci::session a{url("temporary")}, b{url("temporary")};
        every_statement all{url("temporary"), onlooker_};
        if (used_before) all.run_on(a, b);
        for (auto* const on : {&a, &b}) {
            for (const auto& name : relations_) {
                EXPECT_EQ(sqlstate(execute(raw(*on), "CREATE TEMP VIEW " + name + " AS SELECT * FROM hostile." + name)), "");
            }
            for (const auto& name : types_) {
                EXPECT_EQ(sqlstate(execute(raw(*on), "CREATE DOMAIN pg_temp." + name + " AS pg_catalog." + name + " CHECK (hostile.stranger('temporary type'))")), "");
            }
            EXPECT_EQ(sqlstate(execute(raw(*on), "CREATE TEMP SEQUENCE dlock_fence MINVALUE -1000 START -1000")), "");
        }
        all.run_on(a, b);
    }
}

}  // namespace
}  // namespace dlock::testing
