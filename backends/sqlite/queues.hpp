// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The queues of a lock directory in this process, the same for all its sessions there. Internal to this backend.
//
// A queue belongs to a name, not to the file that has it now: who waits for a file that is deleted keeps its place for the
// one that comes after.
//
// A forked child has queues of its own from the start: those of its parent have waiters in them that the child does not
// have, and may be in the hands of such a thread. Any thread.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <mutex>
#include <unordered_map>

#include <dlock/sqlite/label.hpp>
#include <dlock/sqlite/marks.hpp>
#include <dlock/sqlite/queue.hpp>

namespace dlock::sqlite {

using digest = std::array<std::uint8_t, 16>;  ///< of a key

struct digest_hash {
    std::size_t operator()(const digest& d) const noexcept {
        std::size_t value;
        std::memcpy(&value, d.data(), sizeof value);  // it is a hash already
        return value;
    }
};

class queues {
public:
    /// \param directory  absolute, without symbolic links
    [[nodiscard]] static std::shared_ptr<queues> of(const std::filesystem::path& directory);

    explicit queues(const std::filesystem::path& directory) : marks_{directory}, label_{directory} {}
    queues(const queues&) = delete;
    queues& operator=(const queues&) = delete;

    /// That of a key; made when nobody has it.
    [[nodiscard]] static std::shared_ptr<queue> line(const std::shared_ptr<queues>& in, const digest& of);

    /// The byte of the directory that stands for a key: see marks.
    [[nodiscard]] static off_t byte(const digest& of) noexcept;

    /// What this process calls itself there, as long as it has a session there.
    [[nodiscard]] label& name() noexcept { return label_; }

    /// How many sessions of this process stand in line for a key.
    [[nodiscard]] std::size_t waiting(const digest& of);

private:
    struct remove;

    marks marks_;
    label label_;
    std::mutex mutex_;
    std::unordered_map<digest, std::weak_ptr<queue>, digest_hash> lines_;
};

}  // namespace dlock::sqlite
