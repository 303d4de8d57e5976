// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Random histories: a few processes lock at random while sessions, processes and servers are killed and stopped at random,
// and a judge (history.hpp) reads what they were told. And the judge is shown bugs that it must find.
//
// A hundred histories for each kind of server, some more on other ways to it; with DLOCK_SOAK_SECONDS as many as there is
// time for. With a sanitizer processes start so slowly that at the same pace none would ever lock before it is killed: there
// everything is slower, and there are a few of each.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/faults/history.hpp"
#include "tests/faults/target.hpp"
#include "tests/servers/child_process.hpp"
#include "tests/servers/temporary_directory.hpp"
#include "tests/support/expect.hpp"
#include "tests/support/slowdown.hpp"

namespace dlock::testing {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

/// What was done and seen in all histories of a test.
struct tally {
    int histories = 0, grants = 0, empty = 0, lost = 0;
    std::map<std::string, int> faults;

    friend std::ostream& operator<<(std::ostream& out, const tally& t) {
        int all = 0;
        for (const auto& [name, count] : t.faults) all += count;
        out << t.histories << " histories, " << t.grants << " grants (" << t.empty << " of them empty), " << t.lost << " losses told, " << all << " faults:";
        for (const auto& [name, count] : t.faults) out << ' ' << name << ' ' << count << ',';
        return out;
    }
};

/// Several workers and what befalls them.
class history {
public:
    struct plan {
        unsigned seed = 0;
        bool crash = false;    ///< of the server, once
        std::string bug = {};  ///< planted in all workers
    };

    history(target& on, const plan& what, const temporary_directory& folder, tally& count)
        : target_{on},
          plan_{what},
          record_{folder.path() / ("record-" + std::to_string(what.seed))},
          count_{count},
          dice_{what.seed},
          until_{now_ns() + ((what.crash ? 1'070 : 0) + 180 * slowdown) * million} {
        for (int i = 0; i < 4; ++i) workers_.push_back(spawn());
    }

    /// Injects faults until the end, and waits for the workers. The events of all.
    std::vector<event> run() {
        bool crash_is_due = plan_.crash;
        for (;;) {
            std::this_thread::sleep_for(std::chrono::microseconds{(1'000 + random(8'000)) * slowdown});
            for (auto& each : workers_) {
                if (each.stopped_until != 0 && each.stopped_until < now_ns()) go_on(each);
            }
            if (now_ns() > until_) break;
            if (crash_is_due && now_ns() > until_ - 1'000 * million) {
                crash();
                crash_is_due = false;
            } else {
                fault();
            }
        }
        for (auto& each : workers_) {  // all of them, before one is waited for
            if (each.stopped_until != 0) go_on(each);
        }
        for (auto& each : workers_) {
            const auto status = each.process->wait(60s);
            EXPECT_EQ(status, 0) << tail(log());
        }
        await([this] { return !target_.in_use(); }, "somebody holds or waits after the end of all");
        for (const auto& each : recorded(record_)) events_.push_back(each);
        std::filesystem::remove(record_);
        return events_;
    }

    /// What the workers say on their way.
    [[nodiscard]] std::filesystem::path log() const { return record_.string() + ".log"; }

private:
    static constexpr std::int64_t million = 1'000'000;

    struct worker {
        std::unique_ptr<child_process> process;
        std::uint32_t actor = 0;
        std::int64_t stopped_until = 0;  ///< 0: it runs
    };

    worker spawn() {
        const auto kinds = target_.kinds();
        const auto actor = next_actor_++;
        std::vector<std::string> command{"tests/faults/worker",
                                         kinds[random(static_cast<unsigned>(kinds.size()))],
                                         target_.where(),
                                         record_.string(),
                                         std::to_string(actor),
                                         std::to_string(random(1'000'000)),
                                         std::to_string(target_.keys()),
                                         std::to_string(until_)};
        if (!plan_.bug.empty()) command.push_back(plan_.bug);
        return {std::make_unique<child_process>(child_process::options{.command = std::move(command), .log = log()}), actor};
    }

    void fault() {
        // Without files there is nothing to give back: that would excuse most planted bugs, as a crash of the server would.
        if (!target_.is_server() && plan_.bug.empty() && random(8) == 0) return take_files_away();
        auto& one = workers_[random(static_cast<unsigned>(workers_.size()))];
        switch (random(target_.is_server() ? 7 : 3)) {
            case 0: kill_process(one); break;
            case 1:
            case 2:
                ++count_.faults["SIGSTOP"];
                one.process->signal(SIGSTOP);
                one.stopped_until = now_ns() + random(40) * million;
                break;
            case 3:
            case 4: kill_session(target::victim::holder, "holder's session killed"); break;
            case 5: kill_session(target::victim::waiter, "waiter's session killed"); break;
            case 6:
                if (const auto session = target_.find_session(target::victim::waiter); session && target_.cancel(*session))
                    ++count_.faults["wait cancelled"];
                break;
        }
    }

    void kill_process(worker& one) {
        const auto before = now_ns();
        one.process->signal(SIGKILL);
        if (one.process->wait(30s) != 128 + SIGKILL) return;  // it had ended before: its status is looked at in the end
        inject("SIGKILL", {.at = before, .actor = one.actor, .what = happening::kills_process});
        one = spawn();
    }

    void kill_session(target::victim who, const char* name) {
        const auto session = target_.find_session(who);
        const auto before = now_ns();  // the session was opened before that
        if (!session || !target_.kill_session(*session)) return;
        inject(name, {.at = before, .session = *session, .what = happening::kills_session});
        events_.push_back({.at = now_ns(), .session = *session, .what = happening::session_ended});
    }

    void take_files_away() {
        const auto before = now_ns();
        if (!target_.take_files_away()) return;
        inject("files taken away", {.at = before, .what = happening::takes_files});
        events_.push_back({.at = now_ns(), .what = happening::files_taken});
    }

    void crash() {
        inject("server crash", {.at = now_ns(), .what = happening::stops_server});
        target_.crash();
        events_.push_back({.at = now_ns(), .what = happening::server_ended});
        target_.restart();
    }

    /// Only one that was stopped: SIGCONT takes back the SIGSTOP by which LeakSanitizer, at the end of a process, attaches to
    /// it, and then both wait for ever.
    static void go_on(worker& one) {
        one.process->signal(SIGCONT);
        one.stopped_until = 0;
    }

    void inject(const char* name, const event& what) {
        events_.push_back(what);
        ++count_.faults[name];
    }

    unsigned random(unsigned below) { return std::uniform_int_distribution<unsigned>{0, below - 1}(dice_); }

    target& target_;
    const plan plan_;
    const std::filesystem::path record_;
    tally& count_;
    std::minstd_rand dice_;
    const std::int64_t until_;
    std::uint32_t next_actor_ = 1;
    std::vector<event> events_;
    std::vector<worker> workers_;
};

struct backend_case {
    const char* title;
    std::unique_ptr<target> (*make)();
    unsigned histories;
    std::vector<const char*> bugs;

    friend void PrintTo(const backend_case& b, std::ostream* out) { *out << b.title; }
};

class HistoryFault : public ::testing::TestWithParam<backend_case> {
protected:
    verdict judge(const history::plan& plan) {
        SCOPED_TRACE("seed " + std::to_string(plan.seed));
        history one{*target_, plan, folder_, count_};
        const auto events = one.run();
        auto result = check(events);
        ++count_.histories;
        count_.grants += static_cast<int>(result.holds.size());
        count_.empty += static_cast<int>(std::ranges::count_if(result.holds, empty));
        count_.lost += static_cast<int>(std::ranges::count(events, happening::lost, &event::what));
        if (!result.violations.empty() && plan.bug.empty()) {
            keep(events, plan.seed);
            std::cout << "what the workers said:\n" << tail(one.log());
        }
        return result;
    }

    /// Where the tests' outputs are kept.
    static void keep(std::vector<event> events, unsigned seed) {
        const char* const outputs = std::getenv("TEST_UNDECLARED_OUTPUTS_DIR");
        if (outputs == nullptr) return;
        std::ranges::sort(events, {}, &event::at);
        std::ofstream out{std::filesystem::path{outputs} / ("history-" + std::to_string(seed) + ".txt")};
        for (const auto& each : events) out << each << '\n';
    }

    const temporary_directory folder_;
    tally count_;
    std::unique_ptr<target> target_ = GetParam().make();
};

const backend_case cases[] = {
    {"PostgreSql", postgresql_target, 100, {"claim", "late", "forget", "old_token"}},
    {"PostgreSqlTcp", postgresql_tcp_target, 24, {"late"}},
    {"PostgreSqlManaged", postgresql_managed_target, 40, {"late", "forget"}},
    {"PgBouncer", pgbouncer_target, 24, {"late", "forget"}},
    {"MariaDb", mariadb_target, 100, {"claim", "late", "forget", "old_token"}},
    {"MariaDbTcp", mariadb_tcp_target, 24, {"late"}},
    {"MariaDbManaged", mariadb_managed_target, 40, {"late", "forget"}},
    {"MySql56", mysql56_target, 100, {"claim", "late", "forget", "old_token"}},
    {"Sqlite", sqlite_target, 100, {"claim", "late", "forget", "old_token"}},
};

INSTANTIATE_TEST_SUITE_P(, HistoryFault, ::testing::ValuesIn(cases), [](const auto& of) { return of.param.title; });

TEST_P(HistoryFault, NoTwoHoldAndNothingIsLeft) {
    const char* const soak = std::getenv("DLOCK_SOAK_SECONDS");
    const auto end = clock::now() + std::chrono::seconds{soak != nullptr ? std::atoi(soak) : 0};
    const unsigned first = std::random_device{}();
    std::size_t violations = 0;
    const unsigned enough = slowdown == 1 ? GetParam().histories : 8;
    for (unsigned i = 0; (i < enough || clock::now() < end) && !HasFailure(); ++i) {
        const auto result = judge({.seed = first + i, .crash = target_->is_server() && i % 12 == 5});
        for (const auto& each : result.violations) ADD_FAILURE() << each.what << " (seed " << first + i << ')';
        violations += result.violations.size();
    }
    std::cout << GetParam().title << ": " << count_ << ' ' << violations << " violations\n";
    EXPECT_GT(count_.grants - count_.empty, count_.histories) << "hardly anything was locked";
}

TEST_P(HistoryFault, APlantedBugIsFound) {
    const std::map<std::string, rule> found_as{
        {"claim", rule::one_holder}, {"late", rule::one_holder}, {"forget", rule::grant_ends}, {"old_token", rule::token_rises}};
    for (const std::string bug : GetParam().bugs) {
        bool found = false;
        int tried = 0;
        for (unsigned seed = std::random_device{}(); !found && tried < 100; ++tried) {
            const auto violations = judge({.seed = seed++, .bug = bug}).violations;
            found = std::ranges::count(violations, found_as.at(bug), &violation::broken) > 0;
        }
        EXPECT_TRUE(found) << bug;
        std::cout << GetParam().title << ": planted \"" << bug << "\" found in history " << tried << '\n';
    }
}

}  // namespace
}  // namespace dlock::testing
