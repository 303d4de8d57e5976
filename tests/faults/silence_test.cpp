// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A server that does not answer: every call that has an end ends within its grace, says why, and tells the other locks of its
// session. What cannot be delivered is tried a few times, and no more.
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <soci/soci.h>

#include <dlock/mysql.hpp>
#include <dlock/mysql/leased_lock.hpp>
#include <dlock/mysql/lock_manager.hpp>
#include <dlock/mysql/multi_lock.hpp>
#include <dlock/postgresql.hpp>
#include <dlock/postgresql/leased_lock.hpp>
#include <dlock/postgresql/lock_manager.hpp>
#include <dlock/postgresql/multi_lock.hpp>
#include <dlock/soci/pooled_session.hpp>

#include "tests/faults/frozen.hpp"
#include "tests/faults/proxy.hpp"
#include "tests/servers/mariadb_server.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/postgresql.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto grace = 300ms;
constexpr auto slack = 1500ms;  // of a machine that does other things too
constexpr auto soon = 30s;

struct on_postgresql {
    using lock = postgresql::lock;
    using fenced_lock = postgresql::fenced_lock;
    using multi_lock = postgresql::multi_lock;
    using leased_lock = postgresql::leased_lock;
    using manager = postgresql::lock_manager;
    using managed_lock = postgresql::managed_lock;
    static constexpr const char* waiters = "SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    static auto& server() {
        static postgresql_server it{{.settings = {"max_connections=200"}, .tcp = true}};
        return it;
    }
    static int port() { return server().port(); }
    static std::string url(int port) { return "postgresql://host=127.0.0.1 user=dlock dbname=postgres connect_timeout=2 port=" + std::to_string(port); }
    static void set_grace(soci::session& of, std::chrono::milliseconds to) { postgresql::set_grace(of, to); }
    static void prepare(soci::session& db) { postgresql::create_fence(db); }
};

struct on_mariadb {
    using lock = mysql::lock;
    using fenced_lock = mysql::fenced_lock;
    using multi_lock = mysql::multi_lock;
    using leased_lock = mysql::leased_lock;
    using manager = mysql::lock_manager;
    using managed_lock = mysql::managed_lock;
    static constexpr const char* waiters = "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User lock'";
    static auto& server() {
        static mariadb_server it{{.settings = {}, .tcp = true}};
        return it;
    }
    static int port() { return server().port().value(); }
    static std::string url(int port) { return "mysql://host=127.0.0.1 user=root dbname=test connect_timeout=2 port=" + std::to_string(port); }
    static void set_grace(soci::session& of, std::chrono::milliseconds to) { mysql::set_grace(of, to); }
    static void prepare(soci::session&) {}
};

/// \param limit  what the call may take in all
template <class Call>
lock_error lost_within(std::chrono::milliseconds limit, Call call) {
    const auto begin = clock::now();
    auto error = error_of(call);
    const auto took = clock::now() - begin;
    EXPECT_LE(took, limit + slack) << error.what();
    EXPECT_EQ(error.reason(), errc::lost) << error.what();
    return error;
}

void expect_the_reason(const lock_error& error) {
    EXPECT_NE(std::string{error.what()}.find("did not answer"), std::string::npos) << error.what();
    EXPECT_NE(std::string{error.what()}.find("the session was ended"), std::string::npos) << error.what();
}

template <class On>
class Silence : public ::testing::Test {
protected:
    Silence() {
        On::prepare(onlooker_);
        On::set_grace(mine_, grace);
    }

    static std::string url() { return On::url(On::port()); }

    void await_waiter(int wanted = 1) {
        await(
            [&] {
                int found = 0;
                onlooker_ << On::waiters, soci::into(found);
                return found == wanted;
            },
            "nobody waits");
    }

    /// `call` on a frozen server, while another lock is held on the same session, which is told.
    template <class Call>
    void frozen_call(std::chrono::milliseconds limit, Call call) {
        typename On::lock other{mine_, "other"};
        ASSERT_TRUE(other.try_lock());
        const auto lost = other.lost();
        {
            frozen stopped{On::server().pid()};
            expect_the_reason(lost_within(limit, call));
            EXPECT_TRUE(lost.stop_requested());
            EXPECT_EQ(other.state(), lock_state::lost);
            EXPECT_EQ(unlock(other), errc::lost);
            // the next use says so too, and at once
            typename On::lock next{mine_, "next"};
            (void)lost_within(0ms, [&] { (void)next.try_lock(); });
        }
        typename On::lock theirs{onlooker_, "other"};
        EXPECT_TRUE(theirs.try_lock_for(soon)) << "the server has not freed it";
    }

    soci::session onlooker_{url()}, mine_{url()};
};

using kinds = ::testing::Types<on_postgresql, on_mariadb>;
struct names {
    template <class On>
    static std::string GetName(int) {
        return std::is_same_v<On, on_postgresql> ? "PostgreSql" : "MariaDb";
    }
};
TYPED_TEST_SUITE(Silence, kinds, names);

TYPED_TEST(Silence, EndsATry) {
    typename TypeParam::lock x{this->mine_, "x"};
    this->frozen_call(grace, [&] { (void)x.try_lock(); });
}

TYPED_TEST(Silence, EndsATimedWait) {
    typename TypeParam::lock x{this->mine_, "x"};
    this->frozen_call(300ms + grace, [&] { (void)x.try_lock_for(300ms); });
}

TYPED_TEST(Silence, EndsALockWithALimit) {
    basic_lock<typename TypeParam::lock::backend_type, typename TypeParam::lock::key_policy_type, block> x{this->mine_, "x", block{}.at_most(300ms)};
    this->frozen_call(300ms + grace, [&] { x.lock(); });
}

TYPED_TEST(Silence, EndsAPoll) {
    basic_lock<typename TypeParam::lock::backend_type, typename TypeParam::lock::key_policy_type, poll> x{this->mine_, "x", poll{10ms}};
    this->frozen_call(300ms + grace, [&] { (void)x.try_lock_for(300ms); });
}

TYPED_TEST(Silence, EndsATryForSeveral) {
    typename TypeParam::multi_lock x{this->mine_, {"x", "y"}};
    this->frozen_call(grace, [&] { (void)x.try_lock(); });
}

TYPED_TEST(Silence, EndsATimedWaitForSeveral) {
    typename TypeParam::multi_lock x{this->mine_, {"x", "y"}};
    this->frozen_call(300ms + grace, [&] { (void)x.try_lock_for(300ms); });
}

TYPED_TEST(Silence, EndsATryWithAToken) {
    typename TypeParam::fenced_lock x{this->mine_, "x"};
    this->frozen_call(grace, [&] { (void)x.try_lock(); });
}

TYPED_TEST(Silence, EndsAQuestion) {
    typename TypeParam::lock x{this->mine_, "x"};
    this->frozen_call(5 * grace, [&] { (void)x.holders(); });
}

TYPED_TEST(Silence, EndsAWaitThatIsAskedToStop) {
    typename TypeParam::lock x{this->mine_, "x"};
    std::stop_source stop;
    stop.request_stop();
    this->frozen_call(grace, [&] {
        std::stop_source later;
        std::jthread asks{[&] {
            std::this_thread::sleep_for(50ms);
            later.request_stop();
        }};
        x.lock(later.get_token());
    });
}

TYPED_TEST(Silence, EndsAWaitInTheQueueThatIsAskedToStop) {
    typename TypeParam::lock x{this->mine_, "x"}, theirs{this->onlooker_, "x"}, other{this->mine_, "other"};
    ASSERT_TRUE(theirs.try_lock() && other.try_lock());
    std::stop_source stop;
    auto waits = std::async(std::launch::async, [&] { return error_of([&] { x.lock(stop.get_token()); }); });
    this->await_waiter();
    const frozen stopped{TypeParam::server().pid()};
    const auto begin = clock::now();
    stop.request_stop();
    const auto error = waits.get();
    EXPECT_EQ(error.reason(), errc::lost);
    expect_the_reason(error);
    EXPECT_LE(clock::now() - begin, grace + slack);
    EXPECT_EQ(other.state(), lock_state::lost);
}

TYPED_TEST(Silence, EndsTheFirstUseOfASession) {
    soci::session fresh{this->url()};
    TypeParam::set_grace(fresh, grace);
    typename TypeParam::lock x{fresh, "x"};
    const frozen stopped{TypeParam::server().pid()};
    expect_the_reason(lost_within(grace, [&] { (void)x.try_lock_for(0ms); }));
}

TYPED_TEST(Silence, EndsAReleaseAndADestructor) {
    for (const bool several : {false, true}) {
        soci::session db{this->url()};
        TypeParam::set_grace(db, grace);
        typename TypeParam::lock other{db, "other"};
        const auto ends = [&](auto& lock) {
            ASSERT_TRUE(lock.try_lock() && other.try_lock());
            const frozen stopped{TypeParam::server().pid()};
            const auto begin = clock::now();
            EXPECT_EQ(unlock(lock), errc::lost);
            EXPECT_LE(clock::now() - begin, 5 * grace + slack);
            EXPECT_EQ(other.state(), lock_state::lost);
        };
        if (several) {
            typename TypeParam::multi_lock x{db, {"x", "y"}};
            ends(x);
        } else {
            typename TypeParam::lock x{db, "x"};
            ends(x);
        }
    }
    {
        soci::session db{this->url()};
        TypeParam::set_grace(db, grace);
        auto x = std::make_unique<typename TypeParam::lock>(db, "x");
        x->lock();
        const frozen stopped{TypeParam::server().pid()};
        const auto begin = clock::now();
        x.reset();
        EXPECT_LE(clock::now() - begin, 5 * grace + slack);
    }
    typename TypeParam::lock theirs{this->onlooker_, "x"};
    EXPECT_TRUE(theirs.try_lock_for(soon));
}

TYPED_TEST(Silence, EndsTheCleaningOfAPooledSession) {
    soci::connection_pool pool{1};
    pool.at(0).open(this->url());
    std::optional<frozen> stopped;
    const auto begin = [&] {
        pooled_session session{pool};
        TypeParam::set_grace(session, grace);
        if (session.session().get_backend_name() == "mysql") session.session() << "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
        session.session().begin();
        session.session() << "SELECT 1";
        typename TypeParam::lock x{session.session(), "x"};
        x.lock();
        stopped.emplace(TypeParam::server().pid());
        return clock::now();
    }();
    EXPECT_LE(clock::now() - begin, 2 * 5 * grace + 2s + slack) << "a release, a rollback, a new connection";
}

TYPED_TEST(Silence, EndsALeasedLocksWaitWhileItHoldsNothing) {
    typename TypeParam::leased_lock leased{this->url(), "x", 1s};
    {
        const frozen stopped{TypeParam::server().pid()};
        // The heart finds the session silent, or the call does, and then nobody answers a new connection: at most two attempts of 2 s.
        const auto begin = clock::now();
        const auto error = error_of([&] { (void)leased.try_lock_for(300ms); });
        EXPECT_LE(clock::now() - begin, 1s + 2 * 2s + 300ms + slack) << error.what();
        EXPECT_TRUE(error.reason() == errc::lost || error.reason() == errc::not_connected) << error.what();
    }
    EXPECT_TRUE(leased.try_lock_for(soon));
}

// --- lock_manager

TYPED_TEST(Silence, EndsATryOfAManager) {
    typename TypeParam::manager locks{this->url(), {.grace = grace}};
    typename TypeParam::managed_lock x{locks, "x"}, y{locks, "y"};
    ASSERT_TRUE(y.try_lock());
    const auto lost = y.lost();
    {
        const frozen stopped{TypeParam::server().pid()};
        (void)lost_within(grace, [&] { (void)x.try_lock(); });
        await([&] { return lost.stop_requested(); }, "the other lock of the connection is not told");
    }
    EXPECT_EQ(unlock(y), errc::lost);
    EXPECT_TRUE(x.try_lock_for(soon)) << "on a new connection";
}

TYPED_TEST(Silence, EndsAQuestionOfAManager) {
    typename TypeParam::manager locks{this->url(), {.grace = grace}};
    typename TypeParam::managed_lock x{locks, "x"};
    const frozen stopped{TypeParam::server().pid()};
    (void)lost_within(grace, [&] { (void)x.holders(); });
}

TYPED_TEST(Silence, EndsTheCloseOfAManager) {
    typename TypeParam::manager locks{this->url(), {.grace = grace}};
    typename TypeParam::lock theirs{this->onlooker_, "x"};
    theirs.lock();
    typename TypeParam::managed_lock x{locks, "x"}, y{locks, "y"}, z{locks, "z"};
    ASSERT_TRUE(y.try_lock());
    auto waits = std::async(std::launch::async, [&] { return reason_of([&] { x.lock(); }); });
    this->await_waiter();
    const frozen stopped{TypeParam::server().pid()};
    auto tries = std::async(std::launch::async, [&] { return reason_of([&] { (void)z.try_lock(); }); });
    const auto begin = clock::now();
    locks.close();
    EXPECT_LE(clock::now() - begin, grace + slack);
    EXPECT_EQ(waits.get(), errc::cancelled);
    const auto reason = tries.get();
    EXPECT_TRUE(reason == errc::cancelled || reason == errc::lost);
}

// --- a stop request that cannot be delivered

TYPED_TEST(Silence, AStopRequestThatIsDroppedEndsTheWait) {
    proxy between{TypeParam::port()};
    soci::session far{TypeParam::url(between.port())};
    TypeParam::set_grace(far, grace);
    typename TypeParam::lock x{far, "x"}, other{far, "other"}, theirs{this->onlooker_, "x"};
    ASSERT_TRUE(other.try_lock() && theirs.try_lock());
    std::stop_source stop;
    auto waits = std::async(std::launch::async, [&] { return error_of([&] { x.lock(stop.get_token()); }); });
    this->await_waiter();
    between.ignore_newcomers();
    const auto begin = clock::now();
    stop.request_stop();
    const auto error = waits.get();
    EXPECT_LE(clock::now() - begin, grace + slack);
    EXPECT_EQ(error.reason(), errc::lost);
    expect_the_reason(error);
    EXPECT_EQ(other.state(), lock_state::lost);
}

TYPED_TEST(Silence, AStopRequestThatIsTurnedAwayIsRepeatedAFewTimesAndEndsTheWait) {
    proxy between{TypeParam::port()};
    soci::session far{TypeParam::url(between.port())};
    TypeParam::set_grace(far, 1s);
    typename TypeParam::lock x{far, "x"}, theirs{this->onlooker_, "x"};
    ASSERT_TRUE(theirs.try_lock());
    std::stop_source stop;
    auto waits = std::async(std::launch::async, [&] { return error_of([&] { x.lock(stop.get_token()); }); });
    this->await_waiter();
    between.turn_away_newcomers();
    const auto begin = clock::now();
    stop.request_stop();
    const auto error = waits.get();
    EXPECT_LE(clock::now() - begin, 1s + slack);
    EXPECT_EQ(error.reason(), errc::lost);
    expect_the_reason(error);
    EXPECT_GE(between.turned_away(), 2);
    EXPECT_LE(between.turned_away(), 6);
}

/// Takes every descriptor that the process may still have, as long as it lives.
class no_descriptors {
public:
    no_descriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        auto few = before_;
        const int next = ::dup(0);
        ::close(next);
        few.rlim_cur = static_cast<rlim_t>(next) + 64;
        ::setrlimit(RLIMIT_NOFILE, &few);
        for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) taken_.push_back(fd);
    }
    ~no_descriptors() {
        for (const int fd : taken_) ::close(fd);
        ::setrlimit(RLIMIT_NOFILE, &before_);
    }
    no_descriptors(const no_descriptors&) = delete;
    no_descriptors& operator=(const no_descriptors&) = delete;

private:
    rlimit before_{};
    std::vector<int> taken_;
};

TYPED_TEST(Silence, WithoutADescriptorAStopRequestEndsTheWait) {
    typename TypeParam::lock x{this->mine_, "x"}, other{this->mine_, "other"}, theirs{this->onlooker_, "x"};
    ASSERT_TRUE(other.try_lock() && theirs.try_lock());
    for (const bool from_the_start : {true, false}) {  // the eventfd is missing too, or only the second connection
        if (!from_the_start) {
            this->mine_.reconnect();
            TypeParam::set_grace(this->mine_, grace);
        }
        std::stop_source stop;
        std::optional<no_descriptors> none;
        if (from_the_start) none.emplace();
        auto waits = std::async(std::launch::async, [&] { return error_of([&] { x.lock(stop.get_token()); }); });
        this->await_waiter();
        if (!from_the_start) none.emplace();
        const auto begin = clock::now();
        stop.request_stop();
        const auto error = waits.get();
        EXPECT_LE(clock::now() - begin, grace + slack);
        EXPECT_EQ(error.reason(), errc::lost);
        expect_the_reason(error);
        EXPECT_EQ(other.state(), from_the_start ? lock_state::lost : other.state());
        std::cout << error.what() << '\n';
    }
}

// --- a commit that waits for a standby

/// Nobody is there whom a commit waits for; as long as it lives.
class missing_standby {
public:
    explicit missing_standby(postgresql_server& of) : admin_{of.url()} {
        admin_ << "ALTER SYSTEM SET synchronous_standby_names = 'nobody'";
        apply("nobody");
    }
    ~missing_standby() {
        admin_ << "ALTER SYSTEM RESET synchronous_standby_names";
        apply("");
    }
    missing_standby(const missing_standby&) = delete;
    missing_standby& operator=(const missing_standby&) = delete;

private:
    void apply(const std::string& value) {
        admin_ << "SELECT pg_reload_conf()";
        await([&] { return ask<std::string>(admin_, "SHOW synchronous_standby_names") == value; }, "not reloaded");
    }
    soci::session admin_;
};

TEST(SilenceOfAStandby, EndsAFencedTryAndTheLockIsNotHeld) {
    postgresql_server server;
    soci::session db{server.url()}, onlooker{server.url()};
    postgresql::create_fence(db);
    postgresql::set_grace(db, 1s);
    postgresql::fenced_lock x{db, "x"};
    postgresql::lock other{db, "other"};
    ASSERT_TRUE(x.try_lock() && other.try_lock());
    x.unlock();
    // The next number is written to the log, so that its commit waits.
    onlooker << "SET synchronous_commit = local";
    const auto write_the_next = [&] { onlooker << "SELECT setval('public.dlock_fence', nextval('public.dlock_fence'))"; };
    {
        const missing_standby nobody{server};
        write_the_next();
        auto begin = clock::now();
        EXPECT_EQ(reason_of([&] { (void)x.try_lock(); }), errc::cancelled);
        EXPECT_LE(clock::now() - begin, 1s + slack);
        write_the_next();
        begin = clock::now();
        EXPECT_FALSE(x.try_lock_for(100ms));
        EXPECT_LE(clock::now() - begin, 1100ms + slack);
        EXPECT_FALSE(x.owns_lock());
        EXPECT_TRUE(other.owns_lock()) << "the session goes on";
        EXPECT_EQ(granted(onlooker), 1);
    }
    EXPECT_TRUE(x.try_lock());
    EXPECT_FALSE(unlock(other));
}

}  // namespace
}  // namespace dlock::testing
