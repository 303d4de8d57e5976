// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "bench/command_line.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>

namespace dlock::bench {

const char* const help =
    R"(acquire_release: what taking and releasing a lock costs, beside the raw driver and beside SOCI

  acquire_release             starts a PostgreSQL and a MariaDB of its own, on 127.0.0.1 and on the processor that it
                              runs on itself, and measures those, SQLite and memory
  acquire_release --on URL    measures your server only, which may be far away; more than one --on is fine
                                postgresql://host=db.example user=app dbname=app
                                mysql://host=db.example user=app dbname=app
                                sqlite3:///var/lib/app/locks     a folder: its file system matters; two small files stay

  --benchmark_filter=REGEX    only benchmarks of such names: postgresql, /lock/, dlock ...
  --benchmark_list_tests      their names
  --benchmark_min_time=SECONDS, --benchmark_out=FILE, --benchmark_format=json|csv and what else Google Benchmark knows

Its counters, and the table at the end: p50 and p99 of acquiring, of releasing and of both (a cycle); ratio is the
median of the contender's cycles by the median of the yardstick's. The two take turns, within milliseconds; each pair of
turns gives a ratio, and shown is their median. The yardstick beside itself shows the noise. "Library was built as DEBUG"
is about Debian's libbenchmark.
)";

command_line parse(int argc, char** argv) {
    static std::array<std::string, 2> defaults{"--benchmark_min_time=1", "--benchmark_counters_tabular=true"};
    command_line found;
    found.for_benchmark.push_back(argv[0]);
    for (auto& flag : defaults) found.for_benchmark.push_back(flag.data());
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument == "--help" || argument == "-h") {
            found.help = true;
        } else if (argument == "--on" || argument.starts_with("--on=")) {
            const std::string_view url = argument != "--on" ? argument.substr(5) : i + 1 < argc ? argv[++i] : "";
            constexpr std::array known{"postgresql://", "mysql://", "sqlite3://"};
            if (std::none_of(known.begin(), known.end(),
                             [&](std::string_view k) { return url.starts_with(k) && url != k; })) {
                throw std::invalid_argument{
                    "--on takes postgresql://..., mysql://... or sqlite3://FOLDER; --help shows how"};
            }
            found.on.emplace_back(url);
        } else {
            found.for_benchmark.push_back(argv[i]);
        }
    }
    return found;
}

}  // namespace dlock::bench
