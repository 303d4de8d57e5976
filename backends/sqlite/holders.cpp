// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
#include <dlock/sqlite/holders.hpp>

#include <sys/sysmacros.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>

#include <dlock/sqlite/label.hpp>

namespace dlock::sqlite {
namespace {

// The bytes of a database that SQLite locks: PENDING, RESERVED, and 510 that its readers share.
// https://www.sqlite.org/fileformat.html#the_lock_byte_page, os.h
constexpr std::uint64_t pending_byte = 0x40000000;
constexpr std::uint64_t shared_first = pending_byte + 2;
constexpr std::uint64_t shared_last = shared_first + 509;

struct grip {
    bool reads = false;   ///< all the shared bytes, as a reader does
    bool writes = false;  ///< all the shared bytes, as a writer does
    bool wants = false;   ///< PENDING or RESERVED only: waits for the readers to leave, counted among them meanwhile
};

std::string describe(const std::filesystem::path& directory, const std::string& pid) {
    if (auto label = label_of(directory, pid); !label.empty()) return label;
    std::string text = first_bytes("/proc/" + pid + "/cmdline");  // arguments, each ended by a NUL
    const bool whole = text.size() == longest_text || text.ends_with('\0');  // of an ending process it is cut off anywhere
    if (!whole) text = first_bytes("/proc/" + pid + "/comm");
    while (!text.empty() && (text.back() == '\0' || text.back() == '\n')) text.pop_back();
    std::ranges::replace(text, '\0', ' ');
    return text;
}

}  // namespace

std::vector<holder> holders_of(file_id file, const std::filesystem::path& directory) {
    std::map<long, grip> grips;
    std::ifstream locks{"/proc/locks"};
    for (std::string line; std::getline(locks, line);) {
        // 1: POSIX  ADVISORY  WRITE 12010 fe:00:10953690 1073741824 1073742335      (a waiter has "->" after the colon)
        char kind[8]{}, last_byte[24]{};
        long pid = 0;
        unsigned major = 0, minor = 0;
        unsigned long long inode = 0, first = 0;
        if (std::sscanf(line.c_str(), "%*u: POSIX %*s %7s %ld %x:%x:%llu %llu %23s", kind, &pid, &major, &minor, &inode, &first, last_byte) != 7) {
            continue;
        }
        if (makedev(major, minor) != file.device || inode != file.inode) continue;
        const std::uint64_t last = last_byte[0] == 'E' ? UINT64_MAX : std::stoull(last_byte);  // "EOF"
        const bool writes = kind[0] == 'W';
        if (first <= shared_first && shared_last <= last) (writes ? grips[pid].writes : grips[pid].reads) = true;
        else if (writes && first < shared_first && pending_byte <= last) grips[pid].wants = true;
    }
    std::vector<holder> found;
    for (const auto& [pid, held] : grips) {
        if (held.writes || (held.reads && !held.wants)) found.push_back({std::to_string(pid), describe(directory, std::to_string(pid))});
    }
    return found;
}

}  // namespace dlock::sqlite
