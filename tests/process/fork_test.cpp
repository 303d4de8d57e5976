// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// fork(): every kind of lock, held by a process that is forked. The child has copies of the objects and of the descriptors, and the
// server cannot tell it from its parent. So the child must hold nothing, say nothing on the parent's connection, and not even
// have it; the parent must notice nothing.
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <soci/soci.h>

#include <dlock/make_lock.hpp>
#include <dlock/mysql.hpp>
#include <dlock/mysql/leased_lock.hpp>
#include <dlock/mysql/lock_manager.hpp>
#include <dlock/mysql/multi_lock.hpp>
#include <dlock/postgresql.hpp>
#include <dlock/postgresql/leased_lock.hpp>
#include <dlock/postgresql/lock_manager.hpp>
#include <dlock/postgresql/multi_lock.hpp>
#include <dlock/soci/pooled_session.hpp>

#include "tests/process/in_child.hpp"
#include "tests/servers/mariadb_server.hpp"
#include "tests/servers/mysql_server.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;

/// The sockets that this process has, duplicates once.
std::set<std::string> sockets() {
    std::set<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
        std::error_code gone;
        const auto target = std::filesystem::read_symlink(entry.path(), gone).string();
        if (target.starts_with("socket:")) found.insert(target);
    }
    return found;
}

std::set<std::string> without(std::set<std::string> all, const std::set<std::string>& these) {
    std::erase_if(all, [&](const std::string& one) { return these.contains(one); });
    return all;
}

// --- what is held

/// A lock that is held, and what it needs.
class holding {
public:
    virtual ~holding() = default;
    [[nodiscard]] virtual bool owns() const = 0;
    [[nodiscard]] virtual lock_state state() const = 0;
    [[nodiscard]] virtual bool lost() const = 0;
    virtual std::error_code unlock() = 0;
    virtual void lock_again() = 0;
    [[nodiscard]] virtual std::vector<holder> holders() const = 0;
    virtual void end_lock() = 0;
};

template <class Owner, class Lock>
class holding_of : public holding {
public:
    template <class MakeLock>
    holding_of(std::unique_ptr<Owner> owner, MakeLock make, bool shared = false) : owner_{std::move(owner)}, lock_{make(*owner_)} {
        if constexpr (requires { lock_->lock_shared(); }) {
            if (shared) lock_->lock_shared();
        }
        if (!shared) lock_->lock();
    }
    [[nodiscard]] bool owns() const override { return lock_->owns_lock(); }
    [[nodiscard]] lock_state state() const override { return lock_->state(); }
    [[nodiscard]] bool lost() const override { return lock_->lost().stop_requested(); }
    std::error_code unlock() override {
        if constexpr (requires { lock_->unlock(); }) return testing::unlock(*lock_);
        else return errc::lost;
    }
    void lock_again() override { (void)lock_->try_lock(); }
    [[nodiscard]] std::vector<holder> holders() const override { return lock_->holders(); }
    void end_lock() override { lock_.reset(); }

private:
    std::unique_ptr<Owner> owner_;
    std::unique_ptr<Lock> lock_;
};

struct in_transaction {
    explicit in_transaction(const std::string& url) : session{url}, transaction{session} {}
    soci::session session;
    soci::transaction transaction;
};

struct in_pool {
    explicit in_pool(const std::string& url) : pool{1} {
        pool.at(0).open(url);
        session.emplace(pool);
    }
    soci::connection_pool pool;
    std::optional<pooled_session> session;
};

struct nothing {};

struct kind {
    std::string name;
    std::function<std::string()> url;
    std::function<std::unique_ptr<holding>(const std::string& url)> hold;

    friend void PrintTo(const kind& k, std::ostream* out) { *out << k.name; }
};

template <class Lock>
std::unique_ptr<holding> on_session(const std::string& url, bool shared = false) {
    auto db = std::make_unique<soci::session>(url);
    if (db->get_backend_name() == "mysql") mysql::accept_one_lock_per_session(*db);
    return std::make_unique<holding_of<soci::session, Lock>>(std::move(db), [](soci::session& s) { return std::make_unique<Lock>(s, "k"); }, shared);
}

template <class Lock>
std::unique_ptr<holding> of_several(const std::string& url) {
    return std::make_unique<holding_of<soci::session, Lock>>(std::make_unique<soci::session>(url), [](soci::session& s) {
        return std::make_unique<Lock>(s, std::initializer_list<std::string_view>{"k", "l"});
    });
}

template <class Lock>
std::unique_ptr<holding> leased(const std::string& url) {
    return std::make_unique<holding_of<nothing, Lock>>(std::make_unique<nothing>(), [&](nothing&) { return std::make_unique<Lock>(url, "k", 20s); });
}

template <class Manager, class Lock>
std::unique_ptr<holding> of_manager(const std::string& url) {
    return std::make_unique<holding_of<Manager, Lock>>(std::make_unique<Manager>(url), [](Manager& m) { return std::make_unique<Lock>(m, "k"); });
}

template <class Lock>
std::unique_ptr<holding> from_pool(const std::string& url) {
    return std::make_unique<holding_of<in_pool, Lock>>(std::make_unique<in_pool>(url),
                                                       [](in_pool& p) { return std::make_unique<Lock>(p.session->session(), "k"); });
}

std::unique_ptr<holding> fenced_on_postgresql(const std::string& url) {
    auto db = std::make_unique<soci::session>(url);
    postgresql::create_fence(*db);
    return std::make_unique<holding_of<soci::session, postgresql::fenced_lock>>(
        std::move(db), [](soci::session& s) { return std::make_unique<postgresql::fenced_lock>(s, "k"); });
}

std::unique_ptr<holding> of_transaction(const std::string& url) {
    return std::make_unique<holding_of<in_transaction, postgresql::transaction_lock>>(
        std::make_unique<in_transaction>(url),
        [](in_transaction& t) { return std::make_unique<postgresql::transaction_lock>(t.session, "k"); });
}

std::string on_postgresql() { return postgresql_server::shared().url(); }
std::string on_mariadb() { return mariadb_server::shared().url(); }
std::string on_mysql() { return mysql_server::shared().url(); }

const kind kinds[] = {
    {"PostgreSqlLock", on_postgresql, [](const std::string& url) { return on_session<postgresql::lock>(url); }},
    {"PostgreSqlLockShared", on_postgresql, [](const std::string& url) { return on_session<postgresql::lock>(url, true); }},
    {"PostgreSqlTransactionLock", on_postgresql, of_transaction},
    {"PostgreSqlFencedLock", on_postgresql, fenced_on_postgresql},
    {"PostgreSqlMultiLock", on_postgresql, of_several<postgresql::multi_lock>},
    {"PostgreSqlLeasedLock", on_postgresql, leased<postgresql::leased_lock>},
    {"PostgreSqlManagedLock", on_postgresql, of_manager<postgresql::lock_manager, postgresql::managed_lock>},
    {"PostgreSqlPooledLock", on_postgresql, from_pool<postgresql::lock>},
    {"MariaDbLock", on_mariadb, [](const std::string& url) { return on_session<mysql::lock>(url); }},
    {"MariaDbHashedLock", on_mariadb, [](const std::string& url) { return on_session<mysql::hashed_lock>(url); }},
    {"MariaDbFencedLock", on_mariadb, [](const std::string& url) { return on_session<mysql::fenced_lock>(url); }},
    {"MariaDbMultiLock", on_mariadb, of_several<mysql::multi_lock>},
    {"MariaDbLeasedLock", on_mariadb, leased<mysql::leased_lock>},
    {"MariaDbManagedLock", on_mariadb, of_manager<mysql::lock_manager, mysql::managed_lock>},
    {"MariaDbPooledLock", on_mariadb, from_pool<mysql::lock>},
    {"MySql56Lock", on_mysql, [](const std::string& url) { return on_session<mysql::lock>(url); }},
};

class Fork : public ::testing::TestWithParam<kind> {
protected:
    void hold() {
        const auto before = sockets();
        held = GetParam().hold(url);
        parents_sockets = without(sockets(), before);
        ASSERT_FALSE(parents_sockets.empty());
    }

    /// The parent has noticed nothing, and the lock is its own.
    void expect_undisturbed() {
        EXPECT_TRUE(held->owns());
        EXPECT_EQ(held->state(), lock_state::held);
        EXPECT_FALSE(held->lost());
        EXPECT_EQ(held->holders().size(), 1U) << "asked of the server, over a connection of the parent";
        const auto outcome = held->unlock();
        EXPECT_TRUE(!outcome || GetParam().name == "PostgreSqlTransactionLock") << outcome.message();
        held.reset();
    }

    const std::string url = GetParam().url();
    std::unique_ptr<holding> held;
    std::set<std::string> parents_sockets;
};

INSTANTIATE_TEST_SUITE_P(, Fork, ::testing::ValuesIn(kinds), [](const auto& of) { return of.param.name; });

TEST_P(Fork, TheChildHoldsNothingAndKnows) {
    hold();
    EXPECT_EQ(in_child([&] {
                  std::string wrong;
                  if (held->owns()) wrong += " owns_lock()";
                  if (held->state() != lock_state::lost) wrong += " state()";
                  if (!held->lost()) wrong += " lost()";
                  if (held->unlock() != errc::lost) wrong += " unlock()";
                  return wrong;
              }),
              "");
    expect_undisturbed();
}

TEST_P(Fork, TheChildIsToldWhyItCannotLockOnWhatItHasInherited) {
    hold();
    EXPECT_EQ(in_child([&] {
                  std::string wrong;
                  for (const auto call : {+[](holding& h) { h.lock_again(); }, +[](holding& h) { (void)h.holders(); }}) {
                      try {
                          call(*held);
                          wrong += " nothing was thrown";
                      } catch (const lock_error& e) {
                          if (e.reason() != errc::lost) wrong += " another reason";
                          if (std::string{e.what()}.find("fork") == std::string::npos) wrong += e.what();
                      }
                  }
                  return wrong;
              }),
              "");
    expect_undisturbed();
}

TEST_P(Fork, TheChildDestroysWhatItHasInherited) {
    hold();
    EXPECT_EQ(in_child([&] {
                  held->end_lock();
                  held.reset();  // sessions, pools and managers, too: the drivers say good-bye
                  return std::string{};
              }),
              "");
    expect_undisturbed();
}

TEST_P(Fork, TheChildDoesNotHaveTheParentsConnection) {
    hold();
    (void)held->lost();  // a watch has a descriptor of its own
    EXPECT_EQ(in_child([&] {
                  std::string wrong;
                  for (const auto& mine : sockets()) {
                      if (parents_sockets.contains(mine)) wrong += " " + mine;
                  }
                  return wrong;
              }),
              "");
    expect_undisturbed();
}

TEST_P(Fork, AChildOfTheChildHoldsNothingEither) {
    hold();
    EXPECT_EQ(in_child([&] { return in_child([&] { return std::string{held->owns() || held->unlock() != errc::lost ? "held" : ""}; }); }), "");
    expect_undisturbed();
}

/// As a container runtime or a sandbox does it: no handler of pthread_atfork() is called.
TEST_P(Fork, AChildOfABareCloneHoldsNothingEither) {
    hold();
    const auto child = static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr));
    if (child == 0) ::_exit(held->owns() ? 1 : held->state() != lock_state::lost ? 2 : 0);
    int status = 0;
    while (::waitpid(child, &status, 0) == -1 && errno == EINTR) {}
    EXPECT_EQ(status, 0);
    expect_undisturbed();
}

// --- a worker that is forked while its parent holds

void kill_session(soci::session& db) {
    soci::session killer{db.get_backend_name() == "postgresql" ? on_postgresql() : db.get_backend_name() == "mysql" ? on_mariadb() : ""};
    long long id = 0;
    if (db.get_backend_name() == "postgresql") {
        db << "SELECT pg_backend_pid()", soci::into(id);
        std::string said;
        killer << "SELECT pg_terminate_backend(" << id << ")::text", soci::into(said);
    } else {
        db << "SELECT CONNECTION_ID()", soci::into(id);
        killer << "KILL " << id;
    }
}

bool is_told(const std::stop_token& lost) {
    const auto give_up = std::chrono::steady_clock::now() + 20s;
    while (!lost.stop_requested() && std::chrono::steady_clock::now() < give_up) std::this_thread::sleep_for(1ms);
    return lost.stop_requested();
}

template <class Leased, class Manager, class Managed>
std::string work(const std::string& url) {
    soci::session db{url};
    auto lock = make_lock(db, "worker");
    lock.lock();
    const auto lost = lock.lost();
    if (!lock.owns_lock() || lost.stop_requested()) return "the child does not hold its own lock";
    kill_session(db);
    if (!is_told(lost)) return "the child was not told of its loss";
    Leased leased{url, "worker", 20s};
    leased.lock();
    Manager manager{url};
    Managed managed{manager, "of the manager"};
    const std::scoped_lock held{managed};
    return leased.owns_lock() && managed.owns_lock() ? "" : "the child does not hold its leased or managed lock";
}

using ForkedWorker = Fork;

INSTANTIATE_TEST_SUITE_P(, ForkedWorker, ::testing::Values(kinds[0], kinds[6], kinds[8], kinds[13]), [](const auto& of) { return of.param.name; });

TEST_P(ForkedWorker, LocksOnSessionsOfItsOwnAndIsToldOfTheirLoss) {
    SKIP_IF_CHILDREN_CANNOT_HAVE_THREADS();
    hold();
    (void)held->lost();  // the parent's watch has begun
    const auto job = GetParam().name.starts_with("PostgreSql")
                         ? work<postgresql::leased_lock, postgresql::lock_manager, postgresql::managed_lock>
                         : work<mysql::leased_lock, mysql::lock_manager, mysql::managed_lock>;
    EXPECT_EQ(in_child([&] { return job(url); }), "");
    expect_undisturbed();
}

// --- while a thread of the parent waits

using ForkWhileWaiting = Fork;

INSTANTIATE_TEST_SUITE_P(, ForkWhileWaiting, ::testing::Values(kinds[0], kinds[4], kinds[8], kinds[11]), [](const auto& of) { return of.param.name; });

TEST_P(ForkWhileWaiting, TheChildDoesNotHaveTheWaitersConnection) {
    hold();
    soci::session onlooker{url};
    const auto waiters = [&] {
        long long found = 0;
        onlooker << (GetParam().name.starts_with("PostgreSql") ? "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                                                               : "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User lock'"),
            soci::into(found);
        return found;
    };
    const auto before = sockets();
    auto waiting = std::async(std::launch::async, [&] { return GetParam().hold(url); });
    await([&] { return waiters() == 1; }, "nobody waits");
    const auto waiters_sockets = without(sockets(), before);
    EXPECT_FALSE(waiters_sockets.empty());
    EXPECT_EQ(in_child([&] { return std::string{without(waiters_sockets, sockets()) == waiters_sockets ? "" : "the child has it"}; }), "");
    held.reset();
    held = waiting.get();
    expect_undisturbed();
}

// --- what is not at stake

/// A daemon opens its session, forks, and goes on in the child.
TEST(ForkWithoutALock, LeavesASessionThatHoldsNothingToTheChild) {
    for (const auto& url : {on_postgresql(), on_mariadb()}) {
        soci::session db{url};
        auto lock = make_lock(db, "k");
        ASSERT_TRUE(lock.try_lock());
        lock.unlock();
        EXPECT_EQ(in_child([&] {
                      int one = 0;
                      db << "SELECT 1", soci::into(one);
                      return std::to_string(one);
                  }),
                  "1");
    }
}

}  // namespace
}  // namespace dlock::testing
