// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The nightly job: whatever happens to the processes that are told to run it, one at a time does, and no log is lost.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <soci/soci.h>

#include <dlock/make_lock.hpp>

#include "tests/examples/run_example.hpp"
#include "tests/servers/child_process.hpp"
#include "tests/servers/mariadb_server.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/servers/temporary_directory.hpp"

namespace dlock::testing {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr int done = 0, failed = 1, misused = 64, unavailable = 69, busy = 75;
const std::string night = "20240501";

/// A folder that the job finds ready, its logs written.
class NightlyJob : public ::testing::Test {
protected:
    NightlyJob() {
        // The job writes the logs of a folder that it has to make. They come back from its first rotation.
        EXPECT_THAT(run_example({"nightly_job", "--folder", folder(), "--night", "19991231"}),
                    Field(&outcome::status, done));
        fs::remove(folder() / "rotated-19991231");
        for (const auto& entry : fs::directory_iterator{folder()}) {
            const std::string name = entry.path().filename();
            if (name.ends_with(".log-19991231.gz")) {
                const std::string log = name.substr(0, name.size() - std::string{"-19991231.gz"}.size());
                run({.command = {"sh", "-c", "gunzip --stdout " + name + " > " + log + "; rm " + name},
                     .directory = folder()},
                    1min);
                written_[log] = contents(folder() / log);
            }
        }
        EXPECT_EQ(written_.size(), 4U);
    }

    [[nodiscard]] fs::path folder() const { return scratch_.path() / "logs"; }

    [[nodiscard]] std::vector<std::string> job(const std::string& wait = "0s", const std::string& on = {}) const {
        std::vector<std::string> command{"nightly_job", "--folder", folder(), "--night", night, "--wait", wait};
        if (!on.empty()) command.insert(command.end(), {"--on", on});
        return command;
    }

    /// Every log is there once, compressed, and a new one is begun.
    void expect_rotated() const {
        for (const auto& [log, text] : written_) {
            const auto restored = scratch_.path() / "restored";
            run({.command = {"sh", "-c", "gunzip --stdout " + log + "-" + night + ".gz > " + restored.string()},
                 .directory = folder()},
                1min);
            EXPECT_TRUE(contents(restored) == text) << log << " is not what it was";
            EXPECT_TRUE(fs::is_empty(folder() / log)) << log;
            EXPECT_FALSE(fs::exists(folder() / (log + "-" + night))) << log;
        }
    }

private:
    temporary_directory scratch_;
    std::map<std::string, std::string> written_;
};

TEST_F(NightlyJob, IsRunByOneOfSeveralProcesses) {
    std::vector<std::unique_ptr<running_example>> processes;
    for (const char* const wait : {"0s", "60s", "0s", "60s"})
        processes.push_back(std::make_unique<running_example>(job(wait)));
    int ran = 0;
    for (const auto& process : processes) {
        const int status = process->wait();
        const auto said = process->output();
        if (said.find(": done: 4 MB became ") != said.npos) {
            ++ran;
            EXPECT_EQ(status, done);
        } else if (said.find(": already done by process ") != said.npos) {
            EXPECT_EQ(status, done);
        } else {
            EXPECT_THAT(said, AllOf(HasSubstr(" (nightly_job"), HasSubstr(" is running it; leaving\n")));
            EXPECT_EQ(status, busy);
        }
    }
    EXPECT_EQ(ran, 1);
    expect_rotated();
}

TEST_F(NightlyJob, IsTakenUpWhereAKilledProcessLeftIt) {
    running_example victim{job()};
    ASSERT_TRUE(victim.says(": rotating 4 logs"));
    victim.signal(SIGSTOP);  // not too fast
    running_example heir{job("60s")};
    ASSERT_TRUE(heir.says("session " + std::to_string(victim.pid()))) << heir.output();
    victim.signal(SIGKILL);
    EXPECT_EQ(victim.wait(), 128 + SIGKILL);
    EXPECT_EQ(heir.wait(), done);
    EXPECT_THAT(heir.output(), HasSubstr(": done: "));
    EXPECT_THAT(victim.output(), Not(HasSubstr(": done: ")));
    expect_rotated();
}

TEST_F(NightlyJob, LosesNoLogWhereverItIsKilled) {
    for (const auto after : {0ms, 1ms, 2ms, 5ms, 10ms, 15ms, 20ms, 25ms, 30ms, 40ms, 50ms, 60ms}) {
        running_example victim{job()};
        ASSERT_TRUE(victim.says(": "));
        std::this_thread::sleep_for(after);
        victim.signal(SIGKILL);
        (void)victim.wait();
    }
    EXPECT_EQ(run_example(job()).status, done);
    expect_rotated();
}

TEST_F(NightlyJob, SaysWhoRunsItAndWaitsNoLongerThanItMay) {
    soci::session db{"sqlite3://dbname=\"" + (folder() / "jobs.sqlite").string() + '"'};
    any_lock lock = make_lock(db, "rotate logs");
    const std::unique_lock held{lock};
    const std::string who = "session " + std::to_string(::getpid()) + " (";
    EXPECT_THAT(run_example(job()),
                AllOf(Field(&outcome::status, busy),
                      Field(&outcome::output, AllOf(HasSubstr(who), HasSubstr(" is running it; leaving\n")))));

    const auto begin = std::chrono::steady_clock::now();
    EXPECT_THAT(
        run_example(job("300ms")),
        AllOf(Field(&outcome::status, busy), Field(&outcome::output, HasSubstr(" is still running it; leaving\n"))));
    EXPECT_GE(std::chrono::steady_clock::now() - begin, 300ms);
}

TEST_F(NightlyJob, StopsWhenItHasLostTheLock) {
    const auto& server = postgresql_server::shared();
    running_example process{job("0s", server.url())};
    ASSERT_TRUE(process.says(": rotating "));
    process.signal(SIGSTOP);
    int ended = 0;
    soci::session{server.url()} << "select count(pg_terminate_backend(pid)) from pg_locks where locktype = 'advisory'",
        soci::into(ended);
    EXPECT_EQ(ended, 1);
    process.signal(SIGCONT);
    EXPECT_EQ(process.wait(), failed);
    EXPECT_THAT(process.output(), AllOf(HasSubstr("the lock was lost"), Not(HasSubstr(": done: "))));

    EXPECT_EQ(run_example(job("0s", server.url())).status, done);
    expect_rotated();
}

TEST_F(NightlyJob, NamesTheProcessThatRunsItOnPostgresql) {
    const auto& server = postgresql_server::shared();
    running_example process{job("0s", server.url())};
    ASSERT_TRUE(process.says(": rotating "));
    process.signal(SIGSTOP);
    EXPECT_THAT(run_example(job("0s", server.url())),
                AllOf(Field(&outcome::status, busy),
                      Field(&outcome::output, HasSubstr("(nightly_job[" + std::to_string(process.pid()) +
                                                        "] dlock@local) is running it"))));
}

// --- without arguments it shows all this by itself

auto shows_what_it_promises() {
    return AllOf(Field(&outcome::status, done),
                 Field(&outcome::output, AllOf(HasSubstr("=> 1 of 4 ran the job, 3 came too late\n"),
                                               HasSubstr("=> after the kill the next one had the lock"))));
}

TEST(NightlyJobDemonstration, OnSqlite) { EXPECT_THAT(run_example({"nightly_job"}), shows_what_it_promises()); }

TEST(NightlyJobDemonstration, OnPostgresql) {
    EXPECT_THAT(run_example({"nightly_job", "--on", postgresql_server::shared().url()}), shows_what_it_promises());
}

TEST(NightlyJobDemonstration, OnMariaDb) {
    EXPECT_THAT(run_example({"nightly_job", "--on", mariadb_server::shared().url()}), shows_what_it_promises());
}

// --- one sentence about what is wrong

TEST(NightlyJobOptions, Help) {
    EXPECT_THAT(run_example({"nightly_job", "--help"}),
                AllOf(Field(&outcome::status, done), Field(&outcome::output, HasSubstr("--folder DIR"))));
}

auto complains(int status, const std::string& about) {
    const auto one_line =
        ::testing::ResultOf([](const outcome& o) { return std::count(o.output.begin(), o.output.end(), '\n'); }, 1);
    return AllOf(Field(&outcome::status, status),
                 Field(&outcome::output, AllOf(StartsWith("nightly_job["), HasSubstr(about))), one_line);
}

TEST(NightlyJobOptions, BadOnesAreExplained) {
    EXPECT_THAT(
        run_example({"nightly_job", "--on", "oracle://user:secret@db"}),
        AllOf(complains(misused, "--on takes postgresql://"), Field(&outcome::output, Not(HasSubstr("secret")))));
    EXPECT_THAT(run_example({"nightly_job", "--on", "mysql://"}), complains(misused, "--on takes"));
    EXPECT_THAT(run_example({"nightly_job", "--on"}), complains(misused, "--on needs a value"));
    EXPECT_THAT(run_example({"nightly_job", "--wait", "soon"}), complains(misused, "--wait takes a number and a unit"));
    EXPECT_THAT(run_example({"nightly_job", "--wait", "-5s"}), complains(misused, "--wait takes"));
    EXPECT_THAT(run_example({"nightly_job", "--night", "today"}), complains(misused, "--night takes a date"));
    EXPECT_THAT(run_example({"nightly_job", "--fodler", "/tmp"}), complains(misused, "there is no option '--fodler'"));
}

TEST(NightlyJobOptions, AServerOutOfReachIsExplained) {
    EXPECT_THAT(run_example({"nightly_job", "--on", "postgresql://host=/nowhere dbname=app"}),
                complains(unavailable, "/nowhere"));
    EXPECT_THAT(run_example({"nightly_job", "--on", "mysql://unix_socket=/nowhere/socket"}),
                complains(unavailable, "/nowhere/socket"));
}

TEST(NightlyJobOptions, AFolderThatCannotBeMadeIsExplained) {
    EXPECT_THAT(run_example({"nightly_job", "--folder", "/proc/logs"}), complains(failed, "/proc/logs"));
}

}  // namespace
}  // namespace dlock::testing
