// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/deadline.hpp>

#include <chrono>
#include <cstdint>
#include <limits>
#include <ratio>
#include <stdexcept>

#include <gtest/gtest.h>

namespace dlock {
namespace {

using namespace std::chrono_literals;
using clock = deadline::clock;
template <class Rep>
using seconds_of = std::chrono::duration<Rep>;

static_assert(clock::is_steady);
static_assert(deadline::never().is_never());
static_assert(deadline::never() == deadline::never());
static_assert(deadline::never().time() == clock::time_point::max());
static_assert(noexcept(deadline::never().expired()) && noexcept(deadline::never().remaining<std::chrono::seconds>()));

/// `d` lies `wait` after this call's beginning or, by as long as the call took, later.
template <class Make>
void expect_after(clock::duration wait, Make make) {
    const auto before = clock::now();
    const deadline d = make();
    const auto after = clock::now();
    EXPECT_GE(d.time(), before + wait);
    EXPECT_LE(d.time(), after + wait + 1ns);  // 1 ns: the real number of seconds was rounded up
}

template <class Duration>
void expect_never(Duration wait) {
    EXPECT_TRUE(deadline::after(wait).is_never());
    EXPECT_FALSE(deadline::after(wait).expired());
}

template <class Duration>
void expect_expired(Duration wait) {
    const auto d = deadline::after(wait);
    EXPECT_TRUE(d.expired());
    EXPECT_FALSE(d.is_never());
    EXPECT_EQ(d.template remaining<std::chrono::milliseconds>(), 0ms);
}

TEST(Deadline, NeverDoesNotExpire) {
    EXPECT_FALSE(deadline::never().expired());
    EXPECT_GT(deadline::never(), deadline::after(24h * 365 * 99));
}

TEST(Deadline, CountsFromTheCall) {
    expect_after(1h, [] { return deadline::after(1h); });
    expect_after(1ns, [] { return deadline::after(1ns); });
    expect_after(24h * 365 * 99, [] { return deadline::after(24h * 365 * 99); });
    EXPECT_LT(deadline::after(1h), deadline::after(2h));
}

TEST(Deadline, TakesEveryRepresentation) {
    expect_after(100s, [] { return deadline::after(seconds_of<std::int8_t>{100}); });
    expect_after(200s, [] { return deadline::after(seconds_of<std::uint8_t>{200}); });
    expect_after(300s, [] { return deadline::after(seconds_of<std::uint64_t>{300}); });
    expect_after(1500ms, [] { return deadline::after(seconds_of<float>{1.5F}); });
    expect_after(1500ms, [] { return deadline::after(seconds_of<double>{1.5}); });
    expect_after(1500ms, [] { return deadline::after(seconds_of<long double>{1.5L}); });
    expect_after(14 * 24h, [] { return deadline::after(std::chrono::weeks{2}); });
    expect_after(2ns, [] { return deadline::after(std::chrono::duration<int, std::pico>{1001}); });
    expect_after(1ns, [] { return deadline::after(seconds_of<double>{std::numeric_limits<double>::denorm_min()}); });
}

TEST(Deadline, ZeroAndLessHasExpired) {
    expect_expired(0s);
    expect_expired(-1ns);
    expect_expired(seconds_of<double>{-0.0});
    expect_expired(seconds_of<double>{-1e300});
    expect_expired(seconds_of<double>{-std::numeric_limits<double>::denorm_min()});
    expect_expired(seconds_of<double>{-std::numeric_limits<double>::infinity()});
    expect_expired(std::chrono::nanoseconds::min());
    expect_expired(std::chrono::hours::min());
    expect_expired(std::chrono::years::min());
}

TEST(Deadline, ACenturyIsNever) {
    expect_never(24h * 365 * 100);
    expect_never(std::chrono::years{100});
    expect_never(std::chrono::nanoseconds::max());
    expect_never(std::chrono::hours::max());
    expect_never(std::chrono::years::max());
    expect_never(seconds_of<std::uint64_t>::max());
    expect_never(seconds_of<float>{std::numeric_limits<float>::max()});
    expect_never(seconds_of<double>{1e300});
    expect_never(seconds_of<double>{std::numeric_limits<double>::infinity()});
    EXPECT_FALSE(deadline::after(24h * 365 * 100 - 1s).is_never());
}

TEST(Deadline, RefusesWhatIsNotANumber) {
    EXPECT_THROW((void)deadline::after(seconds_of<float>{std::numeric_limits<float>::quiet_NaN()}), std::invalid_argument);
    EXPECT_THROW((void)deadline::after(seconds_of<double>{-std::numeric_limits<double>::quiet_NaN()}), std::invalid_argument);
    EXPECT_THROW((void)deadline::after(seconds_of<long double>{std::numeric_limits<long double>::quiet_NaN()}), std::invalid_argument);
    const std::chrono::time_point<clock, seconds_of<double>> never_a_time{seconds_of<double>{std::numeric_limits<double>::quiet_NaN()}};
    EXPECT_THROW((void)deadline::at(never_a_time), std::invalid_argument);
}

// --- remaining() rounds up

template <class Unit>
void expect_rounded_up(deadline d) {
    const auto before = d.time() - clock::now();
    const auto remaining = d.remaining<Unit>();
    const auto after = d.time() - clock::now();
    EXPECT_GE(remaining, after);
    EXPECT_LT(remaining, before + Unit{1});
}

TEST(Deadline, RemainingIsRoundedUpIntoEveryUnit) {
    for (const auto wait : {1s, 90s, 3599s, 3600s, 3601s}) {
        const auto d = deadline::after(wait + 1ms);
        expect_rounded_up<std::chrono::nanoseconds>(d);
        expect_rounded_up<std::chrono::microseconds>(d);
        expect_rounded_up<std::chrono::milliseconds>(d);
        expect_rounded_up<std::chrono::seconds>(d);
        expect_rounded_up<std::chrono::minutes>(d);
        expect_rounded_up<std::chrono::hours>(d);
    }
    EXPECT_EQ(deadline::after(61min).remaining<std::chrono::hours>(), 2h);
}

TEST(Deadline, RemainingIsZeroOnlyWhenItHasExpired) {
    const auto d = deadline::after(2ms);
    for (auto left = 1s; left != 0s; left = d.remaining<std::chrono::seconds>()) EXPECT_EQ(left, 1s);
    EXPECT_TRUE(d.expired());
    EXPECT_EQ(d.remaining<std::chrono::nanoseconds>(), 0ns) << "and never negative";
}

// --- at()

TEST(Deadline, IsAtATimePoint) {
    const auto when = clock::now() + 1h;
    EXPECT_GE(deadline::at(when).time(), when) << "never earlier";
    expect_after(1h, [] { return deadline::at(clock::now() + 1h); });
    EXPECT_TRUE(deadline::at(clock::now()).expired());
    EXPECT_TRUE(deadline::at(clock::now() - 1ns).expired());
}

template <class Clock>
class DeadlineAt : public ::testing::Test {};

/// Its epoch is yet to come, and it counts in floating-point minutes.
struct countdown {
    using duration = std::chrono::duration<double, std::ratio<60>>;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<countdown, duration>;
    static time_point now() { return time_point{duration{clock::now().time_since_epoch()} - 24h * 365 * 1000}; }
};

using clocks = ::testing::Types<std::chrono::steady_clock, std::chrono::system_clock, std::chrono::high_resolution_clock,
                                std::chrono::file_clock, countdown>;
TYPED_TEST_SUITE(DeadlineAt, clocks);

TYPED_TEST(DeadlineAt, ConvertsTheClockOnce) {
    const auto left = deadline::at(TypeParam::now() + 1h).template remaining<std::chrono::milliseconds>();
    EXPECT_GT(left, 1h - 1min);
    EXPECT_LE(left, 1h + 1ms);
}

TYPED_TEST(DeadlineAt, SaturatesAtTheEndsOfTheClock) {
    EXPECT_TRUE(deadline::at(TypeParam::time_point::max()).is_never());
    EXPECT_TRUE(deadline::at(TypeParam::time_point::min()).expired());
}

TYPED_TEST(DeadlineAt, TakesCoarseTimePoints) {
    using coarse = std::chrono::time_point<TypeParam, std::chrono::hours>;
    EXPECT_TRUE(deadline::at(std::chrono::floor<std::chrono::hours>(TypeParam::now())).expired());
    EXPECT_FALSE(deadline::at(std::chrono::floor<std::chrono::hours>(TypeParam::now()) + 2h).expired());
    EXPECT_TRUE(deadline::at(coarse::max()).is_never());
    EXPECT_TRUE(deadline::at(coarse::min()).expired());
}

TEST(Deadline, BeforeTheEpochIsATimeToo) {
    EXPECT_LT(countdown::now().time_since_epoch(), 0s);
    EXPECT_FALSE(deadline::at(countdown::now() + 1h).expired());
    EXPECT_TRUE(deadline::at(std::chrono::system_clock::time_point{-1h}).expired());
    EXPECT_TRUE(deadline::at(std::chrono::sys_days{std::chrono::year{1969} / 7 / 20}).expired());
}

/// A wall clock that somebody sets.
struct wall {
    using duration = std::chrono::seconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<wall, duration>;
    static time_point now() { return face; }
    static inline time_point face{1h};
};

TEST(Deadline, IsNotMovedByAClockThatIsStepped) {
    const auto d = deadline::at(wall::now() + 1h);
    wall::face -= 24h;
    EXPECT_LE(d.remaining<std::chrono::minutes>(), 60min);
    wall::face += 48h;
    EXPECT_FALSE(d.expired());
}

}  // namespace
}  // namespace dlock
