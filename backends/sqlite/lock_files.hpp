// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// What is behind a session: a connection per lock that it holds, and some idle ones, so that taking the same lock again
// opens nothing. Internal to this backend.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <list>
#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <dlock/backend.hpp>
#include <dlock/deadline.hpp>
#include <dlock/sqlite/fence.hpp>
#include <dlock/sqlite/forks.hpp>
#include <dlock/sqlite/home.hpp>
#include <dlock/sqlite/key.hpp>
#include <dlock/sqlite/lock_file.hpp>
#include <dlock/sqlite/queues.hpp>
#include <dlock/sqlite/session.hpp>

namespace dlock::sqlite {

class lock_files {
public:
    static constexpr std::size_t most_idle = 16;

    /// \param beside  the database that the directory belongs to
    /// \throws lock_error  unsupported: forked while locks were held
    explicit lock_files(std::filesystem::path directory, std::optional<home> beside = {});
    ~lock_files();
    lock_files(const lock_files&) = delete;
    lock_files& operator=(const lock_files&) = delete;

    [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }

    [[nodiscard]] std::size_t held() const noexcept;

    /// Whether this is the copy in a child of the process that made it. POSIX locks are not inherited, so it holds nothing.
    [[nodiscard]] bool in_forked_child() const noexcept;

    /// As lock_database's. Without a deadline it does not wait.
    [[nodiscard]] std::optional<grant> acquire(const key& k, mode m, std::optional<deadline> until,
                                               const std::stop_token& stop);
    [[nodiscard]] bool still_held(const key& k, const grant& g) const noexcept;
    released release(const key& k, const grant& g) noexcept;
    void sever(const grant& g) noexcept;

    /// \throws lock_error  lost: in a forked child; else as label::set()
    void set_label(std::string_view text);

    /// A number that nobody has drawn in this directory before, larger than all that were.
    /// \throws lock_error  server_error, exhausted, cancelled
    [[nodiscard]] fencing_token draw(const std::stop_token& stop);

private:
    struct connection {
        connection(const std::filesystem::path& path, const key& k, const home* beside, std::shared_ptr<queue> line)
            : hold{std::move(line)}, file{path, k, beside}, of{k.digest()} {}

        std::optional<engagement> engaged;  ///< while it holds the lock; ends after the file is closed
        queue::hold hold;                   ///< the same
        lock_file file;
        digest of;
        std::uint64_t serial = 0;  ///< of the grant; 0: idle
    };
    using connections = std::list<connection>;

    void require_own_process() const;
    connections::iterator open(const key& k);
    void close(connections::iterator at) noexcept;
    static bool pass(connection& at, mode m, bool waits);
    [[nodiscard]] std::optional<connections::iterator> find(const key& k, const grant& g) const noexcept;

    std::filesystem::path directory_;
    std::optional<home> home_;
    std::shared_ptr<queues> queues_;
    unsigned forks_;  ///< how many this process had come through when the session was made
    std::uint64_t last_serial_ = 0;
    connections held_;
    connections idle_;  ///< the one used longest ago first
    std::unordered_map<digest, connections::iterator, digest_hash> by_key_;
    std::optional<fence> fence_;  ///< open from the first draw on
};

}  // namespace dlock::sqlite
