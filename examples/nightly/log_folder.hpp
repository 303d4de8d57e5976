// SPDX-FileCopyrightText: the dlock authors
// SPDX-License-Identifier: BSL-1.0
//
// The work of the nightly job: rotates and compresses the logs of a folder. It knows nothing of locks.
//
//     orders.log  →  orders.log-20240501.gz, and a new, empty orders.log
//
// Everything becomes visible by a rename. So a rotation that was killed leaves nothing half done, and the next one
// takes up where it ended. But two at a time would rename under each other's feet: that is what the lock is for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <set>
#include <string>

namespace nightly {

class log_folder {
public:
    /// Makes the folder if there is none, with some logs in it, as a shop would have written them on a quiet day.
    explicit log_folder(std::filesystem::path path);

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

    /// Another day goes by: so many bytes are written to each log.
    void write_samples(std::size_t bytes) const;

    struct size {
        std::size_t logs = 0;
        std::uintmax_t bytes = 0;
    };

    /// What rotate() has to do for this night, a date.
    [[nodiscard]] size due(const std::string& night) const;

    /// Rotates the logs for this night, and returns the size of the compressed ones. `go_on` is called before anything
    /// is changed, again and again, and throws to end it.
    [[nodiscard]] size rotate(const std::string& night, const std::function<void()>& go_on) const;

    /// Who has finished this night's rotation, and when; empty: nobody.
    [[nodiscard]] std::string rotated_by(const std::string& night) const;

private:
    [[nodiscard]] std::set<std::filesystem::path> logs(const std::string& night) const;
    void compress(const std::filesystem::path& from, const std::filesystem::path& to,
                  const std::function<void()>& go_on) const;

    std::filesystem::path path_;
};

}  // namespace nightly
