// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// A private folder for one server, removed with everything in it when the object ends.
//
// It lies directly in /tmp, because the path of a Unix socket holds 107 characters and a test's own folder is longer
// than that. It belongs to the user the servers run as. A killed test cannot clean up; so the owner holds a flock()
// on its folder, and the first folder made by a later test removes those that nobody holds any more.
#pragma once

#include <sys/types.h>

#include <filesystem>

namespace dlock::testing {

class temporary_directory {
public:
    temporary_directory();
    ~temporary_directory();
    temporary_directory(const temporary_directory&) = delete;
    temporary_directory& operator=(const temporary_directory&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

private:
    std::filesystem::path path_;
    int held_ = -1;  ///< the folder, open and flock()ed
    pid_t owner_;    ///< a forked copy of this object removes nothing
};

}  // namespace dlock::testing
