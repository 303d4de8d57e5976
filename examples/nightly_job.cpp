// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A nightly job that several machines, or an impatient administrator, may start at the same time: one process runs it.
//
//     bazel run //examples:nightly_job                                          shows it, on SQLite
//     bazel run //examples:nightly_job -- --on 'postgresql://dbname=app'        the same on a server of yours
//     bazel run //examples:nightly_job -- --help
//
// The lock says "one at a time", not "once a night": who gets it late looks first whether the work is done already.
#include <stdlib.h>
#include <unistd.h>

#include <exception>
#include <iostream>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include <dlock/make_lock.hpp>
#include <dlock/open_session.hpp>

#include "examples/nightly/demonstration.hpp"
#include "examples/nightly/log_folder.hpp"
#include "examples/nightly/options.hpp"

namespace nightly {
namespace {

const std::string me = "nightly_job[" + std::to_string(::getpid()) + "]";

/// One line, in one piece: several processes write to the same terminal.
void say(std::ostream& to, const std::string& what) { to << me + ": " + what + "\n" << std::flush; }

std::string megabytes(std::uintmax_t bytes) { return std::to_string((bytes + 500'000) / 1'000'000) + " MB"; }

std::string text_of(const std::vector<dlock::holder>& holders) {
    if (holders.empty()) return "a process that has just ended";
    auto [session, description] = holders.front();
    description.erase(0, description.rfind('/', description.find(' ')) + 1);  // of a program its name will do
    if (description.size() > 60) description.replace(57, description.npos, "...");
    return "session " + session + " (" + description + ")";
}

exit_code run(const options& wanted) {
    const log_folder logs{wanted.folder};
    // Not soci::session{…}: what that throws may quote the password.
    const auto db = dlock::open_session(wanted.on.empty() ? "sqlite3://dbname=\"" + (wanted.folder / "jobs.sqlite").string() + '"'
                                                          : wanted.on);
    dlock::any_lock lock = dlock::make_lock(*db, "rotate logs");

    std::unique_lock held{lock, std::try_to_lock};
    if (!held) {
        const std::string busy_with = text_of(lock.holders()) + " is running it; ";
        if (wanted.wait <= wanted.wait.zero()) {
            say(std::cout, busy_with + "leaving");
            return busy;
        }
        say(std::cout, busy_with + "waiting for it");
        if (!held.try_lock_for(wanted.wait)) {
            say(std::cout, text_of(lock.holders()) + " is still running it; leaving");
            return busy;
        }
    }

    if (const std::string who = logs.rotated_by(wanted.night); !who.empty()) {
        say(std::cout, "already done by " + who);
        return done;
    }
    const auto [count, bytes] = logs.due(wanted.night);
    say(std::cout, "rotating " + std::to_string(count) + " logs, " + megabytes(bytes));
    const auto result = logs.rotate(wanted.night, [&lock] {
        if (!lock.owns_lock()) throw std::runtime_error{"the lock was lost: another process may be at it"};
    });
    say(std::cout, "done: " + megabytes(bytes) + " became " + megabytes(result.bytes));
    return done;
}

}  // namespace
}  // namespace nightly

int main(int argc, char** argv) {
    using namespace nightly;
    try {
        const options wanted = parse(argc, argv);
        if (wanted.help) {
            std::cout << help;
            return done;
        }
        ::setenv("PGAPPNAME", me.c_str(), 0);  // so that PostgreSQL can tell who we are
        if (!wanted.folder.empty()) return run(wanted);
        if (!wanted.on.empty()) (void)dlock::open_session(wanted.on);  // does it answer? Better asked once than by every process
        return demonstrate(wanted);
    } catch (const std::invalid_argument& misuse) {
        say(std::cerr, misuse.what());
        return misused;
    } catch (const dlock::lock_error& error) {
        say(std::cerr, error.what());
        return unavailable;
    } catch (const std::exception& error) {
        say(std::cerr, error.what());
        return failed;
    }
}
