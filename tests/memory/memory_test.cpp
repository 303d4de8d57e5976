// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What memory::server promises beyond the conformance suite: its queue, its deadlocks, the end of its sessions.
#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <list>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <dlock/keys/hashed_key.hpp>
#include <dlock/keys/hashed_name.hpp>
#include <dlock/keys/in_namespace.hpp>
#include <dlock/keys/integer_key.hpp>
#include <dlock/keys/integer_pair_key.hpp>
#include <dlock/memory.hpp>

namespace {

using namespace std::chrono_literals;
using dlock::errc;
using dlock::mode;
using dlock::released;
using dlock::memory::lock;
using dlock::memory::lock_table;
using dlock::memory::server;
using dlock::memory::session;
using testing::ElementsAre;
using testing::IsEmpty;

static_assert(dlock::shared_timed_lockable<lock> && dlock::timed_lockable<lock>);

/// Waits until it is so; the test fails, and does not hang, if it never is.
void await(const std::function<bool()>& condition) {
    for (const auto limit = std::chrono::steady_clock::now() + 10s; !condition(); std::this_thread::yield()) {
        if (std::chrono::steady_clock::now() > limit) throw std::runtime_error{"what the test waits for never came"};
    }
}

/// What the call throws; nothing if it does not.
std::optional<errc> error_of(const std::function<void()>& call) {
    try {
        call();
    } catch (const dlock::lock_error& e) {
        return e.reason();
    }
    return std::nullopt;
}

/// Threads that wait for one key in a known order. Their errors come out of join().
class crowd {
public:
    crowd(server& of, std::string name) : server_{of}, name_{std::move(name)} {}

    /// Returns when the newcomer waits behind the others.
    void queue(mode m, std::function<void()> then) {
        members_.push_back(std::async(std::launch::async, [this, m, then] {
            session s{server_};
            lock l{s, name_};
            if (m == mode::exclusive) l.lock();
            else l.lock_shared();
            then();
        }));
        await([&] { return server_.waiting(name_) == members_.size(); });
    }

    void join() {
        for (auto& member : members_) member.get();
    }

private:
    server& server_;
    std::string name_;
    std::list<std::future<void>> members_;
};

class Memory : public testing::Test {
protected:
    server here;
    session a{here, "a"}, b{here, "b"}, c{here, "c"};
};

using MemoryQueue = Memory;
using MemoryDeadlock = Memory;
using MemorySession = Memory;
using MemoryKey = Memory;
using MemoryCancel = Memory;
using MemoryFence = Memory;

TEST_F(MemoryQueue, ServesInTheOrderOfArrival) {
    lock front{a, "k"};
    front.lock();
    std::mutex guard;
    std::vector<int> order;
    crowd waiting{here, "k"};
    for (int i = 0; i < 8; ++i) {
        waiting.queue(mode::exclusive, [&, i] {
            const std::lock_guard held{guard};
            order.push_back(i);
        });
    }
    front.unlock();
    waiting.join();
    EXPECT_THAT(order, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7));
    EXPECT_EQ(here.waiting("k"), 0u);
}

TEST_F(MemoryQueue, ReaderDoesNotOvertakeAWriterThatWaits) {
    lock reading{a, "k"};
    reading.lock_shared();
    std::atomic<int> step = 0;
    int written_at = 0, read_at = 0;
    crowd waiting{here, "k"};
    waiting.queue(mode::exclusive, [&] { written_at = ++step; });
    waiting.queue(mode::shared, [&] { read_at = ++step; });
    lock late{b, "k"};
    EXPECT_FALSE(late.try_lock_shared()) << "a writer waits in front";
    reading.unlock();
    waiting.join();
    EXPECT_EQ(written_at, 1);
    EXPECT_EQ(read_at, 2);
    EXPECT_TRUE(late.try_lock_shared());
}

TEST_F(MemoryQueue, ReadersInARowComeInTogether) {
    lock writing{a, "k"};
    writing.lock();
    std::atomic<int> inside = 0;
    crowd waiting{here, "k"};
    for (int i = 0; i < 3; ++i) {
        waiting.queue(mode::shared, [&] {
            ++inside;
            await([&] { return inside == 3; });
        });
    }
    writing.unlock();
    waiting.join();
}

TEST_F(MemoryQueue, WriterThatGivesUpLetsInTheReadersBehindIt) {
    lock reading{a, "k"};
    reading.lock_shared();
    std::stop_source stop;
    auto writer = std::async(std::launch::async, [&] {
        return error_of([&] { (void)lock_table::acquire_until(b, "k", mode::exclusive, dlock::deadline::never(), stop.get_token()); });
    });
    await([&] { return here.waiting("k") == 1; });
    auto reader = std::async(std::launch::async, [&] { lock{c, "k"}.lock_shared(); });
    await([&] { return here.waiting("k") == 2; });
    stop.request_stop();
    EXPECT_EQ(writer.get(), errc::cancelled);
    reader.get();
    EXPECT_TRUE(reading.owns_lock());
}

TEST_F(MemoryQueue, TimedWaitEndsAtItsLimitAndLeavesTheQueue) {
    lock held{a, "k"}, wanted{b, "k"};
    held.lock();
    const auto start = std::chrono::steady_clock::now();
    EXPECT_FALSE(wanted.try_lock_for(60ms));
    const auto waited = std::chrono::steady_clock::now() - start;
    EXPECT_GE(waited, 60ms);
    EXPECT_LT(waited, 5s);
    EXPECT_EQ(here.waiting("k"), 0u);
    held.unlock();
    EXPECT_TRUE(wanted.try_lock());
}

TEST_F(MemoryQueue, ThreadsExcludeEachOther) {
    constexpr int threads = 8, rounds = 500;
    int unguarded = 0;  // a data race and a lost update unless the lock works
    std::atomic<int> readers = 0, writers = 0, violations = 0;
    std::vector<std::future<void>> all;
    for (int t = 0; t < threads; ++t) {
        all.push_back(std::async(std::launch::async, [&, t] {
            session s{here};
            lock l{s, "k"};
            for (int i = 0; i < rounds; ++i) {
                if ((i + t) % 4 == 0) {
                    std::shared_lock held{l};
                    ++readers;
                    if (writers != 0) ++violations;
                    --readers;
                } else {
                    std::unique_lock held{l};
                    if (++writers != 1 || readers != 0) ++violations;
                    ++unguarded;
                    --writers;
                }
            }
        }));
    }
    for (auto& one : all) one.get();
    EXPECT_EQ(violations, 0);
    EXPECT_EQ(unguarded, threads * rounds * 3 / 4);
}

TEST_F(MemoryDeadlock, IsRefusedToWhoClosesTheCircleAndLeavesItsOtherLocks) {
    lock a1{a, "1"}, a2{a, "2"}, b1{b, "1"}, b2{b, "2"};
    a1.lock();
    b2.lock();
    auto first = std::async(std::launch::async, [&] { a2.lock(); });
    await([&] { return here.waiting("2") == 1; });
    EXPECT_EQ(error_of([&] { b1.lock(); }), errc::deadlock);
    EXPECT_FALSE(b1.owns_lock());
    EXPECT_TRUE(b2.owns_lock());
    EXPECT_EQ(here.waiting("1"), 0u);
    EXPECT_EQ(here.waiting("2"), 1u) << "the victim's other lock still stands in the way";
    b2.unlock();
    first.get();
    EXPECT_TRUE(a2.owns_lock());
}

TEST_F(MemoryDeadlock, IsSeenThroughThreeSessions) {
    lock a1{a, "1"}, a2{a, "2"}, b2{b, "2"}, b3{b, "3"}, c3{c, "3"}, c1{c, "1"};
    a1.lock();
    b2.lock();
    c3.lock();
    auto first = std::async(std::launch::async, [&] { a2.lock(); });
    auto second = std::async(std::launch::async, [&] { b3.lock(); });
    await([&] { return here.waiting("2") == 1 && here.waiting("3") == 1; });
    EXPECT_EQ(error_of([&] { (void)c1.try_lock_for(1h); }), errc::deadlock);
    c3.unlock();
    second.get();
    b2.unlock();
    first.get();
}

TEST_F(MemoryDeadlock, IsSeenThroughAWriterInTheQueue) {
    // c reads 1; b waits to write 1; a, which holds 2, waits behind b to read 1; c wants 2.
    lock a1{a, "1"}, a2{a, "2"}, b1{b, "1"}, c1{c, "1"}, c2{c, "2"};
    c1.lock_shared();
    a2.lock();
    auto writer = std::async(std::launch::async, [&] { b1.lock(); b1.unlock(); });
    await([&] { return here.waiting("1") == 1; });
    auto reader = std::async(std::launch::async, [&] { a1.lock_shared(); });
    await([&] { return here.waiting("1") == 2; });
    EXPECT_EQ(error_of([&] { c2.lock(); }), errc::deadlock);
    c1.unlock();
    writer.get();
    reader.get();
}

TEST_F(MemoryDeadlock, IsNotSeenWhereNoneIs) {
    lock a1{a, "1"}, b1{b, "1"}, b2{b, "2"}, c2{c, "2"};
    a1.lock();
    b2.lock();
    auto chain = std::async(std::launch::async, [&] { b1.lock(); });
    await([&] { return here.waiting("1") == 1; });
    EXPECT_FALSE(c2.try_lock_for(20ms));
    a1.unlock();
    chain.get();
}

TEST_F(MemorySession, FreesItsLocksWhenItEnds) {
    lock wanted{a, "k"};
    std::optional<session> gone{std::in_place, here};
    ASSERT_TRUE(lock_table::try_acquire(*gone, "k", mode::exclusive));
    EXPECT_FALSE(wanted.try_lock());
    gone.reset();
    EXPECT_TRUE(wanted.try_lock());
}

TEST_F(MemorySession, ClosedMeansLost) {
    lock held{a, "k"}, wanted{b, "k"};
    held.lock();
    auto waiting = std::async(std::launch::async, [&] { wanted.lock(); });
    await([&] { return here.waiting("k") == 1; });
    a.close();
    waiting.get();
    EXPECT_FALSE(held.owns_lock());
    std::error_code ec;
    held.unlock(ec);
    EXPECT_EQ(ec, errc::lost);
    EXPECT_TRUE(wanted.owns_lock()) << "unlocking a lost lock took it from who has it now";
    EXPECT_EQ(error_of([&] { held.lock(); }), errc::lost);
    EXPECT_EQ(error_of([&] { (void)held.try_lock(); }), errc::lost);
    EXPECT_EQ(error_of([&] { (void)held.holders(); }), errc::lost);
    EXPECT_FALSE(a.is_open());
}

TEST_F(MemorySession, ClosedByAnotherThreadEndsItsWait) {
    lock held{a, "k"}, wanted{b, "k"};
    held.lock();
    auto waiting = std::async(std::launch::async, [&] { return error_of([&] { wanted.lock(); }); });
    await([&] { return here.waiting("k") == 1; });
    b.close();
    EXPECT_EQ(waiting.get(), errc::lost);
    EXPECT_EQ(here.waiting("k"), 0u);
    held.unlock();
    EXPECT_THAT(lock(c, "k").holders(), IsEmpty());
}

TEST_F(MemorySession, ReconnectedMeansLost) {
    lock held{a, "k"}, wanted{b, "k"};
    held.lock();
    a.reconnect();
    EXPECT_FALSE(held.owns_lock());
    ASSERT_TRUE(wanted.try_lock());
    std::error_code ec;
    held.unlock(ec);
    EXPECT_EQ(ec, errc::lost);
    EXPECT_FALSE(held.try_lock());
    wanted.unlock();
    EXPECT_TRUE(held.try_lock());
}

TEST_F(MemorySession, TellsOfItsEndWhatItsLocksHave) {
    lock held{a, "k"}, given_back{a, "j"}, elsewhere{b, "i"};
    held.lock();
    given_back.lock_shared();
    elsewhere.lock();
    const auto lost = held.lost(), silent = given_back.lost(), others = elsewhere.lost();
    given_back.unlock();
    bool free = false;
    const std::stop_callback told{lost, [&] {
                                      a.close();  // again, and from within
                                      free = lock(c, "k").try_lock();
                                  }};
    EXPECT_FALSE(lost.stop_requested());
    std::thread{[&] { a.close(); }}.join();
    EXPECT_TRUE(free) << "told before it was free, or not at all";
    EXPECT_TRUE(held.lost().stop_requested());
    EXPECT_TRUE(given_back.lost().stop_requested()) << "of a lock that is not held";
    EXPECT_FALSE(silent.stop_requested());
    EXPECT_FALSE(others.stop_requested());
    EXPECT_EQ(held.state(), dlock::lock_state::lost);
}

TEST_F(MemorySession, ReconnectedTellsOfTheLossAndNotOfTheNextGrant) {
    lock held{a, "k"};
    held.lock();
    const auto before = held.lost();
    EXPECT_FALSE(before.stop_requested());
    a.reconnect();
    EXPECT_TRUE(before.stop_requested());
    held.lock();
    const auto after = held.lost();
    EXPECT_FALSE(after.stop_requested());
    held.unlock();
    a.close();
    EXPECT_FALSE(after.stop_requested()) << "it had been given back";
}

TEST_F(MemorySession, ClosedBeforeTheQuestionTellsAtOnce) {  // as when it comes between the lock's own look and the question
    const auto grant = lock_table::try_acquire(a, "k", mode::exclusive);
    a.close();
    EXPECT_TRUE(lock_table::lost(a, "k", mode::exclusive, *grant).stop_requested());
    a.reconnect();
    EXPECT_TRUE(lock_table::lost(a, "k", mode::exclusive, *grant).stop_requested());
}

TEST_F(MemorySession, ClosedByAnotherThreadTellsNothingOfTheNextGrant) {
    for (int i = 0; i < 2000; ++i) {
        session s{here};
        lock held{s, "k"};
        held.lock();
        const auto before = held.lost();
        std::thread closer{[&] { s.close(); }};
        while (s.is_open()) {
        }
        s.reconnect();
        held.lock();
        const auto after = held.lost();
        closer.join();
        ASSERT_TRUE(before.stop_requested());
        ASSERT_FALSE(after.stop_requested()) << "round " << i;
    }
}

TEST_F(MemorySession, SeveredOnlyIfItIsTheOneThatWasGranted) {
    const auto before = lock_table::try_acquire(a, "k", mode::exclusive);
    a.reconnect();
    const auto after = lock_table::try_acquire(a, "k", mode::exclusive);
    lock_table::sever(a, *before);
    EXPECT_TRUE(lock_table::still_held(a, "k", mode::exclusive, *after));
    lock_table::sever(a, *after);
    EXPECT_FALSE(a.is_open());
    EXPECT_EQ(lock_table::release(a, "k", mode::exclusive, *after), released::lost);
}

TEST_F(MemorySession, KnowsNothingOfAnotherServer) {
    server elsewhere;
    session there{elsewhere}, shared_one, shared_other{server::process_wide()};
    lock l1{a, "k"}, l2{there, "k"}, l3{shared_one, "k"}, l4{shared_other, "k"};
    EXPECT_TRUE(l1.try_lock());
    EXPECT_TRUE(l2.try_lock());
    EXPECT_TRUE(l3.try_lock());
    EXPECT_FALSE(l4.try_lock()) << "both of the server that this process shares";
}

TEST_F(MemorySession, HoldsAKeyOnce) {
    lock one{a, "k"}, two{a, "k"};
    one.lock_shared();
    EXPECT_EQ(error_of([&] { (void)two.try_lock_shared(); }), errc::already_owned);
    EXPECT_EQ(error_of([&] { two.lock(); }), errc::already_owned);
    EXPECT_TRUE(one.owns_lock());
}

TEST_F(MemorySession, IsNamedByHolders) {
    lock one{a, "k"}, two{b, "k"};
    one.lock_shared();
    two.lock_shared();
    std::vector<std::string> who;
    for (const auto& h : lock(c, "k").holders()) who.push_back(h.description + (h.session.empty() ? "?" : ""));
    EXPECT_THAT(who, ElementsAre("a", "b"));
    one.unlock();
    two.unlock();
    EXPECT_THAT(two.holders(), IsEmpty());
}

TEST_F(MemorySession, IsNamedByItsLabel) {
    lock held{a, "k"};
    held.lock();
    a.set_label("night shift");
    EXPECT_EQ(lock(c, "k").holders().at(0).description, "night shift");
    a.reconnect();
    held.lock();
    EXPECT_EQ(lock(c, "k").holders().at(0).description, "night shift");
    a.set_label("");
    EXPECT_EQ(lock(c, "k").holders().at(0).description, "");
    a.close();
    EXPECT_NO_THROW(a.set_label("nobody"));
}

TEST_F(MemoryCancel, EndsAWaitAtOnceAndLeavesNothing) {
    lock held{a, "k"};
    held.lock();
    std::stop_source stop;
    std::chrono::steady_clock::time_point back;
    auto waiting = std::async(std::launch::async, [&] {
        const auto e = error_of([&] { (void)lock_table::acquire_until(b, "k", mode::shared, dlock::deadline::never(), stop.get_token()); });
        back = std::chrono::steady_clock::now();
        return e;
    });
    await([&] { return here.waiting("k") == 1; });
    const auto asked = std::chrono::steady_clock::now();
    stop.request_stop();
    EXPECT_EQ(waiting.get(), errc::cancelled);
    EXPECT_LT(back - asked, 50ms);
    EXPECT_EQ(here.waiting("k"), 0u);
    held.unlock();
    EXPECT_TRUE(lock_table::try_acquire(c, "k", mode::exclusive)) << "the cancelled wait left something held";
}

TEST_F(MemoryCancel, RacingWithAGrantIsOneOrTheOther) {
    for (int i = 0; i < 300; ++i) {
        lock held{a, "k"};
        held.lock();
        std::stop_source stop;
        auto waiting = std::async(std::launch::async, [&] {
            return error_of([&] {
                const auto g = lock_table::acquire_until(b, "k", mode::exclusive, dlock::deadline::never(), stop.get_token());
                ASSERT_TRUE(g);
                EXPECT_EQ(lock_table::release(b, "k", mode::exclusive, *g), released::yes);
            });
        });
        await([&] { return here.waiting("k") == 1; });
        auto stopper = std::async(std::launch::async, [&] { stop.request_stop(); });
        held.unlock();
        const auto e = waiting.get();
        EXPECT_TRUE(!e || e == errc::cancelled);
        stopper.get();
        const auto g = lock_table::try_acquire(c, "k", mode::exclusive);
        ASSERT_TRUE(g);
        lock_table::release(c, "k", mode::exclusive, *g);
    }
}

TEST_F(MemoryCancel, BeforeTheWaitTakesNothing) {
    std::stop_source stop;
    stop.request_stop();
    EXPECT_EQ(error_of([&] { (void)lock_table::acquire_until(a, "k", mode::exclusive, dlock::deadline::never(), stop.get_token()); }),
              errc::cancelled);
    EXPECT_THAT(lock_table::holders(a, "k"), IsEmpty());
}

template <class Policy>
using lock_by = dlock::basic_lock<lock_table, Policy>;

TEST_F(MemoryKey, ComesFromEveryPolicyAndKindsNeverMeet) {
    lock_by<dlock::integer_key> integer{a, 7};
    lock_by<dlock::integer_pair_key> pair{a, dlock::integer_pair{0, 7}};
    lock_by<dlock::in_namespace<"n", dlock::integer_key>> spaced{a, 7};
    lock_by<dlock::hashed_key> hashed{a, "7"};
    lock_by<dlock::hashed_name> hashed_text{a, "7"};
    lock text{a, "7"};
    integer.lock();
    pair.lock();
    spaced.lock();
    hashed.lock();
    hashed_text.lock();
    text.lock();
    EXPECT_FALSE(lock_by<dlock::integer_key>(b, 7).try_lock());
    EXPECT_FALSE((lock_by<dlock::integer_pair_key>(b, dlock::integer_pair{0, 7}).try_lock()));
    EXPECT_FALSE((lock_by<dlock::in_namespace<"n", dlock::integer_key>>(b, 7).try_lock()));
    EXPECT_FALSE(lock_by<dlock::hashed_key>(b, "7").try_lock());
    EXPECT_FALSE(lock_by<dlock::hashed_name>(b, "7").try_lock());
    EXPECT_FALSE(lock(b, "7").try_lock());
}

TEST_F(MemoryKey, KeepsEveryByteOfAText) {
    using namespace std::string_literals;
    const std::vector<dlock::memory::key> texts{"k"s, "k\0"s, "k\0x"s, "K"s, " k"s, "k "s, ""s, "\xff"s};
    for (const auto& k : texts) EXPECT_TRUE(lock_table::try_acquire(a, k, mode::exclusive));
    for (const auto& k : texts) EXPECT_FALSE(lock_table::try_acquire(b, k, mode::exclusive));
}

TEST_F(MemoryKey, TwoOfThemLockTogether) {
    lock x{a, "x"}, y{a, "y"};
    {
        const std::scoped_lock both{x, y};
        EXPECT_FALSE(lock(b, "x").try_lock());
        EXPECT_FALSE(lock(b, "y").try_lock());
    }
    EXPECT_TRUE(lock(b, "x").try_lock());
}

TEST_F(MemoryFence, TokensIncreaseAcrossKeysModesSessionsAndWaysToLock) {
    dlock::fencing_token last{};
    const auto expect_larger = [&last](lock& l) {
        EXPECT_GT(l.token(), last);
        last = l.token();
        EXPECT_EQ(l.token(), last) << "it is the grant's, not the question's";
        l.unlock();
    };
    for (session* on : {&a, &b, &a}) {
        for (const char* name : {"k", "another"}) {
            lock l{*on, name};
            EXPECT_TRUE(l.try_lock());
            expect_larger(l);
            EXPECT_TRUE(l.try_lock_for(1s));
            expect_larger(l);
            l.lock();
            expect_larger(l);
            l.lock_shared();
            expect_larger(l);
        }
    }
}

TEST_F(MemoryFence, WhoWaitedHasALargerTokenThanAllThatWereGivenMeanwhile) {
    dlock::memory::fenced_lock mine{a, "k"}, other{c, "another"};
    mine.lock();
    dlock::fencing_token theirs{};
    crowd waiting{here, "k"};
    for (int i = 0; i < 3; ++i) {
        waiting.queue(mode::shared, [] {});
    }
    lock writer{b, "k"};
    auto last = std::async(std::launch::async, [&] {
        writer.lock();
        theirs = writer.token();
    });
    await([&] { return here.waiting("k") == 4; });
    other.lock();
    mine.unlock();
    waiting.join();
    last.get();
    EXPECT_GT(theirs.value, other.token().value + 3);
}

TEST_F(MemoryFence, WhoLostTheLockBeforeItWokeUpHasASmallerTokenThanTheNext) {
    for (int i = 0; i < 50; ++i) {
        session early{here}, late{here};
        lock front{a, "k"};
        front.lock();
        auto first = std::async(std::launch::async, [&]() -> std::optional<dlock::fencing_token> {
            lock l{early, "k"};
            try {
                l.lock();
                return l.token();
            } catch (const dlock::lock_error&) {
                return std::nullopt;  // closed before it was given the lock
            }
        });
        await([&] { return here.waiting("k") == 1; });
        auto second = std::async(std::launch::async, [&] {
            lock l{late, "k"};
            l.lock();
            return l.token();
        });
        await([&] { return here.waiting("k") == 2; });
        front.unlock();
        early.close();
        const auto next = second.get();
        EXPECT_LT(first.get().value_or(dlock::fencing_token{}), next);
    }
}

TEST_F(MemoryFence, ALockThatIsNotHeldHasNoTokenAndALostOneKeepsIts) {
    lock mine{a, "k"}, theirs{b, "k"};
    EXPECT_EQ(error_of([&] { (void)mine.token(); }), errc::not_owner);
    mine.lock();
    EXPECT_FALSE(theirs.try_lock());
    EXPECT_EQ(error_of([&] { (void)theirs.token(); }), errc::not_owner);
    const auto before = mine.token();
    a.close();
    theirs.lock();
    EXPECT_EQ(mine.token(), before);
    EXPECT_LT(mine.token(), theirs.token());
    theirs.unlock();
    EXPECT_EQ(error_of([&] { (void)theirs.token(); }), errc::not_owner);
}

}  // namespace
