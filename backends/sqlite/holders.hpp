// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// Who holds a lock database, whether through dlock or not, as the kernel tells in /proc/locks. Linux only; elsewhere, and
// on file systems whose device numbers differ there (btrfs), nobody is found. Sees the processes of its own pid namespace.
// https://www.kernel.org/doc/html/latest/filesystems/proc.html
#pragma once

#include <filesystem>
#include <vector>

#include <dlock/backend.hpp>
#include <dlock/sqlite/file_id.hpp>

namespace dlock::sqlite {

/// One holder per process: the kernel knows no more. `session` is its pid, `description` what it calls itself in the lock
/// directory (session::set_label()), else its command line.
[[nodiscard]] std::vector<holder> holders_of(file_id file, const std::filesystem::path& directory);

}  // namespace dlock::sqlite
