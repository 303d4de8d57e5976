// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// By which the processes that wait for a lock of a directory show each other that they do. Internal to this backend.
//
// A mark is a POSIX read lock on a byte of the directory itself, chosen by the key: the kernel takes it away with its
// process, and looking for the marks of others is one system call. Nothing rests on it: a mark that is missing (where
// directories cannot be locked; of another program that uses SQLite) or wrong (two keys with one byte) costs those who
// wait, or give way, time and nothing else.
//
// A mark goes, too, when anybody in its process opens and closes the directory, as SQLite does to sync it with each fencing
// token that is drawn. So who waits marks again with each nap.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <mutex>
#include <optional>
#include <utility>

#include <dlock/sqlite/file_id.hpp>

namespace dlock::sqlite {

class marks {
public:
    explicit marks(std::filesystem::path directory) : directory_{std::move(directory)} {}
    ~marks();
    marks(const marks&) = delete;
    marks& operator=(const marks&) = delete;

    /// This process waits, or no longer does. Any thread; marks are not counted, and may be set again.
    void set(off_t byte) noexcept;
    void clear(off_t byte) noexcept;

    /// Whether another process has set it. Any thread.
    [[nodiscard]] bool set_elsewhere(off_t byte) noexcept;

private:
    bool open() noexcept;

    std::filesystem::path directory_;
    std::mutex mutex_;
    int descriptor_ = -1;  ///< of the directory; open from the first use on
    std::optional<file_id> id_;
};

}  // namespace dlock::sqlite
