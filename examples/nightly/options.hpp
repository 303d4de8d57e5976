// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The command line of the nightly job.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

namespace nightly {

inline constexpr const char* help =
    R"(nightly_job: rotates and compresses the logs of a folder, by one process at a time.

  nightly_job                  shows it: several processes at once, and one of them killed
  nightly_job --folder DIR     the job itself, as cron would start it; if there is no DIR, it is made, with some logs

  --wait 5s       when another process is at it, wait so long for it (500ms, 5s, 2min); else leave at once
  --night DATE    the night that this rotation is for; else today's date
  --on URL        where the lock is: postgresql://..., mysql://... or sqlite3://..., in SOCI's way of writing, say
                  "postgresql://host=db.example user=app dbname=app"; else an SQLite database in the folder

It ends with 0: this night's logs are rotated, now or before; 75: another process is at it; 64: this command line is
wrong; 69: the lock's server cannot be used; 1: the rotation failed.
)";

enum exit_code : int { done = 0, failed = 1, misused = 64, unavailable = 69, busy = 75 };

struct options {
    bool help = false;
    std::filesystem::path folder;  ///< empty: show it
    std::chrono::nanoseconds wait{0};
    std::string night;
    std::string on;  ///< empty: SQLite in the folder
};

/// \throws std::invalid_argument  with one sentence that says what is wrong
[[nodiscard]] options parse(int argc, char** argv);

}  // namespace nightly
