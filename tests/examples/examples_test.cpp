// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The small examples do what they say.
#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <soci/soci.h>

#include "tests/examples/run_example.hpp"
#include "tests/servers/postgresql_server.hpp"
#include "tests/servers/temporary_directory.hpp"

namespace dlock::testing {
namespace {

using ::testing::AllOf;
using ::testing::Field;
using ::testing::HasSubstr;

outcome run_on_postgresql(const std::string& example) {
    return run_example({example, postgresql_server::shared().url()});
}

auto succeeds_and_says(const std::string& output) {
    return AllOf(Field(&outcome::status, 0), Field(&outcome::output, output));
}

TEST(Examples, FirstProgramLocks) {
    EXPECT_THAT(run_on_postgresql("first_program"),
                succeeds_and_says("held: no other session has user/001 now\nheld again\nand again\n"));
}

TEST(Examples, FirstProgramWaitsInTheQueueOfTheServer) {
    const auto url = postgresql_server::shared().url();
    soci::session holder{url};
    holder << "select pg_advisory_lock(-8875347467275493450)";  // the key of user/001
    running_example program{{"first_program", url}};
    for (int waiting = 0; waiting == 0;) {
        ASSERT_EQ(program.output(), "");
        holder << "select count(*) from pg_locks where locktype = 'advisory' and not granted", soci::into(waiting);
    }
    holder << "select pg_advisory_unlock(-8875347467275493450)";
    EXPECT_EQ(program.wait(), 0);
    EXPECT_EQ(program.output(), "held: no other session has user/001 now\nheld again\nand again\n");
}

TEST(Examples, FirstProgramSaysWhyItCannotConnect) {
    EXPECT_THAT(run_example({"first_program", "postgresql://host=/nowhere"}),
                AllOf(Field(&outcome::status, 1), Field(&outcome::output, HasSubstr("/nowhere"))));
}

TEST(Examples, Cancelling) {
    EXPECT_THAT(run_on_postgresql("cancelling"), succeeds_and_says("did not want to wait any longer\n"));
}

TEST(Examples, ChoosingPolicies) {
    EXPECT_THAT(run_on_postgresql("choosing_policies"),
                succeeds_and_says("an order, a name and an invoice 42, and none is in the way of another\n"
                                  "dlock: lock() reached the limit of its wait policy: timed out\n"
                                  "polled for 50 ms: busy\n"));
}

TEST(Examples, FencingRefusesThePausedHolder) {
    EXPECT_THAT(run_on_postgresql("fencing"), succeeds_and_says("the next holder writes 70\n"
                                                                "the paused one is refused\n"
                                                                "the balance is 70\n"));
}

TEST(Examples, LosingInterruptsTheWork) {
    EXPECT_THAT(run_on_postgresql("losing"), succeeds_and_says("interrupted: the lock is lost\n"
                                                               "held, and the next heartbeat is on its way\n"));
}

TEST(Examples, ManyThreadsShareAConnection) {
    EXPECT_THAT(run_on_postgresql("many_threads"), succeeds_and_says("1600 turns over 1 connection(s)\n"));
}

TEST(Examples, MultiTransfersBothWays) {
    EXPECT_THAT(run_on_postgresql("multi"), succeeds_and_says("200 transfers, no deadlock, and the sum is 200\n"));
}

TEST(Examples, ReaderWriter) {
    EXPECT_THAT(run_on_postgresql("reader_writer"), succeeds_and_says("two sessions read\n"
                                                                      "a writer has to wait\n"
                                                                      "nobody reads any more: written\n"));
}

TEST(Examples, TransactionLeavesNoGap) {
    EXPECT_THAT(run_on_postgresql("transaction"), succeeds_and_says("32 invoices, the last one is number 32\n"));
}

TEST(Examples, PoolServesEveryThread) {
    const auto [status, output] = run_on_postgresql("pool");
    EXPECT_EQ(status, 0);
    std::istringstream lines{output};
    std::vector<std::string> reminded;
    for (std::string line; std::getline(lines, line);) reminded.push_back(line);
    std::sort(reminded.begin(), reminded.end());
    EXPECT_EQ(reminded,
              (std::vector<std::string>{"reminding Ada", "reminding Barbara", "reminding Frances", "reminding Grace"}));
}

TEST(Examples, YourOwnBackendExcludes) {
    const temporary_directory folder;
    EXPECT_THAT(run_example({"your_own_backend", folder.path()}),
                succeeds_and_says("while it is held, another session's try says false\nafter that, true\n"));
}

}  // namespace
}  // namespace dlock::testing
