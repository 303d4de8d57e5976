// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What a process calls itself in a lock directory, for holders(). Internal to this backend.
//
// The kernel knows no more of a holder than its pid, so a label is the process's, whichever of its sessions has set it. It is a
// file in `labels/`, called by what tells the process from every other: the boot, the pid name space, the pid and the time of
// its start. So what a dead process has left behind is never taken for another's; it is removed by the next one that sets
// a label there. Nothing rests on it: without its file a holder is called by its command line.
#pragma once

#include <dlock/detail/cxx20.hpp>

#include <sys/types.h>

#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>

namespace dlock::sqlite {

class label {
public:
    /// Of this process; what another program has left that ran in it before (exec) is removed.
    explicit label(const std::filesystem::path& directory);

    /// Removes it.
    ~label();
    label(const label&) = delete;
    label& operator=(const label&) = delete;

    /// Empty: none. Any thread.
    /// \throws lock_error  server_error, exhausted: it cannot be written; the message names the file and the reason
    void set(std::string_view text);

private:
    void remove() noexcept;

    std::filesystem::path directory_;
    std::mutex mutex_;
    std::filesystem::path file_;  ///< empty: there is none
    pid_t of_ = 0;                ///< who has written it, and not a child of its
};

/// What the process calls itself; empty when it has not said, or it cannot be known.
[[nodiscard]] std::string label_of(const std::filesystem::path& directory, const std::string& pid);

/// The first bytes of a file, of which none is waited for: empty where there is none.
[[nodiscard]] std::string first_bytes(const std::filesystem::path& file);
inline constexpr std::size_t longest_text = 1024;

}  // namespace dlock::sqlite
