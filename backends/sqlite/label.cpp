// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/sqlite/label.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <sstream>
#include <system_error>

#include <dlock/error.hpp>
#include <dlock/sqlite/access.hpp>
#include <dlock/sqlite/draft.hpp>

namespace dlock::sqlite {
namespace {

namespace fs = std::filesystem;

/// The time of its start, in ticks since the boot: with the pid it names one process. Empty when there is none.
/// https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
std::string start_of(const std::string& pid) {
    const std::string all = first_bytes("/proc/" + pid + "/stat");
    const auto command_ends = all.rfind(')');
    if (command_ends == all.npos) return {};
    std::istringstream fields{all.substr(command_ends + 1)};
    std::string field;
    for (int number = 3; number <= 22; ++number) fields >> field;
    return fields ? field : std::string{};
}

constexpr std::size_t boot_digits = 32;

/// What stands before the pid. A process sees those of its own name space; what others have written is theirs.
std::string here() {
    std::string boot = first_bytes("/proc/sys/kernel/random/boot_id");
    std::erase_if(boot, [](char c) { return c == '-' || c == '\n'; });
    struct stat space {};
    return boot.size() != boot_digits || ::stat("/proc/self/ns/pid", &space) != 0 ? std::string{} : boot + "-" + std::to_string(space.st_ino) + "-";
}

/// Empty: it cannot be known.
fs::path file_of(const fs::path& directory, const std::string& pid) {
    const auto prefix = here(), start = start_of(pid);
    return prefix.empty() || start.empty() ? fs::path{} : directory / "labels" / (prefix + pid + "-" + start);
}

/// The files of processes of this name space that have ended, and of boots that have.
void remove_stale(const fs::path& labels) noexcept try {
    const auto prefix = here();
    for (const auto& entry : fs::directory_iterator{labels}) {
        const auto name = entry.path().filename().string();
        if (name.find_first_not_of("0123456789abcdef") != boot_digits) continue;  // no label
        if (name.compare(0, boot_digits, prefix, 0, boot_digits) == 0) {
            if (!name.starts_with(prefix)) continue;  // of another name space
            const auto pid = name.substr(prefix.size(), name.find('-', prefix.size()) - prefix.size());
            const auto alive = prefix + pid + "-" + start_of(pid);
            if (name == alive || name.starts_with(alive + "-draft-")) continue;
        }
        std::error_code ignored;
        fs::remove(entry.path(), ignored);
    }
} catch (...) {
}

lock_error not_written(const fs::path& file, int why) {
    const bool full = why == ENOSPC || why == EDQUOT || why == EFBIG || why == EMFILE || why == ENFILE;
    return {full ? errc::exhausted : errc::server_error,
            "dlock: cannot write the label " + file.string() + ": " + std::generic_category().message(why)};
}

void make_labels(const fs::path& directory) {
    if (::mkdir((directory / "labels").c_str(), S_IRWXU) != 0) return;
    struct stat like;
    const int made = ::open((directory / "labels").c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (made >= 0 && ::stat(directory.c_str(), &like) == 0) give(made, like, like.st_mode & 01777);
    if (made >= 0) ::close(made);
}

}  // namespace

std::string first_bytes(const fs::path& file) {
    std::string bytes(longest_text, '\0');
    const int from = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    const auto got = from >= 0 ? ::read(from, bytes.data(), bytes.size()) : -1;
    if (from >= 0) ::close(from);
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return bytes;
}

label::label(const fs::path& directory) : directory_{directory} {
    std::error_code ignored;
    if (!fs::is_directory(directory_ / "labels", ignored)) return;
    if (const auto left = file_of(directory_, std::to_string(::getpid())); !left.empty()) fs::remove(left, ignored);
}

label::~label() { remove(); }

void label::set(std::string_view text) {
    const std::lock_guard guard{mutex_};
    if (text.empty()) return remove();
    const auto pid = ::getpid();
    const auto file = file_of(directory_, std::to_string(pid));
    if (file.empty()) throw lock_error{errc::unsupported, "dlock: without /proc a process cannot be told from others, so it can have no label"};
    make_labels(directory_);
    remove_stale(file.parent_path());
    const draft aside{file};
    const int to = ::open(aside.path().c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (to < 0) throw not_written(file, errno);
    const auto written = ::write(to, text.data(), text.size());
    const int why = written < 0 ? errno : ENOSPC;
    ::close(to);
    if (written != static_cast<ssize_t>(text.size())) throw not_written(file, why);
    if (::rename(aside.path().c_str(), file.c_str()) != 0) throw not_written(file, errno);
    file_ = file;
    of_ = pid;
}

void label::remove() noexcept {
    if (file_.empty() || of_ != ::getpid()) return;
    std::error_code ignored;
    fs::remove(file_, ignored);
    file_.clear();
}

std::string label_of(const fs::path& directory, const std::string& pid) {
    const auto file = file_of(directory, pid);
    return file.empty() ? std::string{} : first_bytes(file);
}

}  // namespace dlock::sqlite
