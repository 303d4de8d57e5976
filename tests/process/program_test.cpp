// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The program around dlock: what is per process or per thread is the program's. Each test turns one knob in a child process, which
// then does everything that makes dlock start a thread, open a descriptor, or talk to a connection that has ended.
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cfenv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <locale>
#include <map>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <soci/soci.h>

#include <dlock/mysql.hpp>
#include <dlock/mysql/leased_lock.hpp>
#include <dlock/mysql/lock_manager.hpp>
#include <dlock/postgresql.hpp>
#include <dlock/postgresql/leased_lock.hpp>
#include <dlock/postgresql/lock_manager.hpp>

#include "tests/process/in_child.hpp"
#include "tests/servers/mariadb_server.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/support/expect.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

struct on_postgresql {
    using leased_lock = postgresql::leased_lock;
    using lock_manager = postgresql::lock_manager;
    using managed_lock = postgresql::managed_lock;
    using plain_lock = postgresql::lock;
    static std::string url() { return postgresql_server::shared().url(); }
    static void kill(soci::session& killer, soci::session& db) {
        int id = 0;
        std::string said;
        db << "SELECT pg_backend_pid()", soci::into(id);
        killer << "SELECT pg_terminate_backend(" << id << ")::text", soci::into(said);
    }
};

struct on_mariadb {
    using leased_lock = mysql::leased_lock;
    using lock_manager = mysql::lock_manager;
    using managed_lock = mysql::managed_lock;
    using plain_lock = mysql::lock;
    static std::string url() { return mariadb_server::shared().url(); }
    static void kill(soci::session& killer, soci::session& db) {
        long long id = 0;
        db << "SELECT CONNECTION_ID()", soci::into(id);
        killer << "KILL " << id;
    }
};

/// A program with every thread and descriptor that dlock can have.
template <class Kind>
struct everything {
    explicit everything(const std::string& url) : db{url}, lock{db, "plain"}, leased{url, "leased", 20s}, manager{url}, managed{manager, "managed"} {
        lock.lock();
        lost = lock.lost();
        leased.lock();
        managed.lock();
        wait_and_stop(url);
    }

    /// A wait in the server's queue that a stop request ends: a thread, a second connection.
    static void wait_and_stop(const std::string& url) {
        soci::session other{url};
        typename Kind::plain_lock busy{other, "plain"};
        std::stop_source stop;
        std::jthread stopper{[&] {
            std::this_thread::sleep_for(20ms);  // the wait may have begun or not: both must end
            stop.request_stop();
        }};
        if (reason_of([&] { busy.lock(stop.get_token()); }) != errc::cancelled) throw std::runtime_error{"not cancelled"};
    }

    void end_the_session() {
        soci::session killer{Kind::url()};
        Kind::kill(killer, db);
        await([&] { return lost.stop_requested(); }, "the loss is not told");
    }

    soci::session db;
    typename Kind::plain_lock lock;
    std::stop_token lost;
    typename Kind::leased_lock leased;
    typename Kind::lock_manager manager;
    typename Kind::managed_lock managed;
};

std::string line_of(const fs::path& file, const std::string& begin) {
    std::ifstream in{file};
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with(begin)) return line.substr(begin.size());
    }
    return {};
}

/// The threads of this process but for the calling one: what they are called, and the signals that they block.
std::multimap<std::string, std::uint64_t> other_threads() {
    std::multimap<std::string, std::uint64_t> found;
    for (const auto& task : fs::directory_iterator{"/proc/self/task"}) {
        if (task.path().filename() == std::to_string(::gettid())) continue;
        auto name = line_of(task.path() / "status", "Name:\t");
        found.emplace(name, std::stoull(line_of(task.path() / "status", "SigBlk:\t"), nullptr, 16));
    }
    return found;
}

template <class Kind>
class Program : public ::testing::Test {
protected:
    void SetUp() override {
        SKIP_IF_CHILDREN_CANNOT_HAVE_THREADS();
        url = Kind::url();
    }
    std::string url;
};

using Kinds = ::testing::Types<on_postgresql, on_mariadb>;
TYPED_TEST_SUITE(Program, Kinds);

// --- signals

constexpr std::array faults{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT};

TYPED_TEST(Program, ThreadsOfDlockBlockAllSignalsButFaultsAndBearNames) {
    EXPECT_EQ(in_child([&] {
                  const everything<TypeParam> all{this->url};
                  std::string wrong;
                  const auto threads = other_threads();
                  for (const auto* const expected : {"dlock-loss", "dlock-lease", "dlock-manager"}) {
                      if (!threads.contains(expected)) wrong += std::string{" no thread "} + expected;
                  }
                  for (const auto& [name, blocked] : threads) {
                      if (!name.starts_with("dlock-")) wrong += " a thread is called " + name;
                      for (int s = 1; s < 32; ++s) {
                          const bool may = s == SIGKILL || s == SIGSTOP || std::find(faults.begin(), faults.end(), s) != faults.end();
                          if (may == ((blocked >> (s - 1) & 1U) != 0)) wrong += " " + name + ": signal " + std::to_string(s);
                      }
                  }
                  return wrong;
              }),
              "");
}

/// Seen with SIGTERM: a thread of dlock took it, and the process died of it.
TYPED_TEST(Program, SignalsThatTheProgramWaitsForReachIt) {
    EXPECT_EQ(in_child([&] {
                  const everything<TypeParam> all{this->url};
                  sigset_t awaited;
                  ::sigemptyset(&awaited);
                  const std::array numbers{SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGCHLD, SIGPIPE, SIGIO, SIGRTMIN + 3};
                  for (const int s : numbers) ::sigaddset(&awaited, s);
                  ::pthread_sigmask(SIG_BLOCK, &awaited, nullptr);
                  std::string wrong;
                  for (const int s : numbers) {
                      ::kill(::getpid(), s);
                      int got = 0;
                      if (::sigwait(&awaited, &got) != 0 || got != s) wrong += " " + std::to_string(s);
                  }
                  return wrong;
              }),
              "");
}

TYPED_TEST(Program, MasksAndDispositionsAreLeftAlone) {
    EXPECT_EQ(in_child([&] {
                  const auto look = [] {
                      std::string seen;
                      for (int s = 1; s <= SIGRTMAX; ++s) {
                          struct sigaction now {};
                          if (::sigaction(s, nullptr, &now) != 0) continue;
                          seen += std::to_string(reinterpret_cast<std::uintptr_t>(now.sa_handler)) + " " + std::to_string(now.sa_flags) + ",";
                      }
                      sigset_t mask;
                      ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
                      for (int s = 1; s <= SIGRTMAX; ++s) seen += ::sigismember(&mask, s) != 0 ? '1' : '0';
                      return seen;
                  };
                  {
                      const soci::session first{this->url};  // what the driver does when it is first used is not ours
                  }
                  const auto before = look();
                  {
                      const everything<TypeParam> all{this->url};
                      if (look() != before) return std::string{"changed"};
                  }
                  return std::string{look() == before ? "" : "changed in the end"};
              }),
              "");
}

TYPED_TEST(Program, AConnectionThatHasEndedRaisesNoSigpipe) {
    EXPECT_EQ(in_child([&] {
                  ::signal(SIGPIPE, SIG_DFL);
                  everything<TypeParam> all{this->url};
                  all.end_the_session();
                  if (all.lock.owns_lock()) return "it is believed";
                  if (unlock(all.lock) != errc::lost) return "unlock() does not say so";
                  return reason_of([&] { (void)all.lock.try_lock(); }) == errc::lost ? "" : "try_lock() does not say so";
              }),
              "");
}

// --- errno

TYPED_TEST(Program, TheEndOfAScopeLeavesErrnoAlone) {
    soci::session db{this->url}, other{this->url};
    typename TypeParam::plain_lock lock{db, "k"};
    {
        const std::scoped_lock held{lock};
        errno = ENOTTY;
    }
    EXPECT_EQ(errno, ENOTTY);
    lock.lock();
    TypeParam::kill(other, db);
    errno = ENOTTY;
    await([&] { return !lock.owns_lock(); }, "the end is not seen");
    errno = ENOTTY;
    EXPECT_FALSE(lock.owns_lock());
    EXPECT_EQ(errno, ENOTTY);
    lock.unlock();
    EXPECT_EQ(errno, ENOTTY);
}

// --- locale, floating point, stacks

/// A locale as they are: a comma for the point, and a point between thousands.
struct other_numbers : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
    string_type do_truename() const override { return "wahr"; }
};

TYPED_TEST(Program, ALocaleChangesNothing) {
    EXPECT_EQ(in_child([&] {
                  std::locale::global(std::locale{std::locale::classic(), new other_numbers});
                  everything<TypeParam> all{this->url};
                  soci::session db{this->url};
                  typename TypeParam::plain_lock busy{db, "plain"};
                  const auto begin = std::chrono::steady_clock::now();
                  if (busy.try_lock_for(1234ms)) return "granted";
                  return std::chrono::steady_clock::now() - begin >= 1234ms ? "" : "too early";
              }),
              "");
}

TYPED_TEST(Program, FloatingPointModesAndTrapsChangeNothing) {
    for (const int rounding : {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO}) {
        EXPECT_EQ(in_child([&] {
                      std::fesetround(rounding);
                      ::feenableexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW);  // an exception is a SIGFPE
                      everything<TypeParam> all{this->url};
                      soci::session db{this->url};
                      typename TypeParam::plain_lock busy{db, "plain"};
                      const auto begin = std::chrono::steady_clock::now();
                      if (busy.try_lock_for(std::chrono::duration<double>{0.1})) return "granted";
                      if (std::chrono::steady_clock::now() - begin < 100ms) return "too early";
                      all.lock.unlock();
                      using seconds = std::chrono::duration<double>;
                      if (!busy.try_lock_for(seconds{std::numeric_limits<double>::infinity()})) return "infinity is no time";
                      busy.unlock();
                      if (!busy.try_lock_for(seconds{1e300})) return "a long time is none";
                      busy.unlock();
                      try {
                          (void)busy.try_lock_for(seconds{std::numeric_limits<double>::quiet_NaN()});
                          return "what is no number is taken for one";
                      } catch (const std::invalid_argument&) {
                      }
                      return std::fegetround() == rounding ? "" : "the rounding has changed";
                  }),
                  "")
            << rounding;
    }
}

TYPED_TEST(Program, ASmallDefaultStackIsNoneOfItsThreadsBusiness) {
    EXPECT_EQ(in_child([&] {
                  pthread_attr_t small;
                  ::pthread_attr_init(&small);
                  ::pthread_attr_setstacksize(&small, static_cast<std::size_t>(PTHREAD_STACK_MIN) * 2);
                  if (::pthread_setattr_default_np(&small) != 0) return "cannot be set";
                  soci::session db{this->url}, killer{this->url};
                  typename TypeParam::plain_lock lock{db, "plain"};
                  lock.lock();
                  std::atomic<bool> called = false;
                  const auto lost = lock.lost();
                  const std::stop_callback deep{lost, [&] {
                                                    std::array<volatile char, 300'000> much;
                                                    for (auto& byte : much) byte = 1;
                                                    called = true;
                                                }};
                  TypeParam::kill(killer, db);
                  await([&] { return called.load(); }, "no callback");
                  typename TypeParam::lock_manager manager{this->url};
                  typename TypeParam::managed_lock managed{manager, "managed"};
                  managed.lock();
                  managed.unlock();
                  return "";
              }),
              "");
}

// --- descriptors

std::map<int, std::string> descriptors() {
    std::map<int, std::string> found;
    for (const auto& entry : fs::directory_iterator{"/proc/self/fd"}) {
        std::error_code gone;
        const auto target = fs::read_symlink(entry.path(), gone).string();
        if (!gone && !target.ends_with("/fd")) found.emplace(std::stoi(entry.path().filename()), target);
    }
    return found;
}

TYPED_TEST(Program, EveryDescriptorIsClosedByExec) {
    EXPECT_EQ(in_child([&] {
                  const auto before = descriptors();
                  const everything<TypeParam> all{this->url};
                  std::string wrong;
                  // A driver's socket gets the flag a moment after it is made: another thread of the manager's may be connecting.
                  for (const auto end = std::chrono::steady_clock::now() + 10s; std::chrono::steady_clock::now() < end;) {
                      wrong.clear();
                      for (const auto& [number, target] : descriptors()) {
                          if (before.contains(number)) continue;
                          if (const int flags = ::fcntl(number, F_GETFD); flags != -1 && (flags & FD_CLOEXEC) == 0) wrong += " " + target;
                      }
                      if (wrong.empty()) break;
                  }
                  return wrong;
              }),
              "");
}

/// A program that has closed them goes on writing to them.
TYPED_TEST(Program, StandardInputOutputAndErrorAreNeverOurs) {
    EXPECT_EQ(in_child([&] {
                  soci::session db{this->url}, other{this->url};
                  typename TypeParam::plain_lock lock{db, "plain"}, busy{other, "plain"};
                  for (const int standard : {0, 1, 2}) ::close(standard);
                  lock.lock();
                  const auto lost = lock.lost();
                  std::stop_source stop;
                  std::jthread waiting{[&] {
                      try {
                          busy.lock(stop.get_token());
                      } catch (const lock_error&) {
                      }
                  }};
                  const auto waits = [&] {
                      const auto now = descriptors();
                      return std::any_of(now.begin(), now.end(), [](const auto& one) { return one.second.find("eventfd") != std::string::npos; });
                  };
                  await(waits, "nobody waits");
                  std::string wrong;
                  for (const auto& [number, target] : descriptors()) {
                      if (number <= 2) wrong += " " + target;
                  }
                  stop.request_stop();
                  return wrong;
              }),
              "");
}

/// A connection there would get whatever the program prints.
TYPED_TEST(Program, NorAreConnectionsOfDlocksOwn) {
    EXPECT_EQ(in_child([&] {
                  for (const int standard : {0, 1, 2}) ::close(standard);
                  typename TypeParam::leased_lock leased{this->url, "leased", 20s};
                  typename TypeParam::lock_manager manager{this->url};
                  std::string wrong;
                  for (const auto& [number, target] : descriptors()) {
                      if (number <= 2 && target != "/dev/null") wrong += " " + target;
                  }
                  return wrong;
              }),
              "");
}

TYPED_TEST(Program, WithoutThreadsItIsTold) {
    EXPECT_EQ(in_child([&] {
                  soci::session db{this->url};
                  typename TypeParam::plain_lock lock{db, "plain"};
                  lock.lock();
                  pthread_attr_t huge;
                  ::pthread_attr_init(&huge);
                  ::pthread_attr_setstacksize(&huge, std::size_t{1} << 47U);  // more than there are addresses
                  if (::pthread_setattr_default_np(&huge) != 0) return "cannot be set";
                  if (reason_of([&] { (void)lock.lost(); }) != errc::server_error) return "another reason";
                  if (reason_of([&] { typename TypeParam::lock_manager manager{this->url}; }) != errc::server_error) return "another reason of a manager";
                  return lock.owns_lock() && !unlock(lock) ? "" : "the lock has suffered";
              }),
              "");
}

}  // namespace
}  // namespace dlock::testing
