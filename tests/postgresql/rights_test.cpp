// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A role from which one right after the other was taken: what it may do no more is said with the name of what is missing, nothing
// stays locked, and the session and its other locks go on.
#include <dlock/postgresql.hpp>
#include <dlock/postgresql/lock_manager.hpp>
#include <dlock/postgresql/multi_lock.hpp>

#include <chrono>
#include <future>
#include <iostream>
#include <stop_token>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/servers/postgresql_server.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/postgresql.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;

struct right {
    std::string revoke, grant;
};

right on_table(const std::string& name) {
    return {"REVOKE SELECT ON pg_catalog." + name + " FROM public", "GRANT SELECT ON pg_catalog." + name + " TO public"};
}
right on_function(const std::string& signature) {
    return {"REVOKE EXECUTE ON FUNCTION pg_catalog." + signature + " FROM public",
            "GRANT EXECUTE ON FUNCTION pg_catalog." + signature + " TO public"};
}

class Rights : public ::testing::Test {
protected:
    Rights() {
        admin_ << "CREATE ROLE poor LOGIN";
        postgresql::create_fence(admin_);
        admin_ << "GRANT USAGE ON SEQUENCE public.dlock_fence TO poor";
    }

    std::string url() const {
        return "postgresql://host=" + server_.host() + " port=" + std::to_string(server_.port()) + " user=poor dbname=postgres";
    }

    template <class Body>
    void without(const right& what, Body body) {
        SCOPED_TRACE(what.revoke);
        admin_ << what.revoke;
        body();
        admin_ << what.grant;
        await([this] { return granted(admin_) == 0; }, "the server still holds a lock");  // a manager's release is not awaited
    }

    /// Calls what may throw; the reason is one that says what is missing, and the session goes on.
    template <class Call>
    void attempt(soci::session& db, const char* what, Call call) {
        try {
            call();
        } catch (const lock_error& error) {
            EXPECT_EQ(error.reason(), errc::unsupported) << what << ": " << error.what();
            const std::string said = error.what();
            EXPECT_TRUE(said.find("permission denied for") != said.npos || said.find("grant it EXECUTE on") != said.npos ||
                        said.find("grant USAGE on it") != said.npos) << what << ": " << said;
            ++refused_;
        }
        EXPECT_EQ(PQstatus(raw(db)), CONNECTION_OK) << what;
        EXPECT_EQ(ask<int>(db, "SELECT 7"), 7) << what << ": the session, or its transaction, is of no use";
    }

    postgresql_server server_;
    soci::session admin_{server_.url()};
    int refused_ = 0;
};

/// A wait that fails, and another lock on the same session, while pg_locks tells nothing.
TEST_F(Rights, AFailedWaitNeedsNoneToProveThatNothingIsHeld) {
    soci::session theirs_on{server_.url()};
    postgresql::lock theirs{theirs_on, "x"};
    theirs.lock();
    for (const auto& unreadable : {on_table("pg_locks"), on_function("pg_lock_status()")}) {
        for (const bool inside : {false, true}) {
            SCOPED_TRACE(inside ? "inside a transaction" : "outside");
            admin_ << unreadable.revoke;
            {
                soci::session db{url()};
                int notices = 0;
                PQsetNoticeReceiver(raw(db), [](void* count, const PGresult*) { ++*static_cast<int*>(count); }, &notices);
                postgresql::lock x{db, "x"}, other{db, "other"};
                postgresql::multi_lock several{db, {"w", "x", "y"}};
                other.lock();
                const auto lost = other.lost();
                if (inside) {
                    db.begin();
                    db << "SET LOCAL lock_timeout = '9s'";
                }
                EXPECT_FALSE(x.try_lock_for(20ms));
                EXPECT_FALSE(several.try_lock_for(20ms));
                for (const bool of_several : {false, true}) {
                    std::stop_source stop;
                    auto waits = std::async(std::launch::async, [&] {
                        return reason_of([&] { of_several ? several.lock(stop.get_token()) : x.lock(stop.get_token()); });
                    });
                    await([&] { return waiting(admin_) == 1; }, "nobody waits");
                    stop.request_stop();
                    EXPECT_EQ(waits.get(), errc::cancelled);
                }
                EXPECT_FALSE(lost.stop_requested());
                EXPECT_TRUE(other.owns_lock()) << "the session was ended";
                EXPECT_EQ(granted(admin_, pid_of(db)), 1) << "something was left";
                if (inside) {
                    EXPECT_EQ(ask<std::string>(db, "SHOW lock_timeout"), "9s");
                    EXPECT_EQ(ask<std::string>(db, "SHOW client_min_messages"), "notice");
                    db.commit();
                }
                EXPECT_EQ(notices, 0) << "which the program would see";
            }
            admin_ << unreadable.grant;
        }
    }
}

TEST_F(Rights, WhicheverIsMissingIsNamedAndNothingEnds) {
    const std::vector<right> rights{
        on_table("pg_locks"),
        on_table("pg_stat_activity"),
        on_table("pg_database"),
        on_function("pg_backend_pid()"),
        on_function("pg_is_in_recovery()"),
        on_function("version()"),
        on_function("has_function_privilege(text,text)"),
        on_function("set_config(text,text,boolean)"),
        on_function("current_setting(text)"),
        on_function("pg_try_advisory_lock(bigint)"),
        on_function("pg_advisory_lock(bigint)"),
        on_function("pg_advisory_unlock(bigint)"),
        on_function("pg_advisory_unlock_shared(bigint)"),
        on_function("pg_try_advisory_lock_shared(bigint)"),
        on_function("pg_try_advisory_xact_lock(bigint)"),
        on_function("pg_advisory_xact_lock(bigint)"),
        on_function("nextval(regclass)"),
        on_function("currval(regclass)"),
        on_function("pg_current_wal_flush_lsn()"),
        {"REVOKE USAGE ON SEQUENCE public.dlock_fence FROM poor", "GRANT USAGE ON SEQUENCE public.dlock_fence TO poor"},
    };
    for (const auto& missing : rights) {
        without(missing, [&] {
            soci::session db{url()};
            postgresql::lock x{db, "x"};
            postgresql::fenced_lock f{db, "f"};
            postgresql::multi_lock m{db, {"a", "b"}};
            postgresql::transaction_lock t{db, "t"};
            const int before = refused_;
            attempt(db, "try_lock", [&] { EXPECT_TRUE(x.try_lock() && !unlock(x)); });
            attempt(db, "lock", [&] { x.lock(); EXPECT_FALSE(unlock(x)); });
            attempt(db, "try_lock_for", [&] { EXPECT_TRUE(x.try_lock_for(1s) && !unlock(x)); });
            attempt(db, "lock_shared", [&] { EXPECT_TRUE(x.try_lock_shared() && !unlock(x)); });
            attempt(db, "fenced", [&] { EXPECT_TRUE(f.try_lock() && !unlock(f)); });
            attempt(db, "several", [&] { EXPECT_TRUE(m.try_lock_for(1s) && !unlock(m)); });
            attempt(db, "holders", [&] { (void)x.holders(); });
            db.begin();
            attempt(db, "inside: try_lock", [&] { EXPECT_TRUE(x.try_lock() && !unlock(x)); });
            attempt(db, "inside: try_lock_for", [&] { EXPECT_TRUE(x.try_lock_for(1s) && !unlock(x)); });
            attempt(db, "inside: several", [&] { EXPECT_TRUE(m.try_lock_for(1s) && !unlock(m)); });
            attempt(db, "inside: holders", [&] { (void)x.holders(); });
            attempt(db, "for the transaction", [&] { EXPECT_TRUE(t.try_lock_for(1s)); });
            db.commit();
            db.begin();
            attempt(db, "for the transaction: try_lock", [&] { EXPECT_TRUE(t.try_lock()); });
            db.commit();
            EXPECT_GT(refused_, before) << "it is not needed, then";
        });
    }
    std::cout << rights.size() << " rights, " << refused_ << " calls refused\n";
}

TEST_F(Rights, AManagersLockNeedsNoneToProveThatNothingIsHeld) {
    without(on_table("pg_locks"), [&] {
        soci::session theirs_on{server_.url()};
        postgresql::lock theirs{theirs_on, "x"};
        theirs.lock();
        postgresql::lock_manager locks{url()};
        postgresql::managed_lock x{locks, "x"}, other{locks, "other"};
        ASSERT_TRUE(other.try_lock());
        EXPECT_FALSE(x.try_lock_for(20ms));
        EXPECT_TRUE(other.owns_lock());
        EXPECT_FALSE(unlock(other));
        theirs.unlock();
    });
}

TEST_F(Rights, TheThreadRuleIsNamedWhereAStatementIsInProgress) {
    soci::session db{server_.url()};
    postgresql::lock x{db, "x"};
    ASSERT_NE(PQsendQuery(raw(db), "SELECT 1"), 0);
    const auto busy = error_of([&] { (void)x.try_lock(); });
    EXPECT_EQ(busy.reason(), errc::unsupported);
    EXPECT_NE(std::string{busy.what()}.find("another thread uses the session"), std::string::npos) << busy.what();
    while (const raw_result next{PQgetResult(raw(db))}) {
    }
    ASSERT_NE(PQenterPipelineMode(raw(db)), 0);
    const auto piped = error_of([&] { (void)x.try_lock(); });
    EXPECT_NE(std::string{piped.what()}.find("another thread uses the session"), std::string::npos) << piped.what();
    ASSERT_NE(PQexitPipelineMode(raw(db)), 0);
    EXPECT_TRUE(x.try_lock());
}

}  // namespace
}  // namespace dlock::testing
