// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include "examples/nightly/demonstration.hpp"

#include <stdlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <future>
#include <iostream>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "examples/nightly/child.hpp"
#include "examples/nightly/log_folder.hpp"

namespace nightly {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

/// A folder in /tmp, or $TMPDIR, removed in the end.
class temporary_folder {
public:
    temporary_folder() {
        std::string name = fs::temp_directory_path() / "nightly_job.XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) throw std::system_error{errno, std::generic_category(), name};
        path_ = name;
    }
    ~temporary_folder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;

    [[nodiscard]] const fs::path& path() const noexcept { return path_; }

private:
    fs::path path_;
};

void print(const std::string& line) { std::cout << line + "\n" << std::flush; }

/// This program once more, doing the job.
class worker {
public:
    worker(const log_folder& logs, const options& wanted, const char* night, const char* wait)
        : process_{command(logs, wanted, night, wait)} {}

    /// Prints what it says until a line holds `text`, or with no text until its end. Whether such a line came.
    bool follow(std::string_view text = {}) {
        while (const auto line = process_.next_line()) {
            print("   " + *line);
            said_ += *line + '\n';
            if (!text.empty() && line->find(text) != line->npos) return true;
        }
        return false;
    }

    [[nodiscard]] bool has_said(std::string_view text) const { return said_.find(text) != said_.npos; }
    void signal(int number) noexcept { process_.signal(number); }
    int wait() { return process_.wait(); }
    [[nodiscard]] std::string pid() const { return std::to_string(process_.pid()); }

private:
    static std::vector<std::string> command(const log_folder& logs, const options& wanted, const char* night,
                                            const char* wait) {
        std::vector<std::string> words{
            fs::read_symlink("/proc/self/exe"), "--folder", logs.path(), "--night", night, "--wait", wait};
        if (!wanted.on.empty()) words.insert(words.end(), {"--on", wanted.on});
        return words;
    }

    child process_;
    std::string said_;
};

constexpr std::size_t a_day = 6'000'000;  // bytes in each log: enough for a second of work

constexpr std::string_view has_begun = ": rotating ";
constexpr std::string_view has_finished = ": done: ";
constexpr std::string_view waits = "; waiting ";
constexpr std::string_view leaves = "; leaving";

bool first_night(const log_folder& logs, const options& wanted) {
    logs.write_samples(a_day);
    print("\nFirst night: four processes start at once. Two of them leave if they come too late, two wait.");
    std::vector<std::unique_ptr<worker>> workers;
    for (const char* const wait : {"0s", "0s", "60s", "60s"}) {
        workers.push_back(std::make_unique<worker>(logs, wanted, "20240501", wait));
    }
    std::vector<std::future<void>> readers;
    for (auto& each : workers) readers.push_back(std::async(std::launch::async, [&each] { each->follow(); }));
    for (auto& reader : readers) reader.get();

    int ran = 0, late = 0;
    for (const auto& each : workers) {
        const int code = each->wait();
        if (each->has_said(has_finished) && code == done)
            ++ran;
        else if (code == done || (code == busy && each->has_said(leaves)))
            ++late;
    }
    print("=> " + std::to_string(ran) + " of 4 ran the job, " + std::to_string(late) + " came too late");
    return ran == 1 && late == 3;
}

bool second_night(const log_folder& logs, const options& wanted) {
    print("\nSecond night: the process that has the lock hangs, another one waits, and the first is killed.");
    logs.write_samples(a_day);
    worker victim{logs, wanted, "20240502", "0s"};
    if (!victim.follow(has_begun)) return false;
    victim.signal(SIGSTOP);
    print("   kill -STOP " + victim.pid());
    worker heir{logs, wanted, "20240502", "60s"};
    if (!heir.follow(waits)) return false;

    victim.signal(SIGKILL);
    const auto killed = steady_clock::now();
    print("   kill -KILL " + victim.pid());
    if (!heir.follow(has_begun)) return false;
    const std::chrono::duration<double, std::milli> took = steady_clock::now() - killed;
    heir.follow();

    const bool one_finished = heir.wait() == done && heir.has_said(has_finished) && !victim.has_said(has_finished);
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.1f ms", took.count());
    print(std::string{"=> after the kill the next one had the lock, and was at work, within "} + text.data());
    return one_finished && victim.wait() == 128 + SIGKILL;
}

}  // namespace

exit_code demonstrate(const options& wanted) {
    const temporary_folder scratch;
    const log_folder logs{scratch.path() / "logs"};
    print("The job: rotate and compress the logs in " + logs.path().string());
    print("Its lock: " +
          (wanted.on.empty() ? "in the same folder (SQLite)" : "on " + wanted.on.substr(0, wanted.on.find(':'))));
    const bool as_promised = first_night(logs, wanted) && second_night(logs, wanted);
    if (!as_promised) print("\nThat is not what dlock promises.");
    return as_promised ? done : failed;
}

}  // namespace nightly
