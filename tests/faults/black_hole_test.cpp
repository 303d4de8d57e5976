// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A peer that vanishes without a word: each side knows within the bound that was asked for.
//
// The test has a network of its own, in which 127.0.0.1 is taken down: what is sent is neither answered nor refused. An
// onlooker sees the servers through their Unix sockets. Where the kernel gives no network, the tests are skipped.
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <future>
#include <iostream>
#include <string>
#include <system_error>
#include <thread>

#include <gtest/gtest.h>
#include <soci/soci.h>

#include <dlock/mysql.hpp>
#include <dlock/mysql/leased_lock.hpp>
#include <dlock/postgresql.hpp>
#include <dlock/postgresql/leased_lock.hpp>

#include "tests/servers/mariadb_server.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/postgresql.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

/// Why there is no network of our own; empty: there is one.
std::string refusal;

bool set_loopback(bool up) {
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = up ? IFF_UP : 0;
    const bool done = fd >= 0 && ::ioctl(fd, SIOCSIFFLAGS, &request) == 0;
    if (fd >= 0) ::close(fd);
    return done;
}

/// Takes 127.0.0.1 down for as long as it lives.
class black_hole {
public:
    black_hole() {
        if (!set_loopback(false)) throw std::system_error{errno, std::generic_category(), "lo"};
    }
    ~black_hole() { set_loopback(true); }
    black_hole(const black_hole&) = delete;
    black_hole& operator=(const black_hole&) = delete;
};

/// How long it took; far too long when it did not happen.
clock::duration time_until(auto condition) {
    const auto begin = clock::now();
    while (!condition() && clock::now() - begin < 60s) std::this_thread::sleep_for(10ms);
    return clock::now() - begin;
}

class BlackHole : public ::testing::Test {
protected:
    void SetUp() override {
        if (!refusal.empty()) GTEST_SKIP() << "no network of our own: " << refusal;
    }

    template <class Server>
    static Server& server() {
        static Server only{{.tcp = true}};
        return only;
    }
    template <class Server>
    static std::string tcp(Server& of) {
        return of.url();
    }
    static std::string unix_url(postgresql_server& of) {
        return "postgresql://host=" + of.directory().string() + " port=" + std::to_string(of.port()) + " user=" + of.user() +
               " dbname=postgres";
    }
    static std::string unix_url(mariadb_server& of) { return "mysql://unix_socket=" + of.socket().string() + " user=root dbname=test"; }
};

constexpr auto bound = 4s;

TEST_F(BlackHole, BothSidesKnowWithinTheBoundOnPostgreSQL) {
    auto& pg = server<postgresql_server>();
    soci::session a{tcp(pg)}, onlooker{unix_url(pg)};
    postgresql::bound_silence(a, bound);
    postgresql::lock x{a, "x"}, next{onlooker, "x"};
    x.lock();
    const auto lost = x.lost();
    const black_hole hole;
    const auto begin = clock::now();
    EXPECT_TRUE(next.try_lock_for(60s));
    const auto freed = clock::now() - begin;
    EXPECT_LE(freed, bound);
    const auto told = time_until([&] { return lost.stop_requested(); }) + freed;
    EXPECT_LE(told, bound);
    EXPECT_EQ(x.state(), lock_state::lost);
    std::cout << "freed by the server after " << freed / 1ms << " ms, told to the holder after " << told / 1ms << " ms, bound "
              << bound / 1ms << " ms\n";
}

TEST_F(BlackHole, TheClientKnowsWithinTheBoundOnMariaDB) {
    auto& maria = server<mariadb_server>();
    soci::session a{tcp(maria)};
    mysql::bound_silence(a, bound);
    mysql::lock x{a, "x"};
    x.lock();
    const auto lost = x.lost();
    const black_hole hole;
    const auto told = time_until([&] { return lost.stop_requested(); });
    EXPECT_LE(told, bound);
    std::cout << "told to the holder after " << told / 1ms << " ms\n";
}

template <class Leased, class Lock>
void lease_in_a_black_hole(const std::string& over_tcp, const std::string& over_unix) {
    soci::session onlooker{over_unix};
    Leased x{over_tcp, "leased", 1s};
    Lock next{onlooker, "leased"};
    x.lock();
    const auto lost = x.lost();
    const black_hole hole;
    const auto begin = clock::now();
    EXPECT_TRUE(next.try_lock_for(60s));
    const auto in = boot_clock::now();
    EXPECT_LE(clock::now() - begin, 2s);
    EXPECT_LT(x.valid_until(), in);
    EXPECT_FALSE(x.owns_lock()) << "before the next holder is in";
    EXPECT_LE(time_until([&] { return lost.stop_requested(); }), 1s);
}

TEST_F(BlackHole, ALeaseEndsInItOnPostgreSQL) {
    auto& pg = server<postgresql_server>();
    lease_in_a_black_hole<postgresql::leased_lock, postgresql::lock>(tcp(pg), unix_url(pg));
}

TEST_F(BlackHole, ALeaseEndsInItOnMariaDB) {
    auto& maria = server<mariadb_server>();
    lease_in_a_black_hole<mysql::leased_lock, mysql::lock>(tcp(maria), unix_url(maria));
}

TEST_F(BlackHole, ADeadWaiterLeavesTheQueue) {
    auto& pg = server<postgresql_server>();
    soci::session a{unix_url(pg)}, b{tcp(pg)}, onlooker{unix_url(pg)};
    postgresql::bound_silence(b, bound);
    postgresql::lock x{a, "x"}, theirs{b, "x"};
    x.lock();
    const auto stands_there = [&, pid = pid_of(b)] { return waiting(onlooker, pid) == 1; };
    auto waiter = std::async(std::launch::async, [&] { return reason_of([&] { theirs.lock(); }); });
    EXPECT_LE(time_until(stands_there), 30s);
    ::shutdown(PQsocket(raw(b)), SHUT_RDWR);  // what the kernel does for a process that is killed
    EXPECT_LE(time_until([&] { return !stands_there(); }), bound);
    EXPECT_EQ(waiter.get(), errc::lost);
}

}  // namespace
}  // namespace dlock::testing

int main(int count, char** arguments) {
    ::testing::InitGoogleTest(&count, arguments);
    using dlock::testing::refusal;
    if (::unshare(CLONE_NEWNET) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) refusal = std::strerror(errno);
    else if (!dlock::testing::set_loopback(true)) refusal = std::strerror(errno);
    if (!refusal.empty()) std::cout << "SKIPPED: no network of our own: " << refusal << '\n';
    return RUN_ALL_TESTS();
}
